"""What is asked over HTTP is what the runtime answers."""

import json
from pathlib import Path

import pytest

import lrc_runtime
from lrc_runtime import InputError, ParaphraseDetector, QuestionAnswerer
from tests.runtime.serve.server import Reply, Server

CONTEXT = "👩🏽‍🌾 बनाई: मरियम ने सन 1812 में चक्की बनाई। بنت مريم الطاحونة. Sie steht am Fluss."
FIELDS = ("text", "start", "end", "utf16_start", "utf16_end", "utf8_start", "utf8_end", "score")


def test_answers_are_those_of_the_runtime_in_every_unit(server: Server, qa_bundle: Path) -> None:
    runtime = lrc_runtime.load(qa_bundle)
    assert isinstance(runtime, QuestionAnswerer)
    request = {"question": "من بنى الطاحونة؟", "context": CONTEXT, "top_k": 3, "lang": "ar"}
    reply = server.post("/v1/answer", request)
    assert reply.status == 200 and reply.headers["content-type"] == "application/json"
    expected = runtime.answer(request["question"], CONTEXT, 3, lang="ar")  # type: ignore[arg-type]
    found = reply.json
    assert [[one[name] for name in FIELDS] for one in found["answers"]] == [
        pytest.approx([getattr(one, name) for name in FIELDS]) for one in expected
    ]
    assert found["no_answer"] == pytest.approx(expected[0].no_answer)
    assert found["answered"] == expected[0].answered and found["bundle"] == qa_bundle.name
    utf16 = CONTEXT.encode("utf-16-le")
    for one in found["answers"]:
        assert CONTEXT[one["start"] : one["end"]] == one["text"]
        assert utf16[2 * one["utf16_start"] : 2 * one["utf16_end"]].decode("utf-16-le") == one["text"]


def test_many_questions_are_answered_in_their_order(server: Server) -> None:
    contexts = ["Anna kaufte ein Boot.", "रवि ने घर बेचा।", ""]
    items = [{"question": "Wer?", "context": context} for context in contexts]
    results = server.post("/v1/answer/batch", {"items": items, "top_k": 2}).json["results"]
    assert len(results) == 3 and results[2] == {"answers": [], "no_answer": 1.0, "answered": False}
    for context, result in zip(contexts[:2], results[:2], strict=True):
        assert result["answers"] and all(one["text"] in context for one in result["answers"])


def test_comparisons_are_those_of_the_runtime(server: Server, pair_bundle: Path) -> None:
    runtime = lrc_runtime.load(pair_bundle)
    assert isinstance(runtime, ParaphraseDetector)
    first, second = "वह घर गया।", "वह घर चला गया।"
    expected = runtime.compare(first, second)
    one = server.post("/v1/compare", {"first": first, "second": second}).json
    assert one["label"] == expected.label and one["score"] == pytest.approx(expected.score)
    many = server.post("/v1/compare/batch", {"items": [{"first": first, "second": second}] * 3}).json
    assert [result["label"] for result in many["results"]] == [expected.label] * 3


def test_bundles_say_what_they_are(server: Server, qa_bundle: Path, pair_bundle: Path) -> None:
    one, other = server.get("/v1/bundles").json["bundles"]
    assert [one["name"], other["name"]] == [qa_bundle.name, pair_bundle.name]
    manifest = json.loads((qa_bundle / "lrc.json").read_text())
    assert one["digest"] == manifest["sha256"] and one["task"] == "question-answering"
    assert one["languages"] == manifest["languages"] and one["calibration"] == manifest["calibration"]
    assert one["bytes"] == sum((qa_bundle / name).stat().st_size for name in manifest["files"])
    card = server.get(f"/v1/bundles/{one['name']}/card")
    assert card.body.decode() == (qa_bundle / "README.md").read_text()
    assert server.get("/v1/bundles/none/card").error == "unknown_bundle"


def test_a_bundle_is_chosen_by_name_and_must_fit_the_task(server: Server, qa_bundle: Path, pair_bundle: Path) -> None:
    asked = {"question": "Wer?", "context": "Anna."}
    assert server.post("/v1/answer", {**asked, "bundle": qa_bundle.name}).json["bundle"] == qa_bundle.name
    wrong = server.post("/v1/answer", {**asked, "bundle": pair_bundle.name})
    assert wrong.status == 404 and wrong.error == "wrong_task"
    none = server.post("/v1/answer", {**asked, "bundle": "nichts"})
    assert none.status == 404 and none.error == "unknown_bundle"


def test_health_and_metrics(server: Server) -> None:
    assert server.get("/healthz").json == {"status": "ok", "bundles": 2, "stale": []}
    before = server.metric('lrc_requests_total{endpoint="/v1/answer",status="200"}')
    server.post("/v1/answer", {"question": "Wer?", "context": "Anna."})
    assert server.metric('lrc_requests_total{endpoint="/v1/answer",status="200"}') == before + 1
    reply = server.get("/metrics")
    assert reply.headers["content-type"].startswith("text/plain; version=")
    assert server.metric("process_resident_memory_bytes") > 0 and server.metric("lrc_requests_in_flight") == 0


