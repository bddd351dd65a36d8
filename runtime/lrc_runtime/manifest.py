"""A bundle's manifest `lrc.json`, read and verified before anything else is opened."""

import hashlib
import json
import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from .calibration import Calibration
from .errors import BundleError
from .files import Archive, Files, Folder, Identity, open_files, read_file

FORMAT = "lrc-bundle"
FORMAT_VERSION = 2
MANIFEST = "lrc.json"
MODEL = "model.onnx"
WEIGHTS = "model.onnx.data"
TOKENIZER = "tokenizer.json"
CONFIG = "config.json"
CARD = "README.md"
# The embedding table as a graph, where a task reads long texts.
LOOKUP = "lookup.onnx"
_SHARED = (WEIGHTS, TOKENIZER, CONFIG, CARD)

QUESTION_ANSWERING = "question-answering"
PARAPHRASE = "paraphrase"

_NAMED = re.compile(r"([a-z0-9][a-z0-9_-]{0,63})\.lrc\.json")
# A manifest is a few kilobytes; anything near this size is not one.
_MAX_MANIFEST_BYTES = 16 * 1024 * 1024
_UNSIGNED = b"0" * 64
# Texts of an input where a manifest does not say how many.
_TEXTS = 2


@dataclass(frozen=True)
class Windowing:
    """How text becomes model input. All lengths count tokens.

    Attributes:
        max_length: Longest model input, special tokens included.
        stride: Context tokens that two neighbouring windows share.
        max_question_length: Question tokens kept; the rest of an over-long question is cut off.
    """

    max_length: int = 256
    stride: int = 64
    max_question_length: int = 64


@dataclass(frozen=True)
class Decoding:
    """How logits become answers.

    Attributes:
        max_answer_length: Longest answer, in tokens.
    """

    max_answer_length: int = 30


@dataclass(frozen=True)
class Manifest:
    """What `lrc.json` says of a bundle.

    Attributes:
        task: What the kind of its task is called: `question-answering` or `paraphrase`, say.
        languages: Codes of the languages that the bundle was trained on.
        precision: `fp32`, `fp16`, `int8` or `int4`.
        labels: Names of the classes in the order of the logits; empty for question answering.
        windowing: How text becomes model input.
        decoding: How logits become answers.
        calibration: How probabilities become confidence.
        training: Resolved settings of the training run.
        metrics: Scores before and after quantisation, and the differences that the proof measured.
        licences: Licence of the backbone and of everything else inside.
        files: For every other file of the bundle its SHA-256 and its size in bytes.
        sha256: The digest that the manifest carries of itself; empty before it is written.
        texts: How many texts an input has: 1 or 2. Two are not written down.
    """

    task: str
    languages: list[str]
    precision: str
    labels: list[str] = field(default_factory=list)
    windowing: Windowing = field(default_factory=Windowing)
    decoding: Decoding = field(default_factory=Decoding)
    calibration: Calibration = field(default_factory=Calibration)
    training: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    licences: dict[str, str] = field(default_factory=dict)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    sha256: str = ""
    texts: int = _TEXTS


# Of each kind of task what checks its manifest, and raises `ValueError` where something does not fit.
# `lrc_runtime.kinds` fills it in.
TASKS: dict[str, Callable[[Manifest], None]] = {}


def manifest_file(name: str | None) -> str:
    """Returns the file of the manifest of a bundle's first task (None), or of another by its name."""
    return f"{name}.lrc.json" if name else MANIFEST


def model_file(name: str | None) -> str:
    """Returns the file of the graph of a bundle's first task (None), or of another by its name."""
    return f"{name}.onnx" if name else MODEL


def other_tasks(files: Files) -> list[str]:
    """Returns the names of the tasks of a bundle beside its first."""
    return [found.group(1) for name in files.names() if (found := _NAMED.fullmatch(name))]


def describe_files(folder: Path, name: str | None) -> dict[str, dict[str, Any]]:
    """Returns size and SHA-256 of the files of a task of a bundle, as `Manifest.files` holds them."""
    paths = [folder / file for file in (model_file(name), *_SHARED)]
    if (folder / LOOKUP).exists():
        paths.append(folder / LOOKUP)
    return {path.name: {"sha256": Folder(folder).sha256(path.name), "bytes": path.stat().st_size} for path in paths}


def write_manifest(manifest: Manifest, folder: Path, name: str | None) -> None:
    """Writes the manifest of a task of a bundle, which carries a digest of its own bytes.

    The digest is the SHA-256 of the file with the digest's own 64 digits replaced by zeros, so a
    changed byte anywhere in the file shows.
    """
    document = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "sha256": "",
        **asdict(replace(manifest, sha256=_UNSIGNED.decode())),
    }
    # A bundle of what there was before the field has the bytes that it had.
    if manifest.texts == _TEXTS:
        del document["texts"]
    text = json.dumps(document, ensure_ascii=False, indent=2).encode() + b"\n"
    digest = hashlib.sha256(text).hexdigest().encode()
    (folder / manifest_file(name)).write_bytes(text.replace(_UNSIGNED, digest, 1))


