"""The knowledge-alignment loss: named terms over texts and their translations, at pooled, token and output level."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch.nn import functional

from ..errors import UserError
from ..pooling import mean_pool

# Temperature of the contrastive term, that of SimCSE (Gao et al. 2021).
_TEMPERATURE = 0.05
# Entropy weight and rounds of Sinkhorn's algorithm; costs lie between 0 and 2.
_ENTROPY = 0.1
_ROUNDS = 20
_NOTHING = -1e9


@dataclass(frozen=True)
class Views:
    """What the terms look at: a batch of texts, some of which are translations of each other.

    Attributes:
        hidden: Hidden states of one layer, (batch, length, width).
        mask: True for real tokens, (batch, length).
        translations: True where two rows are the same content in two languages, (batch, batch).
        logits: The head's, by name: `logits` (batch, labels), or `start_logits` and `end_logits` (batch, length); for
            terms that look at outputs.
        span_mask: Where a span may begin or end, (batch, length); None for pairs of sentences.
        before: Hidden states of the frozen model, as `hidden`; for terms that look at it.
    """

    hidden: torch.Tensor
    mask: torch.Tensor
    translations: torch.Tensor
    logits: Mapping[str, torch.Tensor] = field(default_factory=dict)
    span_mask: torch.Tensor | None = None
    before: torch.Tensor | None = None

    @property
    def pooled(self) -> torch.Tensor:
        """Means over the real tokens, (batch, width)."""
        return mean_pool(self.hidden, self.mask)


def cosine(views: Views) -> torch.Tensor:
    """Mean cosine distance of each row from the mean of its translations.

    For a row h_i with translations T(i) in the batch the term is 1 - cos(h_i, mean of h_j over j in T(i)),
    the pooled-level alignment of arXiv 2507.00601.
    """
    pooled = views.pooled
    rows, others = _with_translations(pooled, views.translations)
    return (1 - functional.cosine_similarity(pooled[rows], others, dim=-1)).mean()


def mse(views: Views) -> torch.Tensor:
    """Mean squared difference of each row and the mean of its translations, over the width."""
    pooled = views.pooled
    rows, others = _with_translations(pooled, views.translations)
    return functional.mse_loss(pooled[rows], others)


def infonce(views: Views) -> torch.Tensor:
    """InfoNCE over the batch (van den Oord et al. 2018): a row's translations against all other rows.

    -log(sum over j in T(i) of exp(cos(h_i, h_j) / t) / sum over j != i of exp(cos(h_i, h_j) / t)). Unlike the cosine
    it has negatives, so that it cannot be met by one vector for everything.
    """
    normal = functional.normalize(views.pooled, dim=-1)
    scores = (normal @ normal.t()) / _TEMPERATURE
    scores = scores.masked_fill(torch.eye(len(scores), dtype=torch.bool, device=scores.device), _NOTHING)
    rows = views.translations.any(1)
    right = scores.masked_fill(~views.translations, _NOTHING)
    return (scores.logsumexp(1) - right.logsumexp(1))[rows].mean()


def transport(views: Views) -> torch.Tensor:
    """Optimal transport between the tokens of two translations, with cosine distance as its cost.

    The plan comes from Sinkhorn's algorithm with an entropy term (Cuturi 2013) and equal mass on every token; gradients
    pass through the costs alone.
    """
    first, second = pairs_of(views.translations)
    normal = functional.normalize(views.hidden, dim=-1)
    costs = 1 - normal[first] @ normal[second].transpose(1, 2)
    with torch.no_grad():
        log_a, log_b = (_log_mass(views.mask[rows]) for rows in (first, second))
        plan = _sinkhorn(costs, log_a, log_b)
    return (plan * costs).sum((1, 2)).mean()


def agreement(views: Views) -> torch.Tensor:
    """KL divergence between the output distributions of an example in two languages, each language taught by the other.

    For pairs of sentences the distributions are those over the labels. Over spans they lie on different tokens: the
    teacher's start and end probabilities are carried to the other text's tokens by the softmax, over those tokens, of
    the cosine of their hidden states. The teacher gets no gradient.
    """
    logits, span_mask = views.logits, views.span_mask
    first, second = pairs_of(views.translations)
    students, teachers = torch.cat([first, second]), torch.cat([second, first])
    if span_mask is None:
        scores = logits["logits"].float()
        taught = scores[teachers].detach().softmax(-1)
        return functional.kl_div(scores[students].log_softmax(-1), taught, reduction="batchmean")
    with torch.no_grad():
        normal = functional.normalize(views.hidden, dim=-1)
        near = normal[teachers] @ normal[students].transpose(1, 2) / _ENTROPY
        carried = near.masked_fill(~span_mask[students][:, None, :], _NOTHING).softmax(-1)
    total = views.hidden.new_zeros(())
    for side in ("start_logits", "end_logits"):
        scores = logits[side].float().masked_fill(~span_mask, _NOTHING)
        with torch.no_grad():
            taught = (scores[teachers].softmax(-1)[:, None, :] @ carried)[:, 0]
        total = total + functional.kl_div(scores[students].log_softmax(-1), taught, reduction="batchmean") / 2
    return total


def retention(views: Views) -> torch.Tensor:
    """Mean squared distance of the adapted model's hidden states from those of the frozen model."""
    assert views.before is not None
    return functional.mse_loss(views.hidden[views.mask], views.before[views.mask])


