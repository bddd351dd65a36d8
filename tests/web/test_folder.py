"""The folder for browsers: what is in it, what is refused, and where its engine comes from."""

import gzip
import hashlib
import io
import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest

from lrc.lowering import ort_web
from lrc_exporters.web import ENGINE_FILES, write_web
from lrc_runtime import BundleError
from lrc_runtime.files import write_archive
from lrc_runtime.manifest import read_manifest, write_manifest
from tests.conftest import lrc


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    """Any two files: the folder takes them as they are."""
    folder = tmp_path / "engine"
    folder.mkdir()
    for name in ENGINE_FILES:
        (folder / name).write_bytes(name.encode() * 1000)
    return folder


def test_folder_holds_the_bundle_and_lists_every_file(qa_bundle: Path, engine: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    sizes = write_web(qa_bundle, out, engine)
    present = {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert sizes == {name: len(content) for name, content in present.items()}
    document = json.loads(present["web.json"])
    # The service worker cannot keep itself, and the list is no part of itself.
    assert {*document["files"], "sw.js", "web.json"} == set(present)
    for name, entry in document["files"].items():
        assert entry == {"sha256": hashlib.sha256(present[name]).hexdigest(), "bytes": len(present[name])}
    for name in ("model.onnx", "model.onnx.data", "tokenizer.json"):
        assert present[f"bundle/{name}"] == (qa_bundle / name).read_bytes()
    assert gzip.decompress(present[document["engine"]]) == (engine / ENGINE_FILES[1]).read_bytes()
    assert f'"{document["version"]}"'.encode() in present["sw.js"]
    # Nothing is asked of another machine, and nothing of this one is told.
    assert not [
        name for name, content in present.items() if b"http://" in content.replace(b"http://www.w3.org/2000/svg", b"")
    ]
    assert str(qa_bundle.parent).encode() not in present["web.json"]


def test_same_bundle_gives_the_same_bytes(qa_bundle: Path, engine: Path, tmp_path: Path) -> None:
    write_archive(qa_bundle, tmp_path / "bundle.lrc")
    folders = [tmp_path / "a", tmp_path / "b"]
    for bundle, out in zip((qa_bundle, tmp_path / "bundle.lrc"), folders, strict=True):
        write_web(bundle, out, engine)
    first, second = ({path.relative_to(out): path.read_bytes() for path in out.rglob("*.*")} for out in folders)
    assert first == second


def test_another_bundle_is_another_version(qa_bundle: Path, pair_bundle: Path, engine: Path, tmp_path: Path) -> None:
    versions = set()
    for bundle in (qa_bundle, pair_bundle):
        write_web(bundle, tmp_path / bundle.name, engine)
        versions.add((tmp_path / bundle.name / "sw.js").read_bytes())
    assert len(versions) == 2


def test_damaged_bundle_writes_nothing(qa_copy: Path, engine: Path, tmp_path: Path) -> None:
    (qa_copy / "model.onnx.data").write_bytes(b"0")
    with pytest.raises(BundleError, match="SHA-256"):
        write_web(qa_copy, tmp_path / "out", engine)
    assert not (tmp_path / "out").exists()


def _sign(bundle: Path, **changed: Any) -> None:
    path = bundle / "tokenizer.json"
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **changed}), encoding="utf-8")
    manifest = read_manifest(bundle)
    content = path.read_bytes()
    manifest.files[path.name] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    write_manifest(manifest, bundle, None)


@pytest.mark.parametrize(
    ("part", "value", "named"),
    [
        ("normalizer", {"type": "NFKC"}, "NFKC"),
        ("normalizer", {"type": "Replace", "pattern": {"Regex": "(?i)a++"}, "content": ""}, "Replace"),
        ("pre_tokenizer", {"type": "BertPreTokenizer"}, "BertPreTokenizer"),
        ("model", {"type": "WordPiece", "vocab": {}}, "WordPiece"),
    ],
)
def test_unknown_tokenizer_is_refused(
    part: str, value: dict[str, Any], named: str, qa_copy: Path, engine: Path, tmp_path: Path
) -> None:
    _sign(qa_copy, **{part: value})
    with pytest.raises(BundleError, match=f"tokenizer.json: .*{named}"):
        write_web(qa_copy, tmp_path / "out", engine)
    assert not (tmp_path / "out").exists()


def _fake_npm(folder: Path, script: str) -> None:
    folder.mkdir()
    (folder / "npm").write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    (folder / "npm").chmod(0o755)


def _package(path: Path, engine: Path) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for name in ENGINE_FILES:
            content = (engine / name).read_bytes()
            member = tarfile.TarInfo(f"package/dist/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def test_engine_is_fetched_once_and_checked(
    engine: Path, qa_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _package(tmp_path / "package.tgz", engine)
    log = tmp_path / "log"
    _fake_npm(tmp_path / "bin", f'echo "$1 $2" >> "{log}"; cp "{tmp_path}/package.tgz" "$4/onnxruntime-web.tgz"')
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    monkeypatch.setenv("LRC_CACHE_DIR", str(tmp_path / "cache"))
    with pytest.raises(ort_web.UserError, match=f"is not that of version {ort_web.VERSION}"):
        ort_web.find_engine(None)
    assert not list((tmp_path / "cache").iterdir())
    digests = {name: hashlib.sha256((engine / name).read_bytes()).hexdigest() for name in ENGINE_FILES}
    monkeypatch.setattr(ort_web, "DIGESTS", digests)
    for out in ("one", "two"):
        lrc("web", qa_bundle, "--out", tmp_path / out)
    assert log.read_text().splitlines() == [f"pack onnxruntime-web@{ort_web.VERSION}"] * 2
    with pytest.raises(ort_web.UserError, match="exists already"):
        ort_web.web_folder(qa_bundle, tmp_path / "one", None)


def test_without_npm_one_line_says_what_to_do(engine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LRC_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ort_web.UserError, match=r"npm pack onnxruntime-web@.* `ort_web`"):
        ort_web.find_engine(None)
    _fake_npm(tmp_path / "bin", "echo no network >&2; exit 1")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin:/usr/bin")
    with pytest.raises(ort_web.UserError, match="failed: no network"):
        ort_web.find_engine(None)


def test_given_engine_is_that_of_the_version(engine: Path) -> None:
    with pytest.raises(ort_web.UserError, match=r"`ort_web` .* is not that of version"):
        ort_web.find_engine(engine)
    with pytest.raises(ort_web.UserError, match=r"`ort_web` .* is missing"):
        ort_web.find_engine(engine.parent)


def test_export_writes_the_folder_alone(
    qa_run: Path, qa_bundle: Path, engine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = {name: hashlib.sha256((engine / name).read_bytes()).hexdigest() for name in ENGINE_FILES}
    monkeypatch.setattr(ort_web, "DIGESTS", digests)
    shutil.copytree(engine, tmp_path / "package" / "dist")
    out = tmp_path / "web" / "site"
    lrc("export", qa_run, "--target", "web", "--ort-web", tmp_path / "package", "--out", out)
    assert [path.name for path in out.parent.iterdir()] == ["site"]
    # As by `lrc web` from the bundle of the same run.
    lrc("web", qa_bundle, "--ort-web", engine, "--out", tmp_path / "other")
    assert (out / "web.json").read_bytes() == (tmp_path / "other" / "web.json").read_bytes()
