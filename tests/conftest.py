"""A tiny multilingual backbone, a run and bundles of it, made once a session without any download."""

import json
import os
import shutil
import unicodedata
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertModel
from typer.testing import CliRunner

from lrc.backbones.charsmap import build_charsmap
from lrc.cli.app import app
from lrc.config.resolve import resolve
from lrc.config.settings import TrainSettings
from lrc.lowering import ort_web

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples" / "data"
LANGS = ("en", "de", "es", "hi", "ar", "zh")


def data_dir() -> Path:
    """The real data sets; tests that read them skip where they are missing."""
    name = os.environ.get("LRC_DATA_DIR")
    if not name or not Path(name).is_dir():
        pytest.skip("LRC_DATA_DIR does not name the folder of the official data sets")
    return Path(name)


# Letters and signs that are written in several ways, as the built-in backbone's tokenizer reads them.
_FORMS = {
    form: unicodedata.normalize("NFKC", form)
    for form in map(chr, (*range(0xA0, 0x100), *range(0xFB00, 0xFB07), *range(0xFE70, 0xFEFD), *range(0xFF01, 0xFFEF)))
    if unicodedata.normalize("NFKC", form) != form
}


def ort_web_or_skip() -> None:
    """Skips a test that needs onnxruntime-web where npm does not give it."""
    try:
        ort_web.find_engine(None)
    except ort_web.UserError as error:
        pytest.skip(str(error))


def make_tokenizer(template: str = "roberta") -> Tokenizer:
    # By name: a new example must not change what the vocabulary knows.
    names = [*(f"{kind}.{lang}" for kind in ("qa", "pairs") for lang in LANGS), "passage.sw"]
    texts = [path.read_text(encoding="utf-8") for path in sorted(EXAMPLES.iterdir()) if path.stem in names]
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Precompiled(build_charsmap(_FORMS))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    tokenizer.train_from_iterator(
        texts, trainers.UnigramTrainer(vocab_size=2000, special_tokens=special, unk_token="<unk>", show_progress=False)
    )
    pairs = {
        "roberta": "<s> $A </s> </s> $B </s>",
        "bert": "<s>:0 $A:0 </s>:0 $B:1 </s>:1",
    }
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair=pairs[template], special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return tokenizer


def make_backbone(folder: Path, template: str = "roberta") -> Path:
    tokenizer = make_tokenizer(template)
    torch.manual_seed(7)
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=512,
        type_vocab_size=2 if template == "bert" else 1,
        pad_token_id=1,
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_backbone(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def tiny_types(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backbone that tells the two texts of a pair apart by token_type_ids."""
    return make_backbone(tmp_path_factory.mktemp("tiny_types"), "bert")


def settings_of(**asked: Any) -> TrainSettings:
    """Returns the settings of a run on the CPU, of questions in Hindi unless told otherwise."""
    return resolve({"task": "qa", "langs": ["hi"], "device": "cpu", "precision": "fp32", **asked})


def lrc(*arguments: object) -> str:
    """Runs a command that must succeed and returns what it printed on standard output."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def tiny_arguments(backbone: Path, out: Path, task: str, *extra: object) -> list[str]:
    pattern = "qa.{lang}.json" if task == "qa" else "pairs.{lang}.tsv"
    arguments = (
        *("train", "--task", task, "--train", EXAMPLES / pattern, "--langs", "de,hi,ar", "--shots", 8),
        *("--backbone", backbone, "--steps", 4, "--precision", "fp32", "--out", out, *extra),
    )
    return [str(argument) for argument in arguments]


def train_tiny(backbone: Path, out: Path, task: str, *extra: object) -> Path:
    lrc(*tiny_arguments(backbone, out, task, *extra))
    return out


def scores_of(model: Path, data: str) -> dict[str, dict[str, float]]:
    """Returns the scores of a run or bundle on the Hindi and Chinese examples, by language."""
    printed = lrc("eval", model, "--test", EXAMPLES / data, "--langs", "hi,zh", "--json")
    scores: dict[str, dict[str, float]] = json.loads(printed)["languages"]
    assert set(scores) == {"hi", "zh"}
    return scores


def assert_same_scores(run: Path, bundle: Path, data: str) -> None:
    """Asserts that a float32 bundle scores as its run does, but for one example a language.

    A tiny model that has learned next to nothing has near ties, which the last bit of a sum decides.
    """
    before, after = scores_of(run, data), scores_of(bundle, data)
    for lang, expected in before.items():
        assert after[lang] == pytest.approx(expected, abs=100 / expected["count"])


@pytest.fixture(scope="session")
def qa_run(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_tiny(tiny, tmp_path_factory.mktemp("runs") / "qa", "qa")


@pytest.fixture(scope="session")
def pair_run(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_tiny(tiny, tmp_path_factory.mktemp("runs") / "pairs", "paraphrase")


def _bundle(run: Path, precision: str) -> Path:
    out = run.parent / f"{run.name}-{precision}"
    lrc("export", run, f"--{precision}", "--out", out)
    return out


@pytest.fixture(scope="session")
def qa_bundle(qa_run: Path) -> Path:
    return _bundle(qa_run, "int8")


@pytest.fixture(scope="session")
def pair_bundle(pair_run: Path) -> Path:
    return _bundle(pair_run, "int8")


@pytest.fixture
def qa_copy(qa_bundle: Path, tmp_path: Path) -> Path:
    """A bundle to damage."""
    return Path(shutil.copytree(qa_bundle, tmp_path / "bundle"))
