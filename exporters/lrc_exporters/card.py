"""The model card: what a person who is handed the folder needs to know, from the manifest."""

from typing import Any

from lrc_runtime.kinds import KINDS
from lrc_runtime.manifest import Manifest

from .gate import Loss, table


def model_card(manifest: Manifest) -> str:
    """Returns the card of a bundle as Markdown."""
    lines = [
        f"# {manifest.task}: {', '.join(manifest.languages)}",
        "",
        f"This bundle {KINDS[manifest.task].does}, in {manifest.precision}. Made by lrc; served by `lrc_runtime`.",
        "",
        "## Scores",
        "",
        *_gate(manifest.metrics.get("gate")),
        "",
        *_calibration(manifest.metrics.get("calibration")),
        *_vocabulary(manifest.metrics.get("vocabulary")),
        "## Made of",
        "",
        *(f"- {part}: {licence}" for part, licence in manifest.licences.items()),
    ]
    shots = {lang: len(ids) for lang, ids in manifest.training.get("shot_ids", {}).items()}
    labels = ", ".join(f"{lang} {count}" for lang, count in shots.items())
    lines.append(f"- labels a language: {labels or 'none'}")
    lines.append(f"- method {manifest.training.get('method')}, seed {manifest.training.get('seed')}")
    return "\n".join(lines) + "\n"


def _gate(gate: dict[str, Any] | None) -> list[str]:
    if gate is None:
        return ["The gate was left out: what this bundle loses against the run it was made of is not known."]
    lines = []
    if gate["languages"]:
        losses = {lang: Loss(**loss) for lang, loss in gate["languages"].items()}
        lines += [
            "F1 or accuracy on labelled examples that it was not trained on, of the run in float32 and of this bundle;"
            " where some questions have no answer, those with and without one apart too:",
            "",
            table(losses),
        ]
    if gate["forced"]:
        lines += ["", f"**Passed by force**: {', '.join(gate['failed'])} lost more than {gate['max_drop']} points."]
    if gate["unproved"]:
        lines += ["", f"Not proved, for want of labelled examples: {', '.join(gate['unproved'])}."]
    return lines


def _calibration(found: dict[str, Any] | None) -> list[str]:
    if found is None:
        return []
    error = found["expected_calibration_error"]
    lines = [
        "## Confidence",
        "",
        f"Fitted on {found['examples']} of these examples: expected calibration error {error['after']:.3f}"
        f" (cross-validated), {error['before']:.3f} of the model's own probabilities.",
    ]
    if no_answer := found.get("no_answer"):
        real = no_answer.get("real", 0)
        made = "some asked of another text" if not real else f"{real} of them with no answer in their text"
        lines.append(
            f'"No answer", on {no_answer["examples"]} questions, {made}: precision {no_answer["precision"]:.2f}, recall'
            f" {no_answer['recall']:.2f}."
        )
    return [*lines, ""]


def _vocabulary(found: dict[str, Any] | None) -> list[str]:
    if found is None:
        return []
    lines = [
        "## Vocabulary",
        "",
        f"{found['pieces']} of {found['of']} pieces. Other scripts are read as unknown.",
        "",
        "| language | unknown pieces | pieces a character, before | after |",
        "|---|---:|---:|---:|",
    ]
    for lang, each in found["languages"].items():
        before, after = each["before"], each["after"]
        lines.append(
            f"| {lang} | {100 * after['unknown']:.2f} % | {before['pieces_a_character']:.3f} |"
            f" {after['pieces_a_character']:.3f} |"
        )
    return [*lines, ""]
