"""Downloads from a real HTTP server on loopback that cuts, stalls, corrupts and redirects."""

import gzip
import io
import json
import tarfile
import threading
import urllib.request
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lrc.data.archives import unpack
from lrc.data.download import Digest, SafeRedirect, download
from lrc.data.examples import BadExamples, Question
from lrc.data.published import Published
from lrc.data.readers import read_pairs, read_questions
from lrc.errors import UserError
from lrc.tasks.registry import TASKS, fetch_task, find_task, read_labelled, read_test
from tests.conftest import EXAMPLES, lrc

BODY = bytes(range(256)) * 4000
HEADER = "id\tsentence1\tsentence2\tlabel\n"


@dataclass
class Server:
    """Files by path, and the faults to come, one a request."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    ranges: list[str | None] = field(default_factory=list)
    tag: str | None = '"one"'


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()
    quiet = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            fault = state.faults.pop(0) if state.faults else ""
            state.ranges.append(self.headers.get("Range"))
            if fault.startswith("redirect "):
                self.send_response(302)
                self.send_header("Location", fault.split()[1])
                self.end_headers()
                return
            if fault.isdigit() or self.path not in state.files:
                self.send_error(int(fault or 404))
                return
            body = state.files[self.path]
            start = 0
            if self.headers.get("Range") and self.headers.get("If-Range") == state.tag:
                start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            if state.tag:
                self.send_header("ETag", state.tag)
            self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            if fault in ("cut", "stall"):
                self.wfile.write(body[start : max(start, len(body) * 6 // 10)])
                self.wfile.flush()
                if fault == "stall":
                    quiet.wait(5)
                self.close_connection = True
                return
            if fault == "corrupt":
                body = body[:-1] + bytes([body[-1] ^ 1])
            self.wfile.write(body[start:])

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{httpd.server_port}"
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield state
    quiet.set()
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def digest(data: bytes) -> Digest:
    return Digest(sha256(data).hexdigest(), len(data))


DIGEST = digest(BODY)


def fetch(server: Server, path: Path, known: Digest = DIGEST) -> int:
    """Downloads; returns the bytes that the progress was told of."""
    counts: list[int] = []
    download(f"{server.url}/file", path, known, counts.append, timeout=0.3, pause=0.01)
    return sum(counts)


@pytest.mark.parametrize("fault", ["cut", "stall"])
def test_a_transfer_that_is_cut_goes_on_where_it_stopped(server: Server, tmp_path: Path, fault: str) -> None:
    server.files["/file"] = BODY
    server.faults = [fault]
    assert fetch(server, tmp_path / "file") == len(BODY)
    assert (tmp_path / "file").read_bytes() == BODY
    assert server.ranges == [None, f"bytes={len(BODY) * 6 // 10}-"]
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_later_call_goes_on_too(server: Server, tmp_path: Path) -> None:
    server.files["/file"] = BODY
    server.faults = ["cut", "503", "503", "503", "503"]
    with pytest.raises(UserError, match="the server says 503"):
        fetch(server, tmp_path / "file")
    assert not (tmp_path / "file").exists()
    assert fetch(server, tmp_path / "file") == len(BODY)
    assert server.ranges[-1] == f"bytes={len(BODY) * 6 // 10}-"


def test_a_file_that_changed_meanwhile_starts_over(server: Server, tmp_path: Path) -> None:
    server.files["/file"] = BODY
    server.faults = ["cut", "404"]
    with pytest.raises(UserError, match="404"):
        fetch(server, tmp_path / "file")
    server.files["/file"], server.tag = BODY[::-1], '"two"'
    assert fetch(server, tmp_path / "file", digest(BODY[::-1])) == len(BODY)
    assert (tmp_path / "file").read_bytes() == BODY[::-1]


def test_without_a_validator_nothing_is_pieced_together(server: Server, tmp_path: Path) -> None:
    server.files["/file"], server.tag = BODY, None
    server.faults = ["cut"]
    assert fetch(server, tmp_path / "file") == len(BODY)
    assert server.ranges == [None, None]


def test_corruption_is_refused_and_the_earlier_copy_stands(server: Server, tmp_path: Path) -> None:
    server.files["/file"] = BODY
    (tmp_path / "file").write_bytes(b"an earlier version")
    server.faults = ["corrupt"]
    with pytest.raises(UserError, match="is damaged or has changed"):
        fetch(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"an earlier version"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_redirects_are_followed_but_not_to_files(server: Server, tmp_path: Path) -> None:
    server.files["/file"] = server.files["/other"] = BODY
    server.faults = [f"redirect {server.url}/other"]
    assert fetch(server, tmp_path / "file") == len(BODY)
    server.faults = ["redirect file:///etc/hostname"]
    with pytest.raises(UserError, match="not allowed"):
        fetch(server, tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_a_redirect_never_leaves_https() -> None:
    request = urllib.request.Request("https://127.0.0.1/file")
    with pytest.raises(UserError, match="not safe"):
        SafeRedirect().redirect_request(request, None, 302, "Found", {}, "http://127.0.0.1/file")
    followed = SafeRedirect().redirect_request(request, None, 302, "Found", {}, "https://127.0.0.1/other")
    assert followed is not None and followed.full_url == "https://127.0.0.1/other"


def test_a_file_that_is_there_already_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(BODY)
    assert fetch(server, tmp_path / "file") == len(BODY)
    assert not server.ranges


def test_more_than_the_file_should_hold_is_refused(server: Server, tmp_path: Path) -> None:
    server.files["/file"] = BODY
    with pytest.raises(UserError, match="more than the 1000 it should"):
        fetch(server, tmp_path / "file", Digest("0" * 64, 1000))


def test_no_server_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be reached"):
        download("http://127.0.0.1:9/file", tmp_path / "file", DIGEST, lambda _: None, timeout=0.3, pause=0.01)


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            # Without the time of day, which would name a test after itself.
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def tarred(files: dict[str, bytes], link: str | None = None) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        if link:
            member = tarfile.TarInfo("link")
            member.type, member.linkname = tarfile.SYMTYPE, link
            archive.addfile(member)
    return gzip.compress(buffer.getvalue(), mtime=0)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.zip", zipped({"../escaped": b"x"}), "outside its folder"),
        ("x.zip", zipped({"/escaped": b"x"}), "outside its folder"),
        ("x.zip", zipped({"bomb": bytes(3 << 20)}), "unpacks to more than"),
        ("x.zip", zipped({}), "holds no file"),
        ("x.zip", zipped({"a": b"1" * 1000})[:-40], "damaged"),
        ("x.tar.gz", tarred({"a/../../escaped": b"x"}), "outside its folder"),
        ("x.tar.gz", tarred({"a": b"x"}, "/etc/passwd"), "no regular file"),
        ("x.tar.gz", tarred({"bomb": bytes(3 << 20)}), "unpacks to more than"),
        ("x.tar.gz", tarred({"a": b"1" * 5000})[:60], "damaged"),
        ("x.tar.gz", b"nothing of the kind", "damaged"),
    ],
)
def test_hostile_archives_are_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    folder = tmp_path / "in" / "folder"
    folder.mkdir(parents=True)
    with pytest.raises(UserError, match=message):
        unpack(tmp_path / name, folder, 1 << 20)
    assert not list(tmp_path.rglob("escaped"))


def question(identity: str) -> dict:
    return {"id": identity, "question": "Ni nini?", "answers": [{"text": "mto", "answer_start": 8}]}


def tydi(*ids: str) -> bytes:
    return json.dumps(
        {"version": "1.1", "data": [{"paragraphs": [{"context": "Nile ni mto.", "qas": [question(i)]}]} for i in ids]}
    ).encode()


def amharic() -> bytes:
    answer = {"text": "ጣና", "answer_start": 0}
    asked = {"id": 7, "question": "ትልቁ ሐይቅ ማን ነው?", "answers": [answer]}
    return json.dumps(
        {"data": [{"title": "ጣና", "paragraphs": [{"context": "ጣና ትልቅ ሐይቅ ነው።", "qas": [asked]}]}]}
    ).encode()


def hausa() -> bytes:
    answers = {"text": ["Chad"], "answer_start": [5]}
    row = {"question_lang": "Mene ne tafki?", "context": "Lake Chad is old.", "answer_pivot": answers}
    return "".join(json.dumps({"id": number} | row) + "\n" for number in range(2)).encode()


def published() -> dict[str, Published]:
    return {task.name: task.published for task in TASKS.values() if task.published}


def serve(server: Server, monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes]) -> None:
    """Puts files on the server and their digests into the catalogue."""
    server.files = {f"/{name}": data for name, data in files.items()}
    for name, entry in published().items():
        digests = {file: digest(files[file]) for file in entry.files if file in files}
        monkeypatch.setitem(TASKS, name, replace(TASKS[name], published=replace(entry, files=digests)))


def test_each_published_set_comes_into_its_layout(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hindi = (EXAMPLES / "qa.hi.json").read_bytes()
    files = {
        "MLQA_V1.zip": zipped({"MLQA_V1/dev/dev-context-hi-question-hi.json": hindi}),
        "x-final.tar.gz": tarred({"x-final/zh/dev_2k.tsv": f"{HEADER}1\t你好吗\t你好\t0\n".encode()}),
        "tydiqa-goldp-v1.1-train.json": tydi("swahili-1-0", "arabic-2-0"),
        "tydiqa-goldp-v1.1-dev.json": tydi("swahili-3-0"),
        **dict.fromkeys(published()["xquad"].files, hindi),
        **dict.fromkeys(published()["amqa"].files, amharic()),
        **dict.fromkeys(published()["afriqa"].files, hausa()),
    }
    serve(server, monkeypatch, files)
    for name in published():
        lrc("data", "get", name, "--data-dir", tmp_path, "--mirror", server.url)
    bad = BadExamples(False)
    assert len(read_questions(tmp_path / "mlqa/MLQA_V1/dev/dev-context-hi-question-hi.json", "hi", bad)) == 64
    assert len(read_questions(tmp_path / "xquad/xquad.th.json", "th", bad)) == 64
    assert read_pairs(tmp_path / "pawsx/x-final/zh/dev_2k.tsv", "zh", bad)[0].first == "你好吗"
    assert [q.id for q in read_questions(tmp_path / "tydiqa/tydiqa-goldp.sw.train.json", "sw", bad)] == ["swahili-1-0"]
    assert (tmp_path / "tydiqa/tydiqa-goldp.sw.dev.json").is_file()
    # Each of these comes to where its task reads it.
    for name in ("amqa", "afriqa"):
        task = find_task(name)
        for lang in task.langs:
            for read in (read_labelled, read_test):
                (example,) = read(task, tmp_path, lang, bad)
                assert isinstance(example, Question)
                assert example.answers in ((("ጣና", 0),), (("Chad", 5),)), (name, lang)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(published())


def test_what_is_not_the_published_file_is_refused_and_the_copy_stands(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, other = (tarred({"x-final/zh/dev_2k.tsv": text}) for text in (b"first", b"other"))
    serve(server, monkeypatch, {"x-final.tar.gz": first})
    fetch_task("pawsx", tmp_path, server.url, again=False)
    with pytest.raises(UserError, match="exists already"):
        fetch_task("pawsx", tmp_path, server.url, again=False)
    server.files["/x-final.tar.gz"] = other
    with pytest.raises(UserError, match=r"is damaged or has changed|more than the"):
        fetch_task("pawsx", tmp_path, server.url, again=True)
    assert (tmp_path / "pawsx/x-final/zh/dev_2k.tsv").read_bytes() == b"first"
    serve(server, monkeypatch, {"x-final.tar.gz": other})
    fetch_task("pawsx", tmp_path, server.url, again=True)
    assert (tmp_path / "pawsx/x-final/zh/dev_2k.tsv").read_bytes() == b"other"
    with pytest.raises(UserError, match="unknown data set"):
        fetch_task("squad", tmp_path, server.url, again=False)


def test_a_set_that_was_cut_keeps_the_files_it_has(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hindi = (EXAMPLES / "qa.hi.json").read_bytes()
    serve(server, monkeypatch, dict.fromkeys(published()["xquad"].files, hindi))
    server.faults = ["", "", "404"]
    with pytest.raises(UserError, match="404"):
        fetch_task("xquad", tmp_path, server.url, again=False)
    assert not (tmp_path / "xquad").exists()
    fetch_task("xquad", tmp_path, server.url, again=False)
    assert len(server.ranges) == 3 + len(published()["xquad"].files) - 2
