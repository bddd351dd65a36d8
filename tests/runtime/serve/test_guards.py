"""Who may ask, and what browsers are told."""

from pathlib import Path

import pytest

from tests.runtime.serve.server import Server, start

QUESTION = {"question": "Wer?", "context": "Anna."}
TOKEN = "open-sesame"


def test_a_token_is_asked_for_where_there_is_one(qa_bundle: Path, tmp_path: Path) -> None:
    with start(tmp_path / "log", qa_bundle, token=TOKEN) as server:
        for path in ("/v1/bundles", "/metrics"):
            refused = server.get(path)
            assert (refused.status, refused.error) == (401, "unauthorized")
            assert refused.headers["www-authenticate"] == "Bearer"
        for wrong in ("Bearer", "Bearer open", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x", "Bearer \xfc\xff"):
            assert server.post("/v1/answer", QUESTION, {"authorization": wrong}).status == 401
        assert server.post("/v1/answer", QUESTION, {"authorization": f"bearer {TOKEN}"}).status == 200
        for path in ("/", "/app.js", "/healthz", "/openapi.json"):
            assert server.get(path).status == 200
        described = server.get("/openapi.json").json
        assert described["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
        assert described["paths"]["/v1/answer"]["post"]["security"] == [{"token": []}]
        assert TOKEN not in server.log.read_text()


def test_a_token_may_lie_in_a_file(qa_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"\ufeff{TOKEN}\n", encoding="utf-8")
    with start(tmp_path / "log", qa_bundle, "--token-file", tmp_path / "token") as server:
        assert server.get("/v1/bundles").status == 401
        assert server.get("/v1/bundles", {"authorization": f"Bearer {TOKEN}"}).status == 200


def test_every_answer_tells_browsers_to_be_careful(server: Server) -> None:
    for path in ("/", "/v1/bundles", "/nothing", "/metrics"):
        headers = server.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff" and headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert "access-control-allow-origin" not in headers and "server" not in headers


def test_other_pages_may_ask_only_where_they_are_allowed(qa_bundle: Path, server: Server, tmp_path: Path) -> None:
    friend, stranger = {"origin": "https://friend.example"}, {"origin": "https://stranger.example"}
    preflight = {
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
    }
    assert "access-control-allow-origin" not in server.post("/v1/answer", QUESTION, friend).headers
    with start(tmp_path / "log", qa_bundle, "--allow-origin", "https://friend.example", token=TOKEN) as strict:
        asked = strict.ask("OPTIONS", "/v1/answer", headers={**friend, **preflight})
        assert asked.status == 200 and asked.headers["access-control-allow-origin"] == "https://friend.example"
        answered = strict.post("/v1/answer", QUESTION, {**friend, "authorization": f"Bearer {TOKEN}"})
        assert answered.status == 200
        assert answered.headers["access-control-allow-origin"] == "https://friend.example"
        # An error can be read there too.
        assert "access-control-allow-origin" in strict.post("/v1/answer", QUESTION, friend).headers
        refused = strict.ask("OPTIONS", "/v1/answer", headers={**stranger, **preflight})
        assert refused.status == 400 and "access-control-allow-origin" not in refused.headers


def test_a_name_that_is_not_its_own_is_refused_on_loopback(qa_bundle: Path, server: Server, tmp_path: Path) -> None:
    refused = server.get("/v1/bundles", {"host": "rebound.example"})
    assert (refused.status, refused.error) == (421, "unknown_host")
    for host in ("localhost", "LOCALHOST:1", "127.0.0.1:80", "[::1]:80"):
        assert server.get("/v1/bundles", {"host": host}).status == 200
    with start(
        tmp_path / "log", qa_bundle, "--allow-host", "Answers.example:80", "--allow-host", "हिन्दी.example"
    ) as named:
        for host in ("answers.example", "answers.example:8000", "xn--j2bd4cyah0f.example"):
            assert named.get("/v1/bundles", {"host": host}).status == 200


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("https://friend.example/", "https://friend.example"),
        ("HTTPS://Friend.Example:443", "https://friend.example"),
        ("http://friend.example:8080/", "http://friend.example:8080"),
        ("http://[0:0::1]:80", "http://[::1]"),
        ("https://हिन्दी.example", "https://xn--j2bd4cyah0f.example"),
        ("*", "https://anybody.example"),
    ],
)
def test_an_origin_may_be_typed_in_any_way(qa_bundle: Path, tmp_path: Path, given: str, sent: str) -> None:
    with start(tmp_path / "log", qa_bundle, "--allow-origin", given) as server:
        answered = server.post("/v1/answer", QUESTION, {"origin": sent})
        assert answered.headers["access-control-allow-origin"] == ("*" if given == "*" else sent)


def test_a_page_that_a_browser_has_is_not_sent_again(server: Server) -> None:
    for path in ("/", "/app.js", "/lrc/languages.js"):
        sent = server.get(path)
        assert sent.status == 200 and sent.body
        again = server.get(path, {"if-none-match": sent.headers["etag"]})
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", sent.headers["etag"])
        assert server.get(path, {"if-none-match": '"other"'}).body == sent.body


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--queue", "0"], "--queue"),
        (["--timeout", "nan"], "--timeout"),
        (["--max-bytes", "-1"], "--max-bytes"),
        (["--port", "70000"], "--port"),
        (["--head-timeout", "0"], "--head-timeout"),
        (["--connections", "-1"], "--connections"),
        (["--allow-origin", "friend.example"], "--allow-origin"),
        (["--allow-origin", "https://friend.example/page"], "without a path"),
        (["--allow-origin", "https://friend.example:x"], "--allow-origin"),
        (["--allow-origin", "https://*.friend.example"], "--allow-origin"),
        (["--allow-host", "https://answers.example"], "--allow-host"),
        (["--token-file", "nowhere"], "--token-file"),
        (["--host", "256.1.1.1"], "--host"),
        (["nowhere"], "nowhere: no such bundle"),
        (["{bundle}"], "NAME=PATH"),
        (["a:b={bundle}"], "NAME=PATH"),
    ],
)
@pytest.mark.parametrize("module", ["lrc_runtime.cli", "lrc.cli.app"])
def test_what_it_cannot_start_with_is_one_line_and_exit_code_2(
    qa_bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], module: str,
    arguments: list[str], says: str,
) -> None:  # fmt: skip
    import importlib
    import sys

    words = ["lrc", "serve", str(qa_bundle), *(word.format(bundle=qa_bundle) for word in arguments)]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as exit_code:
        sys.exit(importlib.import_module(module).main())
    assert exit_code.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and said.count("\n") == 1 and says in said


def test_an_empty_token_is_refused(
    qa_bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from lrc_runtime.cli import main

    monkeypatch.setenv("LRC_SERVE_TOKEN", " ")
    assert main(["serve", str(qa_bundle)]) == 2
    assert "LRC_SERVE_TOKEN" in capsys.readouterr().err
