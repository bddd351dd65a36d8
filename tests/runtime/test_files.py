"""A bundle in one file: read without unpacking, and refused where it is not what `lrc export` wrote."""

import json
import zipfile
from pathlib import Path

import pytest

import lrc_runtime
from lrc_runtime import BundleError, InputError
from lrc_runtime.files import Archive, open_files, write_archive
from lrc_runtime.manifest import MANIFEST, read_manifest, verify
from tests.runtime.test_manifest import FILES, refusal


@pytest.fixture
def archive(qa_bundle: Path, tmp_path: Path) -> Path:
    path = tmp_path / "qa.lrc"
    write_archive(qa_bundle, path)
    return path


def rewrite(path: Path, change: dict[str, bytes | None], method: int = zipfile.ZIP_STORED) -> Path:
    """Writes an archive anew with some entries changed, added or (None) taken out."""
    with zipfile.ZipFile(path) as old:
        content = {**{name: old.read(name) for name in old.namelist()}, **change}
    with zipfile.ZipFile(path, "w", method) as new:
        for name, data in content.items():
            if data is not None:
                new.writestr(name, data)
    return path


def test_entries_are_those_of_the_folder(archive: Path, qa_bundle: Path) -> None:
    files = Archive(archive)
    assert files.names() == sorted(FILES)
    assert all(files.size(name) == (qa_bundle / name).stat().st_size for name in FILES)
    lrc_runtime.load(archive)


@pytest.mark.parametrize("name", FILES)
def test_changed_or_missing_entry_is_refused(archive: Path, name: str) -> None:
    with zipfile.ZipFile(archive) as whole:
        data = bytearray(whole.read(name))
    data[len(data) // 2] ^= 1
    assert name in refusal(rewrite(archive, {name: bytes(data)}))
    assert name in refusal(rewrite(archive, {name: None}))


# The last is in the place where the directory of the archive says to begin.
@pytest.mark.parametrize("place", [0.1, 0.5, 0.9, -6])
def test_changed_byte_is_refused(archive: Path, place: float) -> None:
    data = bytearray(archive.read_bytes())
    data[int(place * len(data) if place > 0 else place)] ^= 0xFF
    archive.write_bytes(data)
    refusal(archive)


def test_changed_byte_of_the_directory_is_refused_or_changes_nothing(archive: Path) -> None:
    """Dates and rights of entries mean nothing to a bundle; whatever else is changed must show."""
    data = archive.read_bytes()
    start = data.rindex(b"PK\x05\x06")
    begin = int.from_bytes(data[start + 16 : start + 20], "little")
    manifest, refused = read_manifest(archive), 0
    for place in range(begin, len(data)):
        archive.write_bytes(data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :])
        try:
            files = open_files(archive)
            found = read_manifest(files)
            verify(files, found)
        except BundleError:
            refused += 1
        else:
            assert found == manifest and files.names() == sorted(FILES)
    assert refused > (len(data) - begin) / 2


def test_packed_entries_cannot_fill_the_memory(archive: Path) -> None:
    message = refusal(rewrite(archive, {MANIFEST: b" " * (1 << 20)}, zipfile.ZIP_DEFLATED))
    assert "not an archive that `lrc export` wrote" in message


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    for content in (b"", b"PK", b"PK\x05\x06" + b"\0" * 18, b"x" * 1000):
        (tmp_path / "x.lrc").write_bytes(content)
        refusal(tmp_path / "x.lrc")
    assert "no such bundle" in refusal(tmp_path / "absent.lrc")


def test_names_that_lead_elsewhere_open_nothing(archive: Path, tmp_path: Path) -> None:
    """Entries are looked up by the names of the format alone, so a path among them is never followed."""
    hostile = {"../evil.lrc.json": b"{}", "/etc/x.lrc.json": json.dumps({"format": "lrc-bundle"}).encode()}
    lrc_runtime.load(rewrite(archive, hostile))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["qa.lrc"]
    with pytest.raises(BundleError, match=r"has no task '\.\./evil'"):
        lrc_runtime.load(archive, task="../evil")


def test_provider_that_is_not_there_is_named(qa_bundle: Path) -> None:
    with pytest.raises(InputError, match="provider 'tpu': unknown; choose from cpu, cuda, openvino"):
        lrc_runtime.load(qa_bundle, provider="tpu")
    with pytest.raises(InputError, match=r"provider openvino: .* install onnxruntime-openvino in its place"):
        lrc_runtime.load(qa_bundle, provider="openvino")
