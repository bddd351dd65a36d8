"""Asks a bundle one question about a text file.

    python examples/ask.py BUNDLE "QUESTION" FILE

Needs lrc-runtime alone.
"""

import sys

import lrc_runtime


def main(bundle: str, question: str, file: str) -> None:
    """Prints the answer and where it stands."""
    # newline="": offsets count the line ends as they are.
    with open(file, encoding="utf-8", newline="") as text:
        context = text.read()
    with lrc_runtime.load_question_answerer(bundle) as qa:
        answer = qa.answer(question, context)
    line = context.count("\n", 0, answer.start) + 1
    print(f"{answer.text}\nline {line}, characters {answer.start} to {answer.end}, score {answer.score:.2f}")
    if not answer.answered:
        print(f"the text may well not answer this (probability {answer.no_answer:.2f})")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except lrc_runtime.LrcError as error:
        sys.exit(f"error: {error}")
