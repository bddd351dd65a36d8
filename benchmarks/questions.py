"""The test questions that the programs beside this one ask."""

from lrc.data.examples import BadExamples, Question
from lrc.tasks.registry import data_root, find_task, read_test


def test_questions(task: str, lang: str, data_dir: str | None = None) -> list[Question]:
    """Reads the test part of a task in a language."""
    read = read_test(find_task(task), data_root(data_dir), lang, BadExamples(False))
    return [one for one in read if isinstance(one, Question)]
