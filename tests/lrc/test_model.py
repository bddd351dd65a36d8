"""Prefixes, lowering and the alignment term."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from lrc.adapters import prefix
from lrc.backbones.load import load_backbone
from lrc.data.examples import BadExamples, Question
from lrc.data.readers import read_questions
from lrc.errors import UserError
from lrc.lowering.lower import lower
from lrc.model import build_model
from lrc.run_folder import load_run
from lrc.tasks.kind import Scheme
from lrc.tasks.spans import Spans
from lrc.tasks.spans.features import locate
from lrc.training.batching import collate, schedule
from lrc_runtime.encoding import TextEncoder
from lrc_runtime.manifest import Windowing
from tests.conftest import EXAMPLES, make_tokenizer, settings_of, train_tiny

IDS = torch.tensor([[0, 40, 50, 60, 2], [0, 70, 2, 1, 1]])
MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])


def hidden(encoder: torch.nn.Module, ids: torch.Tensor = IDS, mask: torch.Tensor = MASK) -> torch.Tensor:
    with torch.inference_mode():
        return encoder(input_ids=ids, attention_mask=mask).last_hidden_state


def test_attention_without_prefix_is_bit_identical(tiny: Path) -> None:
    encoder = load_backbone(str(tiny)).encoder
    before = hidden(encoder)
    prefix.enable(encoder)
    assert torch.equal(hidden(encoder), before)


def test_prefix_acts_on_every_layer_and_padding_stays_invisible(tiny: Path) -> None:
    encoder = load_backbone(str(tiny)).encoder
    before = hidden(encoder)
    prefix.add_prefixes(encoder, {"input_ids": IDS, "attention_mask": MASK}, [0, 3, 5, 7])
    layers = [module.prefix for module in encoder.modules() if hasattr(module, "prefix")]
    assert [tuple(layer.keys.shape) for layer in layers] == [(2, 4, 16)] * 2
    after = hidden(encoder)
    assert (after - before).abs().max() > 1e-3
    changed = IDS.clone()
    changed[1, 3:] = 99
    assert torch.allclose(hidden(encoder, changed)[1, :3], after[1, :3], atol=1e-6)
    assert torch.allclose(hidden(encoder, IDS[1:, :3], MASK[1:, :3])[0], after[1, :3], atol=1e-6)


def test_prefix_equals_concatenation_by_hand(tiny: Path) -> None:
    """The first layer's attention with a prefix is softmax(q [P_k; K]^T / sqrt(d)) [P_v; V]."""
    encoder = load_backbone(str(tiny)).encoder
    prefix.add_prefixes(encoder, {"input_ids": IDS, "attention_mask": MASK}, [1, 4, 6])
    attention = encoder.encoder.layer[0].attention.self
    states = torch.randn(1, 4, 32)

    def heads(values: torch.Tensor) -> torch.Tensor:
        return values.view(1, 4, 2, 16).transpose(1, 2)

    with torch.inference_mode():
        found = attention(states)[0]
        key = torch.cat([attention.prefix.keys[None], heads(attention.key(states))], 2)
        value = torch.cat([attention.prefix.values[None], heads(attention.value(states))], 2)
        weights = torch.softmax(heads(attention.query(states)) @ key.transpose(-1, -2) / 4, -1)
        expected = (weights @ value).transpose(1, 2).reshape(1, 4, 32)
    assert torch.allclose(found, expected, atol=1e-5)


def test_backbone_outside_the_registry_is_refused() -> None:
    class Own(torch.nn.Module):
        def set_attn_implementation(self, name: str) -> None:
            pass

        def forward(self, **_: torch.Tensor) -> None:
            pass

    with pytest.raises(UserError, match="`prompt_length` 0"):
        prefix.add_prefixes(Own(), {"attention_mask": MASK}, [0])


@pytest.mark.parametrize("fixture", ["qa_run", "pair_run"])
def test_lowered_module_is_plain_and_equal(fixture: str, request: pytest.FixtureRequest) -> None:
    model = load_run(request.getfixturevalue(fixture)).model
    plain = lower(model)
    assert not any("lora" in name for name, _ in plain.named_modules())
    assert not any(value.requires_grad for value in plain.parameters())
    with torch.inference_mode():
        expected, found, again = model(IDS, MASK), plain(IDS, MASK), lower(plain)(IDS, MASK)
    for name, value in expected.items():
        assert torch.allclose(found[name], value, atol=1e-5)
        assert torch.equal(again[name], found[name])
    assert any("lora" in name for name, _ in model.named_modules()), "lowering must leave the run as it is"


def test_only_what_lrc_added_is_trained(tiny: Path) -> None:
    backbone = load_backbone(str(tiny))
    frozen = {name: value.clone() for name, value in backbone.encoder.state_dict().items()}
    model = build_model(backbone, settings_of(), {"input_ids": IDS, "attention_mask": MASK}).train(False)
    names = set(model.trained_state())
    assert all(".prefix." in name or "lora_" in name or name.startswith("head.") for name in names)
    assert sum(".prefix." in name for name in names) == 4
    assert sum("lora_" in name for name in names) == 24
    state = model.state_dict()
    for name, value in frozen.items():
        path, _, leaf = name.rpartition(".")
        base = state.get(f"encoder.{name}", state.get(f"encoder.{path}.base_layer.{leaf}"))
        assert torch.equal(base, value)


