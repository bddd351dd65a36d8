"""A damaged, incomplete or newer bundle is refused before anything in it is used."""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import lrc_runtime
from lrc_runtime import BundleError
from lrc_runtime.manifest import MANIFEST, read_manifest, write_manifest

FILES = ["model.onnx", "model.onnx.data", "tokenizer.json", "config.json", "README.md", "lookup.onnx", MANIFEST]


def resign(folder: Path, change: dict) -> None:
    """Rewrites the manifest with a valid digest of its own, as a hostile author would."""
    path = folder / MANIFEST
    document = {**json.loads(path.read_text()), **change, "sha256": "0" * 64}
    raw = json.dumps(document, ensure_ascii=False, indent=2).encode()
    path.write_bytes(raw.replace(b"0" * 64, hashlib.sha256(raw).hexdigest().encode(), 1))


def refusal(folder: Path) -> str:
    with pytest.raises(BundleError) as caught:
        lrc_runtime.load(folder)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_bundle_holds_exactly_the_documented_files(qa_bundle: Path) -> None:
    assert sorted(path.name for path in qa_bundle.iterdir()) == sorted(FILES)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("place", [0.0, 0.5, 0.999])
def test_changed_byte_is_refused(qa_copy: Path, name: str, place: float) -> None:
    path = qa_copy / name
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] ^= 1
    path.write_bytes(data)
    assert name in refusal(qa_copy)


@pytest.mark.parametrize("name", FILES)
def test_missing_file_is_refused(qa_copy: Path, name: str) -> None:
    (qa_copy / name).unlink()
    assert name in refusal(qa_copy)


@pytest.mark.parametrize("name", FILES)
def test_truncated_file_is_refused(qa_copy: Path, name: str) -> None:
    path = qa_copy / name
    path.write_bytes(path.read_bytes()[:-100])
    assert name in refusal(qa_copy)


def test_newer_format_is_refused(qa_copy: Path) -> None:
    resign(qa_copy, {"format_version": 3})
    assert "version 3" in refusal(qa_copy)
    assert "upgrade" in refusal(qa_copy)


@pytest.mark.parametrize(
    "change",
    [
        {"format": "something else"},
        {"format_version": None},
        {"task": "translation"},
        {"windowing": {"max_length": -5}},
        {"windowing": {"max_length": 100, "stride": 99, "max_question_length": 64}},
        {"windowing": {"max_length": 10**12}},
        {"windowing": {"unknown": 3}},
        {"windowing": []},
        {"decoding": {"max_answer_length": True}},
        {"files": {}},
        {"files": {"../model.onnx": {"sha256": "", "bytes": 1}}},
        {"task": "paraphrase", "labels": ["only one"]},
        {"task": "paraphrase", "labels": ["a", "b"]},
        {"languages": None},
        {"texts": 0},
        {"texts": 3},
        {"texts": True},
        {"task": ["paraphrase"]},
    ],
)
def test_signed_nonsense_is_refused(qa_copy: Path, change: dict) -> None:
    resign(qa_copy, change)
    refusal(qa_copy)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000])
def test_manifest_that_is_not_one_is_refused(qa_copy: Path, text: bytes) -> None:
    (qa_copy / MANIFEST).write_bytes(text)
    assert MANIFEST in refusal(qa_copy)


def test_folder_that_is_no_bundle_is_refused(tmp_path: Path) -> None:
    assert "missing" in refusal(tmp_path)
    assert "no such bundle" in refusal(tmp_path / "absent")


def test_wrong_kind_is_refused(qa_bundle: Path, pair_bundle: Path) -> None:
    with pytest.raises(BundleError, match="use `ask`"):
        lrc_runtime.load_paraphrase_detector(qa_bundle)
    with pytest.raises(BundleError, match="use `compare`"):
        lrc_runtime.load_question_answerer(pair_bundle)


def test_how_many_texts_an_input_has_is_read_and_left_out_where_it_is_two(pair_bundle: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(pair_bundle, tmp_path / "bundle"))
    before = (folder / MANIFEST).read_bytes()
    manifest = read_manifest(folder)
    assert manifest.texts == 2 and "texts" not in json.loads(before)
    write_manifest(manifest, folder, None)
    assert (folder / MANIFEST).read_bytes() == before
    write_manifest(replace(manifest, texts=1), folder, None)
    assert read_manifest(folder).texts == 1
