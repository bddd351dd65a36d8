"""Vectors of words and of word sequences in their sentence, in the backbone's own space."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from lrc_runtime.encoding import TextEncoder
from lrc_runtime.manifest import Windowing

from ..backbones.load import Backbone
from .text import Span

Floats = npt.NDArray[np.float32]

# Two thirds up the layers words of the same kind and of the same meaning lie closest (Sabet et al. 2020, SimAlign,
# take layer 8 of 12).
_DEPTH = 2 / 3
_BATCH = 32
# Sentences after which the centre, a running mean, no longer moves.
_SETTLED = 2000


class WordVectors:
    """Contextual vectors of spans, less the mean vector of all words seen so far.

    Without that, the vectors of an encoder trained for retrieval all point the same way.

    Args:
        backbone: A frozen backbone.
        device: Where to run it.
    """

    def __init__(self, backbone: Backbone, device: str) -> None:
        self._device = torch.device(device)
        self._encoder = backbone.encoder.to(self._device)
        self._text = TextEncoder(backbone.tokenizer, Windowing())
        self._layer = round(_DEPTH * backbone.config.num_hidden_layers)
        self._sum = np.zeros(backbone.width, np.float64)
        self._count = 0
        self._sentences = 0

    @torch.inference_mode()
    def __call__(self, texts: Sequence[str], spans: Sequence[Sequence[Span]]) -> list[Floats]:
        """Returns unit vectors.

        Args:
            texts: Sentences; what exceeds the model's window is not seen.
            spans: Spans of each text.

        Returns:
            For each text an array (spans, width); zeros for a span that the model has not seen.
        """
        hidden: list[Floats] = [np.empty(0, np.float32)] * len(texts)
        rows = [self._text.single(tokens) for tokens in self._text.tokenize(texts)]
        order = sorted(range(len(texts)), key=lambda index: rows[index].length)
        for start in range(0, len(order), _BATCH):
            part = order[start : start + _BATCH]
            batch = self._text.collate([rows[index] for index in part])
            inputs = {name: torch.from_numpy(batch[name]).to(self._device) for name in ("input_ids", "attention_mask")}
            states = self._encoder(**inputs, output_hidden_states=True).hidden_states[self._layer].float().cpu().numpy()
            for row, index in zip(states, part, strict=True):
                begin = rows[index].context_start
                tokens = row[begin : begin + len(rows[index].offsets)]
                hidden[index] = _means(tokens, rows[index].offsets, spans[index])
        self._observe(hidden)
        return [_unit(vectors - self._centre(), vectors) for vectors in hidden]

    def _observe(self, hidden: Sequence[Floats]) -> None:
        if self._sentences < _SETTLED:
            for vectors in hidden:
                seen = vectors[np.any(vectors, axis=1)]
                self._sum += seen.sum(axis=0)
                self._count += len(seen)
            self._sentences += len(hidden)

    def _centre(self) -> Floats:
        centre: Floats = (self._sum / max(1, self._count)).astype(np.float32)
        return centre


def _means(tokens: Floats, offsets: npt.NDArray[np.int64], spans: Sequence[Span]) -> Floats:
    """Returns the mean state of the tokens that overlap each span."""
    means = np.zeros((len(spans), tokens.shape[1]), np.float32)
    for index, span in enumerate(spans):
        inside = (offsets[:, 1] > span.start) & (offsets[:, 0] < span.end)
        if inside.any():
            means[index] = tokens[inside].mean(axis=0)
    return means


def _unit(centred: Floats, raw: Floats) -> Floats:
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    units: Floats = np.where(np.any(raw, axis=1, keepdims=True), centred / np.maximum(lengths, 1e-6), 0.0)
    return units.astype(np.float32)