def test_a_byte_order_mark_is_no_fault_and_another_encoding_is_named(server: Server) -> None:
    text = json.dumps({"question": "किसने?", "context": "रवि ने घर बेचा।"}, ensure_ascii=False)
    expected = server.post("/v1/answer", text.encode()).json["answers"]
    assert server.post("/v1/answer", text.encode("utf-8-sig")).json["answers"] == expected and expected
    for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32"):
        refused = server.post("/v1/answer", text.encode(encoding))
        assert (refused.status, refused.error) == (
            400,
            "invalid_json",
        ) and "send JSON in UTF-8" in refused.body.decode()
    refused = server.post("/v1/answer", '{"question": "où?", "context": "à"}'.encode("latin-1"))
    assert refused.status == 400 and "not UTF-8 at byte 15" in refused.body.decode()


QUESTION = {"question": "Wer?", "context": "Anna."}
BAD = [
    (b"{", 400, "invalid_json"),
    (b"\xff\xfe", 400, "invalid_json"),
    (b"", 400, "invalid_json"),
    (b"[" * 200_000, 400, "invalid_json"),
    (b'{"question": "\\ud800", "context": "a"}', 400, "invalid_json"),
    (b'{"question": "a\xed\xa0\x80", "context": "a"}', 400, "invalid_json"),
    (json.dumps(["question"]).encode(), 422, "invalid"),
    (json.dumps({**QUESTION, "question": 5}).encode(), 422, "invalid"),
    (json.dumps({**QUESTION, "context": None}).encode(), 422, "invalid"),
    (json.dumps({"question": "Wer?"}).encode(), 422, "invalid"),
    (json.dumps({**QUESTION, "colour": "red"}).encode(), 422, "invalid"),
    (json.dumps({**QUESTION, "top_k": 0}).encode(), 422, "invalid"),
    (json.dumps({**QUESTION, "top_k": 10**30}).encode(), 422, "invalid"),
    (json.dumps({**QUESTION, "top_k": True}).encode(), 422, "invalid"),
    (json.dumps({**QUESTION, "top_k": "3"}).encode(), 422, "invalid"),
    (json.dumps({**QUESTION, "top_k": float("nan")}).encode(), 422, "invalid"),
    (json.dumps({**QUESTION, "lang": "x" * 99}).encode(), 422, "invalid"),
    (json.dumps({**QUESTION, "lang": "german!"}).encode(), 422, "invalid"),
    (json.dumps({**QUESTION, "lang": ""}).encode(), 422, "invalid"),
    (json.dumps({**QUESTION, "lang": "de\n"}).encode(), 422, "invalid"),
    (json.dumps({**QUESTION, "bundle": {}}).encode(), 422, "invalid"),
]


@pytest.mark.parametrize(("body", "status", "code"), BAD)
def test_what_cannot_be_used_is_refused_in_one_line(server: Server, body: bytes, status: int, code: str) -> None:
    reply = server.post("/v1/answer", body)
    assert (reply.status, reply.error) == (status, code)


@pytest.mark.parametrize("lang", ["pt_BR", "zh-Hans-CN", "AR", "swh_Latn", "sr-Cyrl-RS-x-own", "german", "tlh"])
def test_languages_are_named_in_any_spelling(server: Server, lang: str) -> None:
    assert server.post("/v1/answer", {**QUESTION, "lang": lang}).status == 200
    assert server.post("/v1/answer/batch", {"items": [QUESTION], "lang": lang}).status == 200


def test_what_is_no_language_tag_is_refused_as_python_refuses_it(server: Server, qa_bundle: Path) -> None:
    said = server.post("/v1/answer", {**QUESTION, "lang": "german!"}).json["error"]["message"]
    with pytest.raises(InputError, match="no language tag") as caught:
        lrc_runtime.load_question_answerer(qa_bundle).answer("Wer?", "Anna.", lang="german!")
    assert said == str(caught.value) and "german!" in said


def test_a_bad_item_is_named(server: Server) -> None:
    reply = server.post("/v1/answer/batch", {"items": [QUESTION, {**QUESTION, "context": 7}]})
    assert reply.status == 422 and "items.1.context" in reply.json["error"]["message"]
    assert server.post("/v1/answer/batch", {"items": []}).status == 422
    assert server.post("/v1/answer/batch", {"items": [QUESTION] * 257}).status == 422


def test_whole_numbers_may_be_written_with_a_point(server: Server) -> None:
    assert server.post("/v1/answer", b'{"question": "Wer?", "context": "Anna.", "top_k": 2.0}').status == 200


def test_other_paths_methods_and_types_are_refused_in_the_same_shape(server: Server) -> None:
    assert server.get("/nothing").error == "not_found"
    wrong = server.get("/v1/answer")
    assert (wrong.status, wrong.error, wrong.headers["allow"]) == (405, "method_not_allowed", "POST")
    typed: list[Reply] = [
        server.post("/v1/answer", QUESTION, {"content-type": kind}) for kind in ("text/plain", "application/xml")
    ]
    typed.append(server.post("/v1/answer", QUESTION, {"content-encoding": "gzip"}))
    assert [reply.status for reply in typed] == [415] * 3
    assert {reply.error for reply in typed} == {"unsupported_media_type"}
    assert server.post("/v1/answer", QUESTION, {"content-type": "Application/JSON; charset=utf-8"}).status == 200
