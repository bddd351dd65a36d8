"""The page in Chromium: it answers, marks the exact span, works by keyboard, and passes axe-core."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect, sync_playwright

from tests.fuzz import resign
from tests.runtime.serve.server import PATIENCE, Server, start
from tests.runtime.test_classes import TEXTS, make_bundle

CHROMIUM = os.environ.get("LRC_CHROMIUM") or shutil.which("chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
# In a surrogate pair a character counts two units of JavaScript's, and one of Python's.
CONTEXT = "🏔 Der Berg\nheißt Rosskopf. الجبل اسمه روسكوبف. पर्वत का नाम रोसकोफ है।"
QUESTION = "Wie heißt der Berg?"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed; apt-get install chromium")

Open = Callable[..., Page]


@pytest.fixture
def browse(tmp_path: Path) -> Iterator[Open]:
    """Opens a page in a browser with nothing in its profile, as wide and as light as asked."""
    with sync_playwright() as playwright:

        def browse(server: Server, width: int = 1280, scheme: str = "light", ready: bool = True) -> Page:
            context = playwright.chromium.launch_persistent_context(
                tempfile.mkdtemp(dir=tmp_path),
                executable_path=CHROMIUM,
                args=FLAGS,
                viewport={"width": width, "height": 800},
                color_scheme=scheme,  # type: ignore[arg-type]
            )
            context.set_default_timeout(1000 * PATIENCE)
            page = context.pages[0]
            # An error in a script, something that the policy forbids, or a request elsewhere fails the test.
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on(
                "request", lambda request: complaints.append(request.url) if elsewhere(server, request.url) else None
            )
            page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
            page.goto(server.address)
            if ready:
                expect(page.locator("#bundle option").first).to_be_attached()
            return page

        complaints: list[str] = []
        yield browse
        assert [one for one in complaints if "401 (Unauthorized)" not in one] == []


def elsewhere(server: Server, url: str) -> bool:
    return not url.startswith((server.address, "data:", "blob:"))


def assert_accessible(page: Page) -> None:
    report = Axe().run(page, options={"resultTypes": ["violations"]})
    assert report.violations_count == 0, report.generate_report()


def assert_marked(page: Page, server: Server, question: str, context: str, lang: str | None = None) -> str:
    """Asserts that what is marked is the span that the service names, where it names it, and returns it."""
    asked = {"question": question, "context": context, "top_k": 4, **({"lang": lang} if lang else {})}
    best = server.post("/v1/answer", asked).json["answers"][0]
    mark = page.locator("mark.best")
    expect(mark).to_have_text(best["text"])
    before = mark.evaluate(
        """mark => {
            const range = document.createRange();
            range.selectNodeContents(document.getElementById("reading"));
            range.setEndBefore(mark);
            return [range.toString().length, document.getElementById("reading").textContent];
        }"""
    )
    assert before == [best["utf16_start"], context]
    expect(page.locator("#answer")).to_have_text(best["text"])
    expect(page.locator("#sure")).to_contain_text("% sure")
    expect(page.locator("#took")).to_contain_text("Answered in")
    return str(best["text"])


def test_the_page_answers_by_keyboard_alone_and_is_accessible(server: Server, browse: Open, pair_bundle: Path) -> None:
    page = browse(server)
    assert_accessible(page)
    keys = page.keyboard
    keys.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    keys.press("Enter")
    for _ in range(2):
        keys.press("Tab")
    expect(page.locator("#context")).to_be_focused()
    keys.insert_text(CONTEXT)
    keys.press("Tab")
    keys.insert_text(QUESTION)
    keys.press("Enter")
    assert_marked(page, server, QUESTION, CONTEXT)
    assert_accessible(page)
    # Another candidate is pointed at.
    second = page.locator("#runners button").nth(1)
    second.focus()
    keys.press("Enter")
    expect(page.locator("mark.best")).to_have_text(second.locator("bdi").inner_text())
    expect(second).to_have_attribute("aria-pressed", "true")
    # The other tab, by arrow keys.
    page.locator("#tab-ask").focus()
    keys.press("ArrowRight")
    expect(page.locator("#tab-compare")).to_be_focused()
    expect(page.locator("#bundle")).to_have_value(pair_bundle.name)
    page.locator("#first").focus()
    keys.insert_text("वह घर गया।")
    keys.press("Tab")
    keys.insert_text("वह घर चला गया।")
    keys.press("Control+Enter")
    expect(page.locator("#label")).to_have_text("They mean the same" if verdict(server) else "They differ")
    assert_accessible(page)
    # The model card, opened and closed.
    page.locator("#open-card").focus()
    keys.press("Enter")
    expect(page.locator("#card-text h2").first).to_contain_text("paraphrase")
    assert_accessible(page)
    keys.press("Escape")
    expect(page.locator("#card")).to_be_hidden()


def verdict(server: Server) -> bool:
    asked = {"first": "वह घर गया।", "second": "वह घर चला गया।"}
    return bool(server.post("/v1/compare", asked).json["label"] == "paraphrase")


def test_the_page_reads_files_says_what_is_wrong_and_fits_a_phone(server: Server, browse: Open, tmp_path: Path) -> None:
    page = browse(server, 360, "dark")
    file = tmp_path / "text.txt"
    file.write_bytes(b"\xff\xfe\x00")
    page.set_input_files("#file", file)
    expect(page.locator("#error")).to_contain_text("not a UTF-8 text")
    page.locator("#ask-button").click()
    expect(page.locator("#error")).to_contain_text("Text: nothing is written there yet")
    file.write_text(CONTEXT, encoding="utf-8")
    page.set_input_files("#file", file)
    expect(page.locator("#context")).to_have_value(CONTEXT)
    page.fill("#question", QUESTION)
    page.locator("#ask-button").click()
    assert_marked(page, server, QUESTION, CONTEXT)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert_accessible(page)
    page.locator("#edit").click()
    expect(page.locator("#context")).to_be_focused()
    expect(page.locator("#context")).to_have_value(CONTEXT)


def test_the_page_asks_for_the_token(qa_bundle: Path, browse: Open, tmp_path: Path) -> None:
    with start(tmp_path / "log", qa_bundle, token="open-sesame") as server:
        page = browse(server, ready=False)
        expect(page.locator("#sign-in")).to_be_visible()
        assert_accessible(page)
        for given in ("wrong", "open-sesame"):
            page.fill("#token", given)
            page.keyboard.press("Enter")
        expect(page.locator("#bundle option")).to_have_text([qa_bundle.name])
        expect(page.locator("#sign-in")).to_be_hidden()


def test_examples_and_languages_meet_in_any_spelling(browse: Open, qa_copy: Path, tmp_path: Path) -> None:
    resign(qa_copy, {"languages": ["AR", "hi_IN", "zh-Hans", "sr_Latn"]})
    with start(tmp_path / "log", str(qa_copy)) as server:
        page = browse(server)
        names = ["not said", "Arabic", "Hindi (India)", "Simplified Chinese", "Serbian (Latin)"]
        expect(page.locator("#lang option")).to_have_text(names)
        buttons = page.locator("#example-list button")
        assert buttons.evaluate_all("all => all.map(one => one.lang)") == ["ar", "hi", "zh"]
        for lang, known in (("ar", "AR"), ("hi", "hi_IN"), ("zh", "zh-Hans")):
            page.reload()
            page.locator(f"#example-list button[lang={lang}]").click()
            expect(page.locator("#lang")).to_have_value(known)
            expect(page.locator("#error")).to_be_hidden()


@pytest.mark.parametrize("texts", [1, 2])
def test_the_page_shows_the_label_of_one_text_or_two(
    browse: Open, pair_bundle: Path, tmp_path: Path, texts: int
) -> None:
    # Names that are whole numbers have an order of their own in JavaScript.
    labels = ["2", "रोचक", "1"]
    bundle = make_bundle(pair_bundle, tmp_path / "topics", texts)
    resign(bundle, {"labels": labels})
    with start(tmp_path / "log", bundle) as server:
        page = browse(server)
        expect(page.locator("#tab-ask")).to_be_disabled()
        expect(page.locator("#tab-classify")).to_have_attribute("aria-selected", "true")
        expect(page.locator("#text-pair")).to_be_visible(visible=texts == 2)
        for lang in ("ar", "hi", "th", "zh"):
            given = TEXTS[lang][:texts]
            asked = dict(zip(("text", "text_pair"), given, strict=False))
            found = server.post("/v1/classify", asked).json
            for field, text in zip(("#text", "#text-pair"), given, strict=False):
                page.fill(field, text)
            page.locator("#text").press("Control+Enter")
            expect(page.locator("#class")).to_have_text(found["label"])
            expect(page.locator("#class-sure")).to_have_text(f"{round(100 * found['score'])} % sure")
            others = sorted(labels, key=lambda label: -found["probabilities"][label])[1:]
            expect(page.locator("#classes bdi")).to_have_text(others)
            expect(page.locator("#class-took")).to_contain_text("by topics")
        assert_accessible(page)
        page.fill("#text-pair" if texts == 2 else "#text", " ")
        page.locator("#classify-button").click()
        expect(page.locator("#error")).to_contain_text("Second text: nothing" if texts == 2 else "Text: nothing")


@pytest.mark.slow
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light")])
def test_the_page_answers_its_examples_rightly(browse: Open, tmp_path: Path, width: int, scheme: str) -> None:
    """With a real bundle, named by LRC_SERVE_BUNDLE."""
    bundle = os.environ.get("LRC_SERVE_BUNDLE")
    if not bundle:
        pytest.skip("LRC_SERVE_BUNDLE names no bundle")
    expected = {"en": "142", "ar": "مريم الحداد", "hi": "सुशीला देवी"}
    with start(tmp_path / "log", bundle) as server:
        for lang, answer in expected.items():
            page = browse(server, width, scheme)
            button = page.locator(f"#example-list button[lang={lang}]")
            question = button.locator("bdi").inner_text()
            button.focus()
            page.keyboard.press("Enter")
            expect(page.locator("#answer")).to_have_text(answer)
            context = page.locator("#context").input_value()
            assert assert_marked(page, server, question, context, lang) == answer
            direction = page.locator("#reading > div").evaluate("one => getComputedStyle(one).direction")
            assert direction == ("rtl" if lang == "ar" else "ltr")
            expect(page.locator("#verdict")).to_be_hidden()
            assert_accessible(page)
            page.context.close()
