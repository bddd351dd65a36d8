"""A Ray Data job: answers the questions of Parquet files, on as many machines as the cluster has.

    python examples/ray_parquet.py BUNDLE QUESTIONS.parquet ANSWERS --workers 4

The columns `question` and `context` are read; `answer`, `start`, `end`, `score` and `no_answer` are added, and ANSWERS
is a folder of Parquet files. Needs lrc-runtime and ray[data], on every machine, and the bundle in the same place there.
Without RAY_ADDRESS the job runs on this machine, which must have two CPUs at least.
"""

import argparse

import numpy as np
import ray

import lrc_runtime

Batch = dict[str, np.ndarray]


class Answerer:
    """An actor: opens the bundle once and answers batch after batch."""

    def __init__(self, bundle: str) -> None:
        # Ray gives each actor one CPU, so one thread a call.
        self._qa = lrc_runtime.load_question_answerer(bundle, preset="throughput")

    def __call__(self, batch: Batch) -> Batch:
        """Adds the columns of the answers."""
        answers = self._qa.answer_batch(batch["question"].tolist(), batch["context"].tolist())
        batch["answer"] = np.array([answer.text for answer in answers], dtype=object)
        for name in ("start", "end", "score", "no_answer"):
            batch[name] = np.array([getattr(answer, name) for answer in answers])
        return batch


def main() -> None:
    """Runs the job."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle")
    parser.add_argument("questions")
    parser.add_argument("answers")
    parser.add_argument("--workers", type=int, default=1, help="most actors, each on a CPU of its own")
    options = parser.parse_args()
    ray.init(include_dashboard=False)
    questions = ray.data.read_parquet(options.questions)
    answers = questions.map_batches(
        Answerer,
        fn_constructor_args=(options.bundle,),
        batch_size=256,
        # A pool that grows. One that takes every CPU at once would wait forever for the tasks that list and read files.
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=options.workers),
        num_cpus=1,
    )
    answers.write_parquet(options.answers)


if __name__ == "__main__":
    main()
