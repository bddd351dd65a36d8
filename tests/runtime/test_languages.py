"""Languages are found in any spelling, and what names none is refused."""

from pathlib import Path

import pytest

import lrc_runtime
from lrc_runtime import InputError
from lrc_runtime.calibration import Calibration
from lrc_runtime.languages import find_lang

CONTEXT = "Der Nil ist 6650 km lang. النيل طوله ٦٦٥٠ كم. नील नदी लंबी है।"


@pytest.mark.parametrize(
    ("tags", "known"),
    [
        ("de DE de-DE de_AT deu ger DEU de-Latn-DE-1996", "de"),
        ("pt pt_BR pt-PT por", "pt"),
        ("zh zh-TW zho chi cmn zh_Hant cmn-Hant-TW", "zh"),
        ("zh-Hans zh_hans_CN zho_Hans", "zh-Hans"),
        ("he iw heb iw-IL", "he"),
        ("sw swh swa swh_Latn sw-KE", "sw"),
        ("sr-Latn sh sr_Latn_RS", "sr_Latn"),
        ("no nb nb-NO nob", "no"),
        ("tw ak twi aka", "twi"),
        ("yue zh-yue zh-yue-HK", "yue"),
        ("klingon!", "klingon!"),
    ],
)
def test_spellings_of_a_language_find_it(tags: str, known: str) -> None:
    every = ["de", "pt", "zh", "zh-Hans", "he", "sw", "sr_Latn", "no", "twi", "yue", "klingon!"]
    assert {find_lang(tag, every) for tag in tags.split()} == {known}


@pytest.mark.parametrize("tag", ["german", "tlh", "fr", "sr-Cyrl", "und", "x-de", "i-de", "Klingon!", "d", "de!"])
def test_others_find_nothing(tag: str) -> None:
    assert find_lang(tag, ["de", "sr-Latn", "klingon!"]) is None
    assert find_lang(tag, []) is None


def test_a_less_exact_tag_finds_the_first_more_exact_one() -> None:
    known = ["zh-Hant", "zh_Hans", "pt_BR", "sr-Latn-RS"]
    assert [find_lang(tag, known) for tag in ("zh", "zh-Hans", "por", "sr", "sr-Latn", "sr-Cyrl", "pt-PT", "p")] == [
        *("zh-Hant", "zh_Hans", "pt_BR", "sr-Latn-RS", "sr-Latn-RS", None, None, None)
    ]


@pytest.mark.parametrize("lang", ["ar", "AR", "ar-EG", "ar_SA", "ara", "arb", "arb_Arab"])
def test_a_language_is_calibrated_in_any_spelling(lang: str) -> None:
    calibration = Calibration(languages={"ar": 1.5, "arz": -1.0})
    assert calibration.confidence(-1.0, lang) == calibration.confidence(-1.0, "ar") > calibration.confidence(-1.0)
    assert calibration.confidence(-1.0, "arz-EG") < calibration.confidence(-1.0, "fa") == calibration.confidence(-1.0)


@pytest.mark.parametrize("lang", ["german!", "", "de-", "-de", "de DE", "de\n", "dé", "x" * 9, "de" + "-x" * 40])
def test_what_is_no_tag_is_refused(lang: str, qa_bundle: Path, pair_bundle: Path) -> None:
    qa, pairs = lrc_runtime.load_question_answerer(qa_bundle), lrc_runtime.load_paraphrase_detector(pair_bundle)
    for call in (lambda: qa.answer("?", CONTEXT, lang=lang), lambda: pairs.compare("a", "b", lang=lang)):
        with pytest.raises(InputError, match=r"^lang: .* is no language tag") as caught:
            call()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("lang", ["de-DE", "zh_Hans", "german", "tlh", "i-klingon"])
def test_what_is_a_tag_is_taken(lang: str, qa_bundle: Path) -> None:
    qa = lrc_runtime.load_question_answerer(qa_bundle)
    assert qa.answer("Wie lang?", CONTEXT, lang=lang).text == qa.answer("Wie lang?", CONTEXT).text
