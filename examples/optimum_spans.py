"""Opens a bundle with optimum's ORT classes and decodes by hand: what an application without lrc_runtime would do.

    python examples/optimum_spans.py BUNDLE CASES.json

CASES.json is a list of [question, context] or [sentence, sentence]; prints one JSON object a line. Needs the
environment of `lrc-runtime[optimum]`. Contexts must fit one window.
"""

import json
import sys

import torch
from optimum.onnxruntime import ORTModelForQuestionAnswering, ORTModelForSequenceClassification
from transformers import PreTrainedTokenizerFast


def span(model, tokenizer, question: str, context: str, max_answer: int) -> dict:
    """Returns the best span of a context that fits one window."""
    inputs = tokenizer(question, context, return_tensors="pt", return_offsets_mapping=True)
    offsets = inputs.pop("offset_mapping")[0]
    is_context = torch.tensor([segment == 1 for segment in inputs.sequence_ids(0)])
    output = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"])
    scores = output.start_logits[0][:, None] + output.end_logits[0][None, :]
    allowed = torch.ones_like(scores).triu().tril(max_answer - 1).bool() & is_context[:, None] & is_context[None, :]
    first, last = divmod(int(scores.masked_fill(~allowed, -1e9).argmax()), scores.shape[1])
    start, end = int(offsets[first][0]), int(offsets[last][1])
    text = context[start:end]
    start, end = start + len(text) - len(text.lstrip()), end - len(text) + len(text.rstrip())
    return {"start": start, "end": end, "text": context[start:end]}


def main(bundle: str, cases: str) -> None:
    """Prints the answer or the label of each case."""
    with open(f"{bundle}/lrc.json", encoding="utf-8") as file:
        manifest = json.load(file)
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=f"{bundle}/tokenizer.json")
    answers_questions = manifest["task"] == "question-answering"
    kind = ORTModelForQuestionAnswering if answers_questions else ORTModelForSequenceClassification
    model = kind.from_pretrained(bundle)
    with open(cases, encoding="utf-8") as file:
        for first, second in json.load(file):
            if answers_questions:
                found = span(model, tokenizer, first, second, manifest["decoding"]["max_answer_length"])
            else:
                inputs = tokenizer(first, second, return_tensors="pt")
                logits = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]).logits
                found = {"label": model.config.id2label[int(logits.argmax())]}
            print(json.dumps(found, ensure_ascii=False))


if __name__ == "__main__":
    main(*sys.argv[1:])
