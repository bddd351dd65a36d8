"""Which test examples a run was trained on, told by their text."""

from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from .examples import BadExamples, Example
from .identity import digest_of

# Bytes of a digest: that one of 10,000 texts is taken for another of 100,000 happens once in 280,000 tests.
_DIGEST = 6


@dataclass(frozen=True)
class Seen:
    """The texts that a run was trained on, as digests, so that none of them is taken for a test.

    Attributes:
        digests: Of whole examples, and of the contexts of questions.
    """

    digests: frozenset[bytes] = frozenset()

    @classmethod
    def of(cls, examples: Iterable[Example]) -> "Seen":
        """Takes note of examples."""
        return cls(frozenset(digest for example in examples for digest in _digests(example)))

    @classmethod
    def from_text(cls, text: str) -> "Seen":
        """Reads what `to_text` wrote."""
        packed = b64decode(text)
        return cls(frozenset(packed[at : at + _DIGEST] for at in range(0, len(packed), _DIGEST)))

    def to_text(self) -> str:
        """Returns it as one line of Base64."""
        return b64encode(b"".join(sorted(self.digests))).decode()

    def holds(self, example: Example) -> bool:
        """Whether it was trained on as a whole, see `Example.traces`."""
        return next(_digests(example)) in self.digests

    def holds_context(self, example: Example) -> bool:
        """Whether the context of a question was trained on."""
        return any(digest in self.digests for digest in list(_digests(example))[1:])


def _digests(example: Example) -> Iterator[bytes]:
    """Yields the digest of the whole, then those of the parts that other examples share."""
    return (digest_of(*parts)[:_DIGEST] for parts in example.traces)


@dataclass(frozen=True)
class Trained:
    """What a run was trained on.

    Attributes:
        shots: For each language the ids of its shots.
        seen: Its texts; None for runs of lrc 0.1, which kept ids alone.
    """

    shots: dict[str, list[str]]
    seen: Seen | None

    def unseen(self, groups: Mapping[str, Sequence[Example]], bad: BadExamples) -> dict[str, list[Example]]:
        """Leaves out the test examples that the run was trained on, and says how many.

        Args:
            groups: Examples by language.
            bad: Takes notice of what was left out.
        """
        if self.seen is None:
            bad.notice("the run is of lrc 0.1, which kept the ids of its shots alone: these tell what it has seen")
        kept = {
            lang: [example for example in group if not self._knows(lang, example)] for lang, group in groups.items()
        }
        dropped = sum(map(len, groups.values())) - sum(map(len, kept.values()))
        if dropped:
            bad.notice(f"left out {dropped} examples that the run was trained on")
        if contexts := sum(self._knows_context(example) for group in kept.values() for example in group):
            bad.notice(f"{contexts} other questions are about contexts that the run was trained on")
        return kept

    def overlap(self, groups: Mapping[str, Sequence[Example]], bad: BadExamples) -> None:
        """Says how many examples of a published test part the run was trained on; they stay, so that scores compare."""
        known = sum(self.seen is not None and self.seen.holds(one) for group in groups.values() for one in group)
        if known:
            bad.notice(f"warning: the run was trained on {known} of these examples, so their score says little")

    def _knows(self, lang: str, example: Example) -> bool:
        if self.seen is None:
            return example.id in self.shots.get(lang, ())
        return self.seen.holds(example)

    def _knows_context(self, example: Example) -> bool:
        return self.seen is not None and self.seen.holds_context(example)
