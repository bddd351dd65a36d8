"""Answers a JSONL file of questions in a thread pool that shares one bundle.

    python examples/thread_pool.py BUNDLE QUESTIONS.jsonl > ANSWERS.jsonl

A line is {"question": ..., "context": ...}; what else it holds is kept, and the answers come in the order of the
questions. Needs lrc-runtime alone. Any number of lines: only some for each thread are in memory.
"""

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from itertools import islice

import lrc_runtime


def main(bundle: str, questions: str) -> None:
    """Prints one answer a line, and the pace on standard error."""
    workers = os.cpu_count() or 1
    count, began = 0, time.monotonic()
    # One thread a call, as many calls at once as there are CPUs: no call waits for the threads of another.
    with (
        open(questions, encoding="utf-8") as lines,
        lrc_runtime.load_question_answerer(bundle, preset="throughput") as qa,
        ThreadPoolExecutor(workers) as pool,
    ):

        def answer(line: str) -> str:
            asked = json.loads(line)
            found = qa.answer(asked["question"], asked["context"])
            return json.dumps({**asked, "answer": asdict(found)}, ensure_ascii=False)

        while some := list(islice(lines, 64 * workers)):
            for answered in pool.map(answer, some):
                print(answered)
            count += len(some)
    seconds = time.monotonic() - began
    print(f"{count} questions in {seconds:.1f} s, {count / seconds:.0f} a second", file=sys.stderr)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except lrc_runtime.LrcError as error:
        sys.exit(f"error: {error}")
