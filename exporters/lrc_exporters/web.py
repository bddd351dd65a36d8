"""A bundle to a folder of static files that answers in a browser, with the network switched off."""

import functools
import gzip
import hashlib
import io
import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import lrc_runtime
from lrc_runtime.errors import BundleError
from lrc_runtime.files import Folder, open_files, read_file
from lrc_runtime.javascript import javascript
from lrc_runtime.manifest import CARD, MANIFEST, TOKENIZER, WEIGHTS, model_file, other_tasks, read_manifest
from lrc_runtime.verified import Verified

from .naming import take_name

FORMAT = "lrc-web"
FORMAT_VERSION = 1
# Of onnxruntime-web: its JavaScript, with what starts its WebAssembly inside, and that, for CPUs alone.
ENGINE_FILES = ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm")
# The second compressed. Its name does not end in .gz: of such files many servers say that gzip is the encoding of what
# they send, so that browsers unpack them.
_ENGINE = f"ort/{ENGINE_FILES[1]}.bin"

_WORKER = "sw.js"
_PAGE = "index.html"
_VERSION_MARK = b"@VERSION@"

# What the service says in headers, and what makes the page an application.
_HEAD = """    <meta charset="utf-8">
    <meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; \
style-src 'self'; img-src 'self'; connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; \
form-action 'none'">
    <meta name="referrer" content="no-referrer">
    <meta name="theme-color" content="#f6f4ef" media="(prefers-color-scheme: light)">
    <meta name="theme-color" content="#121518" media="(prefers-color-scheme: dark)">
    <link rel="manifest" href="manifest.webmanifest">
    <link rel="apple-touch-icon" href="icon-192.png">
"""

# Regular expressions that mean the same in JavaScript: literals, classes, repetition, and looking around.
_SAME_IN_JAVASCRIPT = re.compile(
    r"(?:\(\?<?[=!]|\)|\[\^?(?:\\x\{[0-9A-F]+\}|\\p\{M\}|[^\\\[\]&])+\]|\\x\{[0-9A-F]+\}|\{\d+,?\d*\}"
    r"|[\w <>=:;,'\"`-])*"
)


