"""The knowledge-alignment loss in training: where its texts come from, and the weights of its terms."""

import copy
from collections.abc import Sequence

import torch
from torch import nn

from lrc_runtime.encoding import TextEncoder

from ..model import INPUTS, TaskModel, encode_layers
from .terms import Term, Views

# Texts a step: pairs of lines, or passages.
_TEXTS = 16

Batch = dict[str, torch.Tensor]


class Aligner:
    """Computes the terms of a step and their weights.

    The terms look at translations among the labels of the step. Where parallel text is given, those over hidden states
    look at lines of it instead, drawn anew in each step, and so does retention; it looks at unlabelled passages where
    those are given, and at the step's own inputs where there is neither.

    Args:
        terms: The terms.
        model: The model.
        frozen: The frozen encoder, for retention; see `frozen_twin`.
        encoder: Makes batches of text.
        parallel: Line-aligned sentences.
        unlabelled: Passages.
        seed: Of the draws.
        ramp: Steps over which the weights rise from nothing.
        learned: Whether the weights are learned. They then are 1 / (2 s^2) with a trained s a term, held back by
            ln(1 + s^2) (Liebel and Körner 2018), and begin as given.
    """

    def __init__(
        self,
        terms: Sequence[Term],
        model: TaskModel,
        frozen: nn.Module | None,
        encoder: TextEncoder,
        parallel: Sequence[tuple[str, str]],
        unlabelled: Sequence[str],
        seed: int,
        ramp: int,
        learned: bool,
    ) -> None:
        self._terms = terms
        self._model = model
        self._frozen = frozen
        self._encoder = encoder
        self._parallel = parallel
        self._unlabelled = unlabelled
        self._seed = seed
        self._ramp = ramp
        device = next(model.parameters()).device
        # log s^2 for the weight 1 / (2 s^2).
        self.spreads = nn.ParameterDict(
            {term.name: nn.Parameter(-torch.tensor(2 * term.weight).log().to(device)) for term in terms if learned}
        )

    def __call__(
        self, hidden: Sequence[torch.Tensor], logits: Batch, batch: Batch, step: int
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Returns the weighted sum of the terms, and each term without its weight, all scalars on the device.

        Args:
            hidden: Hidden states of the labels of this step, one tensor (batch, length, width) a layer.
            logits: The head's logits of them.
            batch: The batch; `translations` stays on the CPU, where looking at it waits for nothing.
            step: Number of the step, from 0.
        """
        total = hidden[-1].new_zeros((), dtype=torch.float32)
        values: dict[str, torch.Tensor] = {}
        drawn: dict[str, tuple[Sequence[torch.Tensor], Batch, torch.Tensor]] = {}

        def texts(kind: str) -> tuple[Sequence[torch.Tensor], Batch, torch.Tensor]:
            if kind not in drawn:
                drawn[kind] = self._draw(kind, step)
            return drawn[kind]

        for term in self._terms:
            states, inputs, translations = hidden, batch, batch["translations"]
            outputs: Batch = logits if term.kind.outputs else {}
            if not term.kind.translations and self._unlabelled:
                states, inputs, translations = texts("unlabelled")
            elif not term.kind.outputs and self._parallel:
                states, inputs, translations = texts("parallel")
            if term.kind.translations and not bool(translations.any()):
                continue
            value = self._over_layers(term, states, inputs, translations, outputs)
            values[term.name] = value.detach()
            total = total + self._weighted(term, value, step)
        return total, values

    def _over_layers(
        self, term: Term, hidden: Sequence[torch.Tensor], batch: Batch, translations: torch.Tensor, outputs: Batch
    ) -> torch.Tensor:
        mask = batch["attention_mask"].bool()
        before: Sequence[torch.Tensor] = ()
        if term.kind.frozen:
            assert self._frozen is not None
            with torch.no_grad():
                before = encode_layers(self._frozen, self._model.inputs(*(batch[name] for name in INPUTS)))
        # Autocast would take the products in bfloat16, too coarse for distances near zero.
        with torch.autocast(mask.device.type, enabled=False):
            values = []
            for layer in term.layers:
                states, kept = hidden[layer].float(), before[layer].float() if before else None
                views = Views(states, mask, translations.to(mask.device), outputs, batch.get("span_mask"), kept)
                values.append(term.kind.value(views))
            return torch.stack(values).mean()

    def _weighted(self, term: Term, value: torch.Tensor, step: int) -> torch.Tensor:
        ramp = min(1.0, (step + 1) / self._ramp) if self._ramp else 1.0
        if term.name not in self.spreads:
            return ramp * term.weight * value
        spread = self.spreads[term.name]
        weighted: torch.Tensor = ramp * (value / (2 * spread.exp()) + torch.log1p(spread.exp()))
        return weighted

    def weights(self) -> dict[str, float]:
        """Returns the weight of each term at the end of the ramp."""
        return {
            term.name: float(1 / (2 * self.spreads[term.name].detach().exp()))
            if term.name in self.spreads
            else term.weight
            for term in self._terms
        }

    def _draw(self, kind: str, step: int) -> tuple[Sequence[torch.Tensor], Batch, torch.Tensor]:
        generator = torch.Generator().manual_seed(self._seed * 1_000_003 + step)
        source: Sequence[object] = self._parallel if kind == "parallel" else self._unlabelled
        picked = torch.randint(len(source), (_TEXTS,), generator=generator).tolist()
        if kind == "parallel":
            lines = [self._parallel[index][side] for side in (0, 1) for index in picked]
            translations = torch.eye(_TEXTS, dtype=torch.bool).repeat(2, 2).fill_diagonal_(False)
        else:
            lines = [self._unlabelled[index] for index in picked]
            translations = torch.zeros(_TEXTS, _TEXTS, dtype=torch.bool)
        rows = [self._encoder.single(tokens) for tokens in self._encoder.tokenize(lines)]
        device = next(self._model.parameters()).device
        batch = {name: torch.from_numpy(array).to(device) for name, array in self._encoder.collate(rows).items()}
        hidden = self._model.encode_layers(*(batch[name] for name in INPUTS))
        return hidden, batch, translations


def frozen_twin(encoder: nn.Module, shared: bool) -> nn.Module:
    """Returns an encoder that stays as it is while prompts and adapters are put into the first.

    Args:
        encoder: The encoder, before anything is added.
        shared: Whether the two may share their weights, which then must not be trained.
    """
    memo = {id(value): value for value in (*encoder.parameters(), *encoder.buffers())} if shared else {}
    return copy.deepcopy(encoder, memo)
