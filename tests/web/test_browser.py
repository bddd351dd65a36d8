"""The folder in a real browser: it loads once, and answers with the network switched off and the server gone."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, expect, sync_playwright

import lrc_runtime
from tests.conftest import lrc, ort_web_or_skip
from tests.runtime.test_classes import TEXTS, make_bundle
from tests.web.hosts import HOSTS, serving

PASSAGES = {
    "ar": ("حملت ليلى الحليب إلى السوق كل صباح، ثم باعت الجبن في القرية.", "من حمل الحليب إلى السوق؟"),
    "hi": ("मीरा ने 1987 में पहाड़ी पर एक छोटा विद्यालय खोला। वहाँ सौ बच्चे पढ़ते थे।", "विद्यालय किसने खोला?"),
    "en": ("The ferry to Inchmoor 🛳 leaves at noon. Captain Rowan Pell steers it.", "Who steers the ferry?"),
}
READY = "text=Ready for use without a network"

CHROMIUM = os.environ.get("LRC_CHROMIUM") or shutil.which("chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed; apt-get install chromium")


@pytest.fixture
def chromium(tmp_path: Path) -> Iterator[BrowserContext]:
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(tmp_path, executable_path=CHROMIUM, args=FLAGS)
        yield context
        context.close()


@pytest.fixture
def bundle(request: pytest.FixtureRequest) -> Path:
    """The bundle of LRC_WEB_BUNDLE, or a tiny one."""
    named = os.environ.get("LRC_WEB_BUNDLE")
    return Path(named) if named else Path(request.getfixturevalue("qa_bundle"))


@pytest.fixture
def folder(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    ort_web_or_skip()
    out = tmp_path_factory.mktemp("web") / "site"
    lrc("web", bundle, "--out", out)
    return out


# Of each file that the page checked: how many bytes its headers and its content have, and how they are encoded.
KEPT = """async () => {
  const cache = await caches.open((await caches.keys())[0]);
  const files = (await cache.keys()).filter(({ url }) => /\\/(bundle|ort)\\/.*(bin|data|onnx)$/.test(url));
  return Promise.all(files.map(async (file) => {
    const { headers } = await cache.match(file);
    return [headers.get("content-length"), headers.get("content-encoding")];
  }));
}"""


@pytest.mark.parametrize("host", HOSTS)
def test_page_answers_without_a_network(bundle: Path, folder: Path, chromium: BrowserContext, host: str) -> None:
    page = chromium.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    with serving(folder, host) as address:
        page.goto(address)
        page.wait_for_selector(READY)
        chromium.set_offline(True)
    assert page.evaluate(KEPT) == [[None, None]] * 3
    page.reload()
    page.wait_for_selector(READY)
    expected = lrc_runtime.load_question_answerer(bundle)
    for lang, (context, question) in PASSAGES.items():
        if page.is_visible("#edit"):
            page.click("#edit")
        page.fill("#context", context)
        page.fill("#question", question)
        # By keyboard.
        page.press("#question", "Enter")
        page.wait_for_selector("#result:not([hidden])")
        page.wait_for_function("text => document.querySelector('#reading').textContent === text", arg=context)
        marked = page.inner_text("mark.best")
        assert marked == page.inner_text("#answer") and marked in context
        assert marked == expected.answer(question, context).text, lang
        assert page.inner_text("#sure").endswith("% sure") and page.inner_text("#took").startswith("Answered in")
    found = Axe().run(page, options={"resultTypes": ["violations"]})
    assert found.violations_count == 0, found.generate_report()
    session = chromium.new_cdp_session(page)
    assert session.send("Page.getInstallabilityErrors") == {"installabilityErrors": []}
    assert not faults


def test_page_classifies_on_the_device(
    pair_bundle: Path, chromium: BrowserContext, tmp_path_factory: pytest.TempPathFactory
) -> None:
    ort_web_or_skip()
    root = tmp_path_factory.mktemp("topics")
    bundle = make_bundle(pair_bundle, root / "bundle", 1)
    lrc("web", bundle, "--out", root / "site")
    page = chromium.new_page()
    with serving(root / "site") as address:
        page.goto(address)
        page.wait_for_selector(READY)
        chromium.set_offline(True)
    expected = lrc_runtime.load_text_classifier(bundle)
    assert page.is_visible("#text") and not page.is_visible("#text-pair")
    for lang in ("ar", "hi", "th", "zh"):
        page.fill("#text", TEXTS[lang][0])
        page.press("#text", "Control+Enter")
        expect(page.locator("#class")).to_have_text(expected.classify(TEXTS[lang][0]).label)
        expect(page.locator("#class-sure")).to_contain_text("% sure")
        expect(page.locator("#classes li")).to_have_count(2)