def write_web(bundle: Path, out: Path, engine: Path) -> dict[str, int]:
    """Writes the folder; the same bundle and the same engine give the same bytes.

    Args:
        bundle: The folder or archive that `lrc export` wrote.
        out: The folder to write, which must not exist.
        engine: A folder that holds `ENGINE_FILES`.

    Returns:
        The size in bytes of each file.

    Raises:
        BundleError: If the bundle is damaged, or has a tokenizer that the JavaScript does not know.
    """
    files = open_files(bundle)
    names = [None, *other_tasks(files)]
    manifests = [read_manifest(files, name) for name in names]
    verified = [Verified(files, manifest) for manifest in manifests]
    content = {
        file: held.open([file], functools.partial(read_file, name=file))
        for name, held in zip(names, verified, strict=True)
        for file in (WEIGHTS, TOKENIZER, CARD, model_file(name))
    }
    tokenizer = content[TOKENIZER]
    check_tokenizer(json.loads(tokenizer), files.where(TOKENIZER))
    own = _own_files()
    worker = own.pop(_WORKER)
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        partial.chmod(0o755)
        for name, source in own.items():
            _write(partial / name, source)
        for file, data in content.items():
            _write(partial / "bundle" / file, data)
        script, assembly = ((engine / file).read_bytes() for file in ENGINE_FILES)
        _write(partial / "ort" / ENGINE_FILES[0], script)
        _write(partial / _ENGINE, _compressed(assembly))
        listed = _describe(partial)
        version = hashlib.sha256(json.dumps(listed, sort_keys=True).encode()).hexdigest()
        document = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "version": version,
            "bundle": files.sha256(MANIFEST),
            "engine": _ENGINE,
            "tokenizer": f"bundle/{TOKENIZER}",
            "weights": f"bundle/{WEIGHTS}",
            "card": f"bundle/{CARD}",
            "tasks": [
                # What the training settings say of the machine that they come from stays behind.
                {
                    "name": name or manifest.training.get("task") or manifest.task,
                    "task": manifest.task,
                    "model": f"bundle/{model_file(name)}",
                    "languages": manifest.languages,
                    "precision": manifest.precision,
                    "labels": manifest.labels,
                    "texts": manifest.texts,
                    "windowing": asdict(manifest.windowing),
                    "decoding": asdict(manifest.decoding),
                    "calibration": asdict(manifest.calibration),
                    "licences": manifest.licences,
                }
                for name, manifest in zip(names, manifests, strict=True)
            ],
            "files": listed,
        }
        _write(partial / "web.json", json.dumps(document, ensure_ascii=False, indent=2).encode() + b"\n")
        # Browsers notice a new folder by the changed bytes of its service worker.
        _write(partial / _WORKER, worker.replace(_VERSION_MARK, version.encode()))
        sizes = {name: entry["bytes"] for name, entry in _describe(partial).items()}
        take_name(partial, out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return sizes


def check_tokenizer(document: dict[str, Any], where: str) -> None:
    """Refuses a tokenizer that the JavaScript does not read exactly as `tokenizers` does.

    Raises:
        BundleError: If there is a part that it does not know.
    """
    model = document["model"]
    found = [model["type"]] if model["type"] != "Unigram" or model.get("byte_fallback") else []
    for step in _steps(document["normalizer"], "normalizers"):
        if step["type"] == "Replace":
            pattern = step["pattern"].get("Regex")
            if pattern is not None and not _SAME_IN_JAVASCRIPT.fullmatch(pattern):
                found.append(f"Replace of {pattern}")
        elif step["type"] != "Precompiled":
            found.append(step["type"])
    for step in _steps(document["pre_tokenizer"], "pretokenizers"):
        plain = step["type"] == "Metaspace" and step["split"] and step["prepend_scheme"] != "first"
        if not plain and step["type"] != "WhitespaceSplit":
            found.append(step["type"])
    processor = document["post_processor"] or {"type": "no post-processor"}
    if processor["type"] != "TemplateProcessing":
        found.append(processor["type"])
    found += [f"the added token {token['content']}" for token in document["added_tokens"] if not token["special"]]
    if found:
        raise BundleError(
            f"{where}: the browser's code knows no tokenizer with {', '.join(found)}; serve this bundle with"
            " lrc_runtime"
        )


def _steps(step: dict[str, Any] | None, key: str) -> Iterator[dict[str, Any]]:
    if step is None:
        return
    if step["type"] == "Sequence":
        for inner in step[key]:
            yield from _steps(inner, key)
    else:
        yield step


def _own_files() -> dict[str, bytes]:
    """Returns what the runtime brings along, by where it stands in the folder: the page is that of the service."""
    sources = javascript()
    page = _under(Path(lrc_runtime.__file__).parent / "serve" / "page") | _under(sources / "page")
    code = {f"lrc/{name}": source for name, source in _under(sources).items() if not name.startswith("page/")}
    files = {name: source.read_bytes() for name, source in sorted((code | page).items())}
    files[_PAGE] = _alone(files[_PAGE].decode()).encode()
    return files


def _under(folder: Path) -> dict[str, Path]:
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}


def _alone(page: str) -> str:
    """Makes of the service's page one that stands alone."""
    for old, new in (
        ('    <meta charset="utf-8">\n', _HEAD),
        (" The service itself does not: see openapi.json.", ""),
    ):
        if page.count(old) != 1:
            raise ValueError(f"{_PAGE} has not exactly one {old!r}")
        page = page.replace(old, new)
    return page


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _compressed(content: bytes) -> bytes:
    """Compresses by gzip, with no time in it."""
    buffer = io.BytesIO()
    with gzip.GzipFile("", "wb", 9, buffer, mtime=0) as file:
        file.write(content)
    return buffer.getvalue()


def _describe(folder: Path) -> dict[str, dict[str, Any]]:
    """Returns size and SHA-256 of every file, by its path."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): {
            "sha256": Folder(path.parent).sha256(path.name),
            "bytes": path.stat().st_size,
        }
        for path in paths
    }