def test_labels_hold_whole_characters_and_words() -> None:
    encoder = TextEncoder(make_tokenizer("bert"), Windowing(64, 16, 24))
    context = "Rosskopf पर्वत की ऊँचाई, ক্ষিতি, แม่น้ำ e\u0301tage."
    cut = {"पर्व": "पर्वत", "क": "की", "ক্": "ক্ষি", "น้": "น้ำ", "e": "e\u0301", "Ross": "Ross"}
    for answer, taught in cut.items():
        start = context.index("की" if answer == "क" else answer)
        question = [Question("1", "hi", "", "Rosskopf?", context, ((answer, start),))]
        whole = [Question("1", "hi", "", "Rosskopf?", context, ((taught, start),))]
        one, other = (Spans().features(questions, encoder, Scheme())[0] for questions in (question, whole))
        assert one.targets == other.targets and any(one.targets.values())
        first, last = (at - one.inputs.context_start for at in one.targets.values())
        assert taught in context[one.inputs.offsets[first, 0] : one.inputs.offsets[last, 1]]


@pytest.mark.parametrize("lang", ["en", "ar", "hi", "zh"])
def test_labels_point_at_the_answer(lang: str) -> None:
    questions = read_questions(EXAMPLES / f"qa.{lang}.json", lang, BadExamples(False))
    encoder = TextEncoder(make_tokenizer(), Windowing(64, 16, 24))
    features = Spans().features(questions, encoder, Scheme())
    answers = {question.id: question for question in questions}
    held = set()
    for feature in features:
        start, end = feature.targets.values()
        if (start, end) == (0, 0):
            continue
        held.add(feature.id)
        first, last = start - feature.inputs.context_start, end - feature.inputs.context_start
        question = answers[feature.id]
        text, begin = question.answers[0]
        offsets = feature.inputs.offsets
        assert text in question.context[offsets[first, 0] : offsets[last, 1]]
        # No token more than needed: the outermost ones touch the answer.
        assert offsets[first, 1] > begin and offsets[last, 0] < begin + len(text)
    assert held == set(answers)
    assert any(not any(feature.targets.values()) for feature in features)
    assert locate(features[0].inputs, 10**6, 10**6 + 5) == (0, 0)


def test_schedule_keeps_translations_together_and_repeats_itself() -> None:
    encoder = TextEncoder(make_tokenizer(), Windowing(384, 64, 32))
    features = [
        feature
        for lang in ("de", "hi", "zh")
        for feature in Spans().features(
            read_questions(EXAMPLES / f"qa.{lang}.json", lang, BadExamples(False)), encoder, Scheme()
        )
    ]
    source = Spans().features(read_questions(EXAMPLES / "qa.en.json", "en", BadExamples(False)), encoder, Scheme())
    batches = list(schedule(features, [], 0.2, 16, 60, seed=5))
    assert len(batches) == 60 and all(len(batch) <= 16 for batch in batches)
    assert [[f.id for f in batch] for batch in batches] == [
        [f.id for f in batch] for batch in schedule(features, [], 0.2, 16, 60, seed=5)
    ]
    shared = [collate(batch, encoder)["translations"] for batch in batches]
    assert sum(bool(matrix.any()) for matrix in shared) > 50
    mixed = [feature for batch in schedule(features[:8], source, 0.5, 16, 40, seed=5) for feature in batch]
    assert 0.4 < sum(feature.lang != "en" for feature in mixed) / len(mixed) < 0.6


@pytest.mark.parametrize("fixture", ["qa_run", "pair_run"])
def test_saved_run_holds_all_that_training_changed(fixture: str, tiny: Path, request: pytest.FixtureRequest) -> None:
    """Prefixes, adapters and head move in training, and the loaded run has them where training left them."""
    folder = request.getfixturevalue(fixture)
    state = load_file(folder / "adapter.safetensors")
    loaded = load_run(folder).model.trained_state()
    assert loaded.keys() == state.keys()
    assert all(torch.equal(loaded[name], value) for name, value in state.items())
    for part in (".prefix.keys", ".prefix.values", "lora_A", "lora_B", "head."):
        assert any(part in name for name in state), part
    assert all(value.abs().max() > 0 for name, value in state.items() if "lora_B" in name)


def test_prefixes_are_trained(tiny: Path, tmp_path: Path) -> None:
    few = load_file(train_tiny(tiny, tmp_path / "few", "qa", "--steps", 1) / "adapter.safetensors")
    more = load_file(train_tiny(tiny, tmp_path / "more", "qa", "--steps", 5) / "adapter.safetensors")
    for name, value in few.items():
        if ".prefix." in name:
            assert not torch.equal(value, more[name]), name
