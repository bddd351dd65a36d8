"""What an export is measured on: labelled examples for the gate, text for the vocabulary."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lrc_exporters.gate import Scored
from lrc_exporters.proof import Model
from lrc_exporters.vocabulary import Choice, Sample
from lrc_runtime.encoding import TextEncoder
from lrc_runtime.languages import find_lang

from ..console import note, tell
from ..data.examples import BadExamples, Example
from ..data.passages import read_passages
from ..data.scripts import is_written_in, script_names, scripts
from ..errors import UserError
from ..evaluation.scoring import outcomes_by_group, score_examples, summarise
from ..run_folder import Run
from ..tasks import find_kind
from ..tasks.registry import find_task, read_own
from ..training.labels import TrainingData, read_files

# 70,000 pieces of the built-in backbone, chosen for seven languages, leave out 0.6 to 4.7 % of what text in them holds.
_PIECES_A_LANGUAGE = 10_000
_LEAST_PIECES = 30_000


def gate_examples(
    run: Run, dev: dict[str, list[Example]], langs: Sequence[str], pattern: str | None
) -> dict[str, list[Example]]:
    """Returns the labelled examples of each language that has any: the user's own, or the run's dev examples."""
    if pattern is None:
        found = {lang: dev[known] for lang in langs if (known := find_lang(lang, dev))}
        return {lang: group for lang, group in found.items() if group}
    task, settings = find_task(run.settings.task), run.settings
    named = [lang for lang in langs if "{lang}" in pattern and not pattern.startswith("hf:")]
    missing = [lang for lang in named if not Path(pattern.replace("{lang}", lang)).exists()]
    if missing and len(missing) == len(langs):
        raise UserError(f"`gate_data` {pattern}: there is no such file for {', '.join(missing)}")
    present = [lang for lang in langs if lang not in missing]
    bad = BadExamples(settings.skip_bad)
    groups = read_own(task, pattern, present, "`gate_data`", bad, settings.columns, "gate", settings.ids)
    unseen = run.trained.unseen(groups, bad)
    tell(bad.notices, bad.count)
    return {lang: group for lang, group in unseen.items() if group}


def texts_at_hand(run: Run, data: TrainingData, examples: dict[str, list[Example]]) -> list[Example]:
    """Returns what the run has learned from, and of the files of its labels what no example of the gate shows.

    Of the latter the text counts and no label: a file holds more text of a language than a few dozen shots.
    """
    settings = run.settings
    shown = {text for group in examples.values() for example in group for text in example.texts}
    labelled, _ = read_files(find_task(settings.task), settings, BadExamples(settings.skip_bad))
    learned = data.target + data.source + data.pseudo
    shots = {(one.lang, one.id) for one in data.target}
    every = (one for group in labelled.values() for one in group if (one.lang, one.id) not in shots)
    return learned + [one for one in every if shown.isdisjoint(one.texts)]


def vocabulary_choice(
    langs: Sequence[str],
    corpus: Sequence[str],
    pieces: int | None,
    own: Sequence[Example],
    told: Mapping[str, tuple[str, ...]] | None = None,
) -> Choice | None:
    """Returns what the vocabulary is trimmed for; None where a language's script is not known.

    Args:
        langs: Languages of the bundle.
        corpus: The user's files of text, `{lang}` standing for each language.
        pieces: How many to keep; 10,000 a language and at least 30,000 when None.
        own: Examples whose text counts too.
        told: Scripts of languages, where the user names them.

    Raises:
        UserError: If the corpus cannot be read, or covers none of the languages.
    """
    told = told or {}
    written = {lang: told[known] if (known := find_lang(lang, told)) else scripts(lang) for lang in langs}
    if unknown := [lang for lang in langs if not written[lang]]:
        note(
            f"vocabulary: left whole, as the script of {', '.join(unknown)} is not known; tell it, as with"
            f" `script` {unknown[0]}=Latn"
        )
        return None
    shared = [_Texts([], [name]) for name in corpus if "{lang}" not in name]
    each = [name for name in corpus if "{lang}" in name]
    texts: dict[str, _Texts] = {}
    spellings = {one.lang for one in own}
    for lang in langs:
        same = {spelling for spelling in spellings if find_lang(spelling, [lang])}
        of_lang = [text for one in own if one.lang in same for text in one.texts]
        if each or of_lang:
            texts[lang] = _Texts(of_lang, [name.replace("{lang}", lang) for name in each])
    every = frozenset(script for codes in written.values() for script in codes)
    _check_corpus([path for group in (*shared, *texts.values()) for path in group.paths], tuple(sorted(every)))
    samples = [Sample(every, text) for text in shared]
    # Beside text of all languages a language needs none of its own.
    samples += [Sample(frozenset(written[lang]), texts.get(lang)) for lang in langs if lang in texts or not shared]
    return Choice(samples, pieces or max(_LEAST_PIECES, _PIECES_A_LANGUAGE * len(langs)))


@dataclass(frozen=True)
class _Texts:
    """Text that is read anew each time, as each task of a bundle reads it, and never whole.

    Attributes:
        own: Texts of examples.
        paths: Files or folders of text.
    """

    own: Sequence[str]
    paths: Sequence[str]

    def __iter__(self) -> Iterator[str]:
        yield from self.own
        for path in self.paths:
            yield from _passages(path)


def _passages(path: str) -> Iterator[str]:
    return (passage.text for passage in read_passages(Path(path), BadExamples(False)))


def _check_corpus(paths: Sequence[str], codes: tuple[str, ...]) -> None:
    """Refuses a corpus of which a file is missing, or that is in none of the scripts."""
    for path in paths:
        if not Path(path).exists():
            raise UserError(f"`corpus` {path}: no such file or folder")
    if paths and not any(is_written_in(text, codes) for path in paths for text in _passages(path)):
        raise UserError(
            f"`corpus` {paths[0]}: holds no letter of the scripts {script_names(codes)}; give text in the bundle's"
            " languages"
        )


def score_model(model: Model, encoder: TextEncoder, run: Run, examples: dict[str, list[Example]]) -> Scored | None:
    """Scores a model on labelled examples; None where there are none."""
    settings = run.settings
    kind, task = find_kind(settings.kind), find_task(settings.task)
    answerer = kind.answerer(encoder, model, kind.scheme(settings))
    scores = {lang: score_examples(task, answerer, group) for lang, group in examples.items()}
    if not scores:
        return None
    return Scored(summarise(scores), outcomes_by_group(scores))
