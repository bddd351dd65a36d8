"""What a bundle loses against the run it was made of: F1 or accuracy by language on test examples.

python -m benchmarks.answers.loss RUN BUNDLE... --limit 300

The run is scored in float32 with its whole vocabulary. The intervals are of a paired bootstrap over examples, which the
languages of a parallel set share.
"""

import argparse
from pathlib import Path

from rich.console import Console
from rich.table import Table

from lrc.console import progress, shown
from lrc.data.examples import BadExamples
from lrc.data.shots import sample
from lrc.evaluation.evaluate import open_subject, read_examples
from lrc.evaluation.scoring import score_examples
from lrc.run_folder import read_settings
from lrc.study.statistics import paired_bootstrap
from lrc.tasks.registry import find_task


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("bundles", type=Path, nargs="+")
    parser.add_argument("--limit", type=int, default=300, help="test examples a language")
    parser.add_argument("--data-dir")
    options = parser.parse_args()
    settings = read_settings(options.run)
    task, langs = find_task(settings.task), settings.langs
    read = read_examples(task, langs, options.data_dir or settings.data_dir, None, None, BadExamples(False))
    examples = {lang: sample(group, options.limit, False) for lang, group in read.items()}
    count = sum(map(len, examples.values()))

    table = Table("", *langs, "average", "lost")
    own: dict[str, list[float]] = {}
    for path in [options.run, *options.bundles]:
        answerer = open_subject(path, "cpu", task).answerer
        with shown(), progress(f"score {path}", count) as advance:
            scores = {lang: score_examples(task, answerer, examples[lang], advance) for lang in langs}
        outcomes = {lang: score.outcomes for lang, score in scores.items()}
        own = own or outcomes
        lost = paired_bootstrap([own], [outcomes])
        mains = [score.main for score in scores.values()]
        figures = [f"{value:.2f}" for value in [*mains, sum(mains) / len(mains)]]
        table.add_row(str(path), *figures, f"{lost.difference:.2f} ({lost.low:.2f} to {lost.high:.2f})")
    Console(width=160).print(f"{count} examples", table)


if __name__ == "__main__":
    main()