@dataclass(frozen=True)
class TermKind:
    """What a term of the loss is, and what it needs.

    Attributes:
        value: The term, a scalar, of a batch of texts.
        translations: Whether it needs texts that are translations of each other; else any text will do.
        outputs: Whether it looks at the outputs for the labels of a step, and so never at parallel text.
        frozen: Whether it looks at the frozen model's hidden states.
    """

    value: Callable[[Views], torch.Tensor]
    translations: bool = True
    outputs: bool = False
    frozen: bool = False


TERMS: Mapping[str, TermKind] = {
    "cosine": TermKind(cosine),
    "mse": TermKind(mse),
    "infonce": TermKind(infonce),
    "transport": TermKind(transport),
    "kl": TermKind(agreement, outputs=True),
    "retention": TermKind(retention, translations=False, frozen=True),
}


@dataclass(frozen=True)
class Term:
    """A term of the loss.

    Attributes:
        name: One of `TERMS`.
        weight: Its weight beside the task's loss.
        layers: Layers that it looks at, counted down from -1, the last.
    """

    name: str
    weight: float
    layers: tuple[int, ...]

    @property
    def kind(self) -> TermKind:
        """What it is."""
        return TERMS[self.name]


def parse_terms(texts: Sequence[str], layers: int, frozen: int = 0) -> list[Term]:
    """Reads terms as `align` gives them: NAME:WEIGHT, or NAME:WEIGHT@LAYER,LAYER.

    Args:
        texts: The terms.
        layers: Number of layers of the backbone; terms count them from 1, and -1 is the last.
        frozen: Lowest layers in which nothing is trained, where a term would do nothing.

    Raises:
        UserError: If a term is unknown, comes twice or is not of this form.
    """
    terms: dict[str, Term] = {}
    for text in texts:
        head, _, tail = text.partition("@")
        name, _, weight = head.partition(":")
        if name not in TERMS:
            raise UserError(f"`align` {text}: unknown term {name!r}; choose from {', '.join(TERMS)}")
        if name in terms:
            raise UserError(f"`align` {text}: {name} is given twice; give one weight, and several layers after @")
        try:
            value = float(weight)
            chosen = tuple(int(layer) for layer in tail.split(",")) if tail else (-1,)
        except ValueError as error:
            raise UserError(
                f"`align` {text}: expected NAME:WEIGHT or NAME:WEIGHT@LAYERS, as cosine:0.1@6,12"
            ) from error
        if not (math.isfinite(value) and value > 0):
            raise UserError(f"`align` {text}: the weight must be a positive number")
        if any(not (layer == -1 or frozen < layer <= layers) for layer in chosen):
            raise UserError(
                f"`align` {text}: layers that are trained are {frozen + 1} to {layers}, and -1 for the last"
            )
        if TERMS[name].outputs and tail:
            raise UserError(f"`align` {text}: {name} looks at the outputs; leave the layers out")
        terms[name] = Term(name, value, tuple(layer if layer < 0 else layer - 1 - layers for layer in chosen))
    return list(terms.values())


def pairs_of(translations: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns the indices of all pairs of translations, each pair once."""
    first, second = translations.triu(1).nonzero(as_tuple=True)
    return first, second


def _with_translations(pooled: torch.Tensor, translations: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns which rows have translations, and the mean of theirs."""
    counts = translations.sum(1)
    rows = counts > 0
    return rows, (translations.to(pooled.dtype) @ pooled)[rows] / counts[rows, None]


def _log_mass(mask: torch.Tensor) -> torch.Tensor:
    """Equal log mass on real tokens, next to none elsewhere."""
    return torch.where(mask, -mask.sum(1, keepdim=True).float().log(), mask.new_full((), _NOTHING, dtype=torch.float32))


def _sinkhorn(costs: torch.Tensor, log_a: torch.Tensor, log_b: torch.Tensor) -> torch.Tensor:
    """Returns the plans (batch, first length, second length) between masses (batch, length) in the log domain."""
    kernel = -costs / _ENTROPY
    f, g = torch.zeros_like(log_a), torch.zeros_like(log_b)
    for _ in range(_ROUNDS):
        f = -torch.logsumexp(kernel + g[:, None, :] + log_b[:, None, :], dim=2)
        g = -torch.logsumexp(kernel + f[:, :, None] + log_a[:, :, None], dim=1)
    return (kernel + f[:, :, None] + g[:, None, :] + log_a[:, :, None] + log_b[:, None, :]).exp()
