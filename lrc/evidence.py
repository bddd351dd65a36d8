"""What an export is measured on: labelled examples for the gate, text for the vocabulary."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lrc_exporters.gate import Scored
from lrc_exporters.proof import Run as Model
from lrc_exporters.vocabulary import Choice, Sample
from lrc_runtime import ParaphraseDetector, QuestionAnswerer
from lrc_runtime.encoding import TextEncoder

from . import run as run_folder
from .console import note
from .data.examples import BadExamples, Example, texts_of
from .data.passages import read_passages
from .data.scripts import script_share, scripts
from .data.tasks import LABELS, find_task, read_own
from .errors import UserError
from .prepare import TrainingData, read_files
from .run import Run
from .scoring import score_examples, summarise

# 70,000 pieces of the built-in backbone, chosen for seven languages, leave out 0.6 to 4.7 % of what text in them holds.
_PIECES_A_LANGUAGE = 10_000
_LEAST_PIECES = 30_000


def gate_examples(
    run: Run, dev: dict[str, list[Example]], langs: Sequence[str], pattern: str | None
) -> dict[str, list[Example]]:
    """Returns the labelled examples of each language that has any: the user's own, or the run's dev examples."""
    if pattern is None:
        return {lang: dev[lang] for lang in langs if dev.get(lang)}
    task, settings = find_task(run.settings.task), run.settings
    named = [lang for lang in langs if "{lang}" in pattern and not pattern.startswith("hf:")]
    missing = [lang for lang in named if not Path(pattern.replace("{lang}", lang)).exists()]
    if missing and len(missing) == len(langs):
        raise UserError(f"--gate-data {pattern}: there is no such file for {', '.join(missing)}")
    present = [lang for lang in langs if lang not in missing]
    groups = read_own(task, pattern, present, "--gate-data", BadExamples(settings.skip_bad), settings.columns, "gate")
    unseen = {lang: [one for one in groups[lang] if one.id not in run.shots.get(lang, [])] for lang in present}
    return {lang: group for lang, group in unseen.items() if group}


def texts_at_hand(run: Run, data: TrainingData, examples: dict[str, list[Example]]) -> list[Example]:
    """Returns what the run has learned from, and of the files of its labels what no example of the gate shows.

    Of the latter the text counts and no label: a file holds more text of a language than a few dozen shots.
    """
    settings = run.settings
    shown = {text for group in examples.values() for example in group for text in texts_of(example)}
    labelled, _ = read_files(find_task(settings.task), settings, BadExamples(settings.skip_bad))
    learned = data.target + data.source + data.pseudo
    shots = {(one.lang, one.id) for one in data.target}
    every = (one for group in labelled.values() for one in group if (one.lang, one.id) not in shots)
    return learned + [one for one in every if shown.isdisjoint(texts_of(one))]


def vocabulary_choice(
    langs: Sequence[str], corpus: Sequence[str], pieces: int | None, own: Sequence[Example]
) -> Choice | None:
    """Returns what the vocabulary is trimmed for; None where a language's script is not known.

    Args:
        langs: Languages of the bundle.
        corpus: The user's files of text, `{lang}` standing for each language.
        pieces: How many to keep; 10,000 a language and at least 30,000 when None.
        own: Examples whose text counts too.

    Raises:
        UserError: If the corpus cannot be read, or covers none of the languages.
    """
    if unknown := [lang for lang in langs if not scripts(lang)]:
        note(f"vocabulary: left whole, as the script of {', '.join(unknown)} is not known")
        return None
    shared = [_Texts([], [name]) for name in corpus if "{lang}" not in name]
    each = [name for name in corpus if "{lang}" in name]
    texts: dict[str, _Texts] = {}
    for lang in langs:
        of_lang = [text for one in own if one.lang == lang for text in texts_of(one)]
        if each or of_lang:
            texts[lang] = _Texts(of_lang, [name.replace("{lang}", lang) for name in each])
    _check_corpus([path for group in (*shared, *texts.values()) for path in group.paths], langs)
    every = frozenset(script for lang in langs for script in scripts(lang))
    samples = [Sample(every, text) for text in shared]
    # Beside text of all languages a language needs none of its own.
    samples += [Sample(frozenset(scripts(lang)), texts.get(lang)) for lang in langs if lang in texts or not shared]
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


def _check_corpus(paths: Sequence[str], langs: Sequence[str]) -> None:
    """Refuses a corpus of which a file is missing, or that covers none of the languages."""
    for path in paths:
        if not Path(path).exists():
            raise UserError(f"--corpus {path}: no such file or folder")
    if paths and not any(script_share(text, lang) for path in paths for text in _passages(path) for lang in langs):
        written = ", ".join(sorted({script for lang in langs for script in scripts(lang)}))
        raise UserError(
            f"--corpus {paths[0]}: holds no letter of the scripts {written}; give text in the bundle's languages"
        )


def score_model(model: Model, encoder: TextEncoder, run: Run, examples: dict[str, list[Example]]) -> Scored | None:
    """Scores a model on labelled examples; None where there are none."""
    answerer: QuestionAnswerer | ParaphraseDetector = (
        QuestionAnswerer(encoder, model, run_folder.decoding(run.settings))
        if run_folder.is_qa(run.settings)
        else ParaphraseDetector(encoder, model, LABELS)
    )
    metric = find_task(run.settings.task).metric
    scores = {lang: score_examples(answerer, group, metric) for lang, group in examples.items()}
    if not scores:
        return None
    return Scored(summarise(scores), {lang: score.outcomes for lang, score in scores.items()})