def read_manifest(path: str | os.PathLike[str] | Files, name: str | None = None) -> Manifest:
    """Reads and verifies the manifest of a task of a bundle, without the other files.

    Args:
        path: The bundle.
        name: The task, where it is not the first.

    Returns:
        The manifest.

    Raises:
        BundleError: If it is missing or changed, or the format is not one this runtime reads.
    """
    files = path if isinstance(path, Folder | Archive) else open_files(path)
    manifest = _parse(files, manifest_file(name))
    expected = sorted((model_file(name), *_SHARED))
    if sorted(manifest.files.keys() - {LOOKUP}) != expected:
        raise BundleError(
            f"{files.where(manifest_file(name))}: lists the files {sorted(manifest.files)}, expected {expected};"
            " export the bundle again"
        )
    return manifest


def verify(files: Files, manifest: Manifest) -> dict[str, Identity]:
    """Checks size and SHA-256 of every file that a manifest lists.

    Returns:
        By what each of them is known again.

    Raises:
        BundleError: If a file is missing or changed, or cannot be read.
    """
    present, found = set(files.names()), {}
    for name, expected in manifest.files.items():
        # Looked at first: whoever changes the file from now on changes this too.
        identity = files.identity(name)
        if name not in present or identity is None:
            raise BundleError(f"{files.where(name)}: missing; copy the whole bundle again")
        if not matches(files, name, expected):
            raise BundleError(
                f"{files.where(name)}: does not match its SHA-256 in the manifest; copy the bundle again from where it"
                " was exported"
            )
        found[name] = identity
    return found


def matches(files: Files, name: str, expected: Mapping[str, Any]) -> bool:
    """Tells whether a file has the size and the SHA-256 that a manifest lists.

    Raises:
        BundleError: If it cannot be read.
    """
    try:
        return files.size(name) == expected.get("bytes") and files.sha256(name) == expected.get("sha256")
    except (BadZipFile, EOFError, NotImplementedError, RuntimeError):
        return False
    except OSError as error:
        raise BundleError(f"{files.where(name)}: cannot be read: {error}; copy the bundle again") from error


def _parse(files: Files, name: str) -> Manifest:
    path = files.where(name)
    if name not in files.names():
        raise BundleError(f"{path}: missing; this is not a bundle that `lrc export` wrote")
    if files.size(name) > _MAX_MANIFEST_BYTES:
        raise BundleError(f"{path}: larger than any manifest; copy the bundle again")
    raw = read_file(files, name)
    try:
        document = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{path}: not valid JSON; copy the bundle again") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise BundleError(f"{path}: not the manifest of an lrc bundle")
    version = document.get("format_version")
    # The version is looked at before the digest: a newer format may sign itself in another way.
    if isinstance(version, int) and not isinstance(version, bool) and version > FORMAT_VERSION:
        raise BundleError(
            f"{path}: format version {version} is newer than {FORMAT_VERSION}, the newest that this lrc-runtime reads;"
            " upgrade lrc-runtime"
        )
    if version != FORMAT_VERSION or isinstance(version, bool):
        raise BundleError(f"{path}: unknown format version {version!r}; export the bundle again")
    digest = document.get("sha256")
    if not isinstance(digest, str) or not re.fullmatch("[0-9a-f]{64}", digest):
        raise BundleError(f"{path}: its own SHA-256 is missing; copy the bundle again")
    if hashlib.sha256(raw.replace(digest.encode(), _UNSIGNED, 1)).hexdigest() != digest:
        raise BundleError(f"{path}: does not match its own SHA-256; copy the bundle again from where it was exported")
    try:
        return _build(document)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BundleError(f"{path}: {error}; export the bundle again") from error


def _build(document: dict[str, Any]) -> Manifest:
    windowing = Windowing(**{key: _positive(value, key) for key, value in document["windowing"].items()})
    decoding = Decoding(**{key: _positive(value, key) for key, value in document["decoding"].items()})
    if windowing.max_length > 1 << 20:
        raise ValueError(f"max_length of {windowing.max_length} tokens is not plausible")
    task = document["task"]
    if not isinstance(task, str) or task not in TASKS:
        raise ValueError(f"unknown task {task!r}, expected one of {', '.join(TASKS)}")
    labels = document["labels"]
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise ValueError("labels must be a list of strings")
    files = document["files"]
    if not isinstance(files, dict) or not all(isinstance(entry, dict) for entry in files.values()):
        raise ValueError("files must map names to digests")
    texts = _positive(document.get("texts", _TEXTS), "texts")
    if texts > 2:
        raise ValueError(f"texts must be 1 or 2, found {texts}")
    manifest = Manifest(
        task=task,
        languages=list(document["languages"]),
        precision=str(document["precision"]),
        labels=labels,
        windowing=windowing,
        decoding=decoding,
        # Bundles of before there was one have none.
        calibration=_calibration(document.get("calibration", {})),
        training=dict(document["training"]),
        metrics=dict(document["metrics"]),
        licences=dict(document["licences"]),
        files=files,
        sha256=document["sha256"],
        texts=texts,
    )
    TASKS[task](manifest)
    return manifest


def _calibration(values: dict[str, Any]) -> Calibration:
    languages = {str(lang): _number(value, lang) for lang, value in values.get("languages", {}).items()}
    rest = {name: _number(value, name) for name, value in values.items() if name != "languages"}
    return Calibration(languages=languages, **rest)


def _number(value: object, name: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise ValueError(f"{name} must be a number, found {value!r}")
    return float(value)


def _positive(value: object, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name} must be a positive whole number, found {value!r}")
    return value
