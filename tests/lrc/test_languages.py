"""Languages as users name them: in data sets, file names, scripts, metrics, exports."""

import json
import shutil
from pathlib import Path

import pytest

from lrc.data.scripts import script_share, scripts
from lrc.errors import UserError
from lrc.tasks.check import check
from lrc.tasks.registry import check_langs, find_task
from lrc.tasks.spans.metrics import span_scores
from tests.conftest import EXAMPLES, lrc
from tests.lrc.test_cli import QA, refused

# Languages that few tools know, and others that tags tell.
WRITTEN = {
    "Latn": "lg wo ny ln om mt uz az ku kmr sh sr-Latn sr_Latn_RS DEU tl zu uz-Latn-UZ ha",
    "Cyrl": "sr uz-Cyrl az_Cyrl mn tg",
    "Arab": "ckb uz_AF pa-PK fas ar_EG ku-Arab ur",
    "Tibt": "bo dz",
    "Ethi": "am ti amh",
    "Olck": "sat",
    "Deva": "hi mai bho npi_Deva",
    "Hani": "zh zh-Hans zh_TW yue zho_Hant",
    "Hani Hira Kana": "ja ja-JP",
    "Hang Hani": "ko kor",
    "": "xx german und tlh-x-own klingon!",
}


@pytest.mark.parametrize(("codes", "langs"), WRITTEN.items())
def test_scripts_of_languages_are_known(codes: str, langs: str) -> None:
    assert {lang: " ".join(scripts(lang)) for lang in langs.split()} == dict.fromkeys(langs.split(), codes)


def test_letters_are_counted_whatever_the_language_is_called() -> None:
    text = "བོདཡ abcd"
    assert script_share(text, "bo") == script_share(text, "bod") == script_share(text, "bo-CN") == 3 / 7
    assert script_share("Добар дан", "sr-Latn") == 0 and script_share("Добар дан", "sr_RS") == 1


@pytest.mark.parametrize(
    ("task", "given", "known"),
    [
        ("mlqa", "DE,zh-Hans,deu,de", ["de", "zh"]),
        ("xquad", "pt_BR", None),
        ("xquad", "ro-MD,zh_Hant_TW,en-US", ["ro", "zh", "en"]),
        ("tydiqa", "swh,ben", ["sw", "bn"]),
        ("pawsx", "jpn,ko_KR", ["ja", "ko"]),
        ("qa", "pt_BR,zh-Hans", ["pt_BR", "zh-Hans"]),
    ],
)
def test_data_sets_find_their_languages(task: str, given: str, known: list[str] | None) -> None:
    if known is None:
        with pytest.raises(UserError, match=r"`langs` pt_BR: xquad has"):
            check_langs(find_task(task), given.split(","))
    else:
        assert check_langs(find_task(task), given.split(",")) == known


@pytest.mark.parametrize("lang", ["zh", "zh-Hans", "zh_TW", "ZH", "zho", "cmn"])
def test_metrics_know_chinese_by_any_name(lang: str) -> None:
    assert span_scores("青石桥", ["石桥"], lang, "mlqa")[0] == pytest.approx(0.8)
    assert span_scores("青石桥", ["石桥"], "ja", "mlqa")[0] == 0


@pytest.mark.parametrize(("lang", "right"), [("de-AT", 1.0), ("DEU", 1.0), ("de_CH", 1.0), ("nl", 0.0)])
def test_metrics_know_articles_by_any_name(lang: str, right: float) -> None:
    assert span_scores("der Fluss", ["Fluss"], lang, "mlqa")[1] == right


@pytest.mark.parametrize(
    ("name", "lang"),
    [
        ("qa.pt_BR.json", "pt_BR"),
        ("qa.zh-Hans.json", "zh-Hans"),
        ("test-context-zh_Hant-question-en.json", "zh_Hant"),
        ("qa.DE.json", "DE"),
        ("sr_Latn/test_2k.json", "sr_Latn"),
        ("tydiqa-goldp.sw.train.json", "sw"),
        ("labels.json", ""),
    ],
)
def test_checks_read_tags_off_file_names(name: str, lang: str, tmp_path: Path) -> None:
    path = tmp_path / "labelled" / name
    path.parent.mkdir(parents=True)
    shutil.copy(EXAMPLES / "qa.zh.json", path)
    assert [report.lang for report in check([path], None, None, None, None, 30, False)] == [lang]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--script", "xyz"), "--script xyz: expected language=script"),
        (("--script", "xyz=Klingon"), "--script xyz=Klingon: no such script"),
        (("--script", "xyz=Zyyy"), "--script xyz=Zyyy: no such script"),
        (("--script", "x!=Latn"), "--script: 'x!' is no language tag"),
        (("--langs", "german!"), "--langs: 'german!' is no language tag"),
    ],
)
def test_bad_scripts_and_tags_are_refused(flags: tuple[str, ...], said: str, qa_run: Path, tmp_path: Path) -> None:
    assert said in refused("export", qa_run, "--out", tmp_path / "bundle", *flags)
    assert not (tmp_path / "bundle").exists()


def test_bad_tags_are_refused_wherever_they_are_given(tiny: Path, tmp_path: Path) -> None:
    out = ("--out", tmp_path / "out")
    assert "--langs: 'hi IN'" in refused(*QA, "--langs", "hi IN", "--backbone", tiny, *out)
    assert "--source-lang: 'en!'" in refused(*QA, "--source-lang", "en!", "--backbone", tiny, *out)
    assert "--lang: 'sw!'" in refused("pseudo", EXAMPLES / "passage.sw.txt", "--lang", "sw!", *out)
    assert "--lang: 'sw!'" in refused("data", "check", EXAMPLES / "qa.hi.json", "--lang", "sw!")


def test_own_files_are_named_as_the_user_names_them(tiny: Path, tmp_path: Path) -> None:
    """From labels to a bundle: files, card and manifest have the user's spelling, and what is served finds it."""
    for lang, known in {"hi_IN": "hi", "zh-Hans": "zh"}.items():
        shutil.copy(EXAMPLES / f"qa.{known}.json", tmp_path / f"qa.{lang}.json")
    run, bundle, pattern = tmp_path / "run", tmp_path / "bundle", tmp_path / "qa.{lang}.json"
    common = ("--task", "qa", "--train", pattern, "--langs", "hi_IN,zh-Hans", "--backbone", tiny, "--steps", 2)
    lrc("train", *common, "--shots", 4, "--out", run)
    lrc("export", run, "--fp32", "--langs", "hi,zh-Hans-CN,xyz,HI", "--script", "xyz=Ethi", "--out", bundle)
    manifest = json.loads((bundle / "lrc.json").read_text(encoding="utf-8"))
    assert manifest["languages"] == ["hi", "zh-Hans-CN", "xyz"]
    assert set(manifest["metrics"]["gate"]["languages"]) == {"hi", "zh-Hans-CN"}
    # What is not known of one language leaves the vocabulary whole.
    assert "vocabulary" in manifest["metrics"]
    scores = json.loads(lrc("eval", bundle, "--test", pattern, "--langs", "zh-Hans", "--json"))
    assert set(scores["languages"]) == {"zh-Hans"}
