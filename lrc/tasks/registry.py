"""The tasks: where their data lies in the official layouts, and which part is for what.

Shots and dev examples come from a task's dev part (or train, where there is one); figures from its test part.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lrc_runtime.languages import find_lang

from ..data.catalogue import AFRIQA, AMQA, MLQA, PAWSX, TYDIQA, XQUAD
from ..data.examples import BadExamples, Example, Question
from ..data.identity import AUTO, SHARED
from ..data.published import Published, fetch
from ..data.readers import gather
from ..data.shots import rank
from ..errors import UserError
from . import KINDS, find_kind
from .pairs import Pairs
from .spans import Spans

QA = Spans.name
PARAPHRASE = Pairs.name


@dataclass(frozen=True)
class Task:
    """A task.

    Attributes:
        name: As `task` gives it.
        kind: Kind of task, one of `lrc.tasks.KINDS`.
        langs: Its languages; empty for a user's own data.
        metric: Name of a metric of the kind.
        labelled: File of shots and dev examples, by data folder and language; None for a user's own data.
        test: File of test examples, likewise.
        shared_file: Whether both parts share one file, which is then split by title.
        columns: Names of the columns in its files, where they are not lrc's.
        shares_ids: Whether an id means the same example in every language.
        published: Where its files come from, if `lrc data get` can fetch them.
    """

    name: str
    kind: str
    langs: tuple[str, ...] = ()
    metric: str = "squad"
    labelled: Callable[[Path, str], Path] | None = None
    test: Callable[[Path, str], Path] | None = None
    shared_file: bool = False
    columns: Mapping[str, str] | None = None
    shares_ids: bool = True
    published: Published | None = None


def _mlqa(split: str) -> Callable[[Path, str], Path]:
    return lambda root, lang: root / f"mlqa/MLQA_V1/{split}/{split}-context-{lang}-question-{lang}.json"


def _pawsx(split: str) -> Callable[[Path, str], Path]:
    return lambda root, lang: root / f"pawsx/x-final/{lang}/{split}_2k.tsv"


def _tydiqa(split: str) -> Callable[[Path, str], Path]:
    return lambda root, lang: root / f"tydiqa/tydiqa-goldp.{lang}.{split}.json"


def _amqa(split: str) -> Callable[[Path, str], Path]:
    return lambda root, lang: root / f"amqa/{split}_data.json"


# Codes of its folders, by the language of the questions; the passages are English.
_AFRIQA = {"ha": "hau", "ig": "ibo", "rw": "kin", "tw": "twi", "yo": "yor", "zu": "zul"}


def _afriqa(split: str) -> Callable[[Path, str], Path]:
    def locate(root: Path, lang: str) -> Path:
        code = _AFRIQA[lang]
        return root / f"afriqa/gold_passages/{code}/gold_span_passages.afriqa.{code}.en.{split}.json"

    return locate


def _xquad(root: Path, lang: str) -> Path:
    return root / f"xquad/xquad.{lang}.json"


TASKS = {
    task.name: task
    for task in (
        Task(
            "mlqa", QA, ("ar", "de", "en", "es", "hi", "vi", "zh"), "mlqa", _mlqa("dev"), _mlqa("test"), published=MLQA
        ),
        Task(
            "xquad",
            QA,
            ("ar", "de", "el", "en", "es", "hi", "ro", "ru", "th", "tr", "vi", "zh"),
            labelled=_xquad,
            test=_xquad,
            shared_file=True,
            published=XQUAD,
        ),
        Task(
            "pawsx",
            PARAPHRASE,
            ("de", "en", "es", "fr", "ja", "ko", "zh"),
            "accuracy",
            _pawsx("dev"),
            _pawsx("test"),
            published=PAWSX,
        ),
        Task(
            "tydiqa",
            QA,
            ("ar", "bn", "en", "fi", "id", "ko", "ru", "sw", "te"),
            labelled=_tydiqa("train"),
            test=_tydiqa("dev"),
            published=TYDIQA,
        ),
        Task("amqa", QA, ("am",), labelled=_amqa("train"), test=_amqa("dev"), published=AMQA),
        Task(
            "afriqa",
            QA,
            tuple(_AFRIQA),
            labelled=_afriqa("train"),
            test=_afriqa("test"),
            columns={"question": "question_lang", "answers": "answer_pivot"},
            shares_ids=False,
            published=AFRIQA,
        ),
        # A user's own data have the name of their kind.
        *(Task(kind.name, kind.name, metric=kind.metric) for kind in KINDS.values()),
    )
}


def find_task(name: str) -> Task:
    """Returns a task by name.

    Raises:
        UserError: If there is none of this name.
    """
    if name not in TASKS:
        raise UserError(f"`task` {name}: unknown task; choose one of {', '.join(TASKS)}")
    return TASKS[name]


def fetch_task(name: str, root: Path, mirror: str | None, again: bool, timeout: float = 30.0) -> Path:
    """Fetches the files of a task; otherwise as `lrc.data.published.fetch`.

    Raises:
        UserError: If the task is unknown or its files are not published, are there already, cannot be fetched, or are
            not what they must be.
    """
    published = {task.name: task.published for task in TASKS.values() if task.published}
    if name not in published:
        raise UserError(f"{name}: unknown data set; choose one of {', '.join(published)}")
    return fetch(published[name], root / name, mirror, again, timeout)


def read_source(
    task: Task,
    source: str | Path,
    lang: str,
    bad: BadExamples,
    columns: Mapping[str, str] | None,
    split: str,
    ids: str = AUTO,
    several: bool = False,
) -> list[Example]:
    """Reads examples of a task's kind.

    Args:
        task: The task.
        source: A file, or `hf:REPO[:config][@split]`.
        lang: Language to note in each example.
        bad: What to do with an example that cannot be used.
        columns: The table's own names for the columns.
        split: Split of a hub data set that names none.
        ids: What its ids are taken for, see `lrc.data.identity`.
        several: Whether other languages are read beside it.

    Raises:
        UserError: If the source is missing or not in its format, or an example is bad.
    """
    kind = find_kind(task.kind)
    return gather(kind.scan(source, lang, bad, columns, split, ids), kind.fault, source, bad, ids, several)


def read_own(
    task: Task,
    pattern: str,
    langs: Sequence[str],
    flag: str,
    bad: BadExamples,
    columns: Mapping[str, str] | None,
    split: str,
    ids: str = AUTO,
) -> dict[str, list[Example]]:
    """Reads a user's own examples, one source a language where the pattern holds `{lang}`.

    Raises:
        UserError: If several languages share one source without `{lang}`, or one cannot be read.
    """
    if "{lang}" not in pattern and len(langs) > 1:
        raise UserError(f"{flag} {pattern}: write {{lang}} in the name where several `langs` are given")
    several = len(langs) > 1
    return {
        lang: read_source(task, pattern.replace("{lang}", lang), lang, bad, columns, split, ids, several)
        for lang in langs
    }


def data_root(data_dir: str | None, exists: bool = True) -> Path:
    """Returns the data folder of `data_dir`, or of the environment variable `LRC_DATA_DIR`.

    Raises:
        UserError: If neither is given, or the folder is not there though it must.
    """
    name = data_dir or os.environ.get("LRC_DATA_DIR")
    if not name:
        raise UserError("no data folder: give `data_dir` or set LRC_DATA_DIR to the folder of the official data sets")
    root = Path(name)
    if exists and not root.is_dir():
        raise UserError(f"`data_dir` {name}: no such folder")
    return root


def read_labelled(task: Task, root: Path, lang: str, bad: BadExamples) -> list[Example]:
    """Reads the examples of one language that shots and dev examples are drawn from."""
    examples = _read(task, task.labelled, root, lang, bad)
    return [example for example in examples if not _is_test(example)] if task.shared_file else examples


def read_test(task: Task, root: Path, lang: str, bad: BadExamples) -> list[Example]:
    """Reads the test examples of one language."""
    examples = _read(task, task.test, root, lang, bad)
    return [example for example in examples if _is_test(example)] if task.shared_file else examples


def check_langs(task: Task, langs: Sequence[str]) -> list[str]:
    """Refuses languages that a task does not have.

    Returns:
        Each language once, as the task calls it; as it was given where the data are the user's own.

    Raises:
        UserError: If there is one, or none at all.
    """
    if not langs:
        raise UserError("`langs`: name at least one language, such as `langs` de,hi")
    if not task.langs:
        return list(langs)
    named = {lang: find_lang(lang, task.langs) for lang in langs}
    if unknown := [lang for lang, known in named.items() if known is None]:
        raise UserError(f"`langs` {','.join(unknown)}: {task.name} has {', '.join(task.langs)}")
    return list(dict.fromkeys(known for known in named.values() if known is not None))


def present_langs(task: Task, root: Path) -> list[str]:
    """Returns the languages of a task for which the data folder has labels."""
    assert task.labelled is not None
    return [lang for lang in task.langs if task.labelled(root, lang).is_file()]


def _read(
    task: Task, locate: Callable[[Path, str], Path] | None, root: Path, lang: str, bad: BadExamples
) -> list[Example]:
    assert locate is not None
    path = locate(root, lang)
    if not path.is_file():
        raise UserError(
            f"`data_dir` {root}: has no {path.relative_to(root)}; put the official {task.name} files there,"
            " or leave this language out of `langs`"
        )
    return read_source(task, path, lang, bad, task.columns, "train", SHARED if task.shares_ids else AUTO)


# XQuAD has one file a language. Its 48 articles carry the same titles in the same order in each, so a quarter of
# them by title serves for shots and the rest for testing, with no paragraph on both sides.
def _is_test(example: Example) -> bool:
    return not isinstance(example, Question) or int(rank(0, example.title)[:8], 16) % 4 != 0
