"""The folder in a real browser: it loads once, and answers with the network switched off and the server gone."""

import functools
import http.server
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import lrc_runtime
from lrc import ort_web
from tests.conftest import lrc

PASSAGES = {
    "ar": ("حملت ليلى الحليب إلى السوق كل صباح، ثم باعت الجبن في القرية.", "من حمل الحليب إلى السوق؟"),
    "hi": ("मीरा ने 1987 में पहाड़ी पर एक छोटा विद्यालय खोला। वहाँ सौ बच्चे पढ़ते थे।", "विद्यालय किसने खोला?"),
    "en": ("The ferry to Inchmoor 🛳 leaves at noon. Captain Rowan Pell steers it.", "Who steers the ferry?"),
}
READY = "text=Ready for use without a network"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium is installed")
    with playwright.sync_playwright() as started:
        context = started.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("user"),
            executable_path=program,
            headless=True,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"],
        )
        yield context
        context.close()


@pytest.fixture(scope="module")
def bundle(request: pytest.FixtureRequest) -> Path:
    """The bundle of LRC_WEB_BUNDLE, or a tiny one."""
    named = os.environ.get("LRC_WEB_BUNDLE")
    return Path(named) if named else Path(request.getfixturevalue("qa_bundle"))


@pytest.fixture(scope="module")
def folder(bundle: Path, chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        ort_web.find_engine(None)
    except ort_web.UserError as error:
        pytest.skip(str(error))
    out = tmp_path_factory.mktemp("web") / "site"
    lrc("web", bundle, "--out", out)
    return out


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def test_page_answers_without_a_network(bundle: Path, folder: Path, chromium: Any) -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    page = chromium.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.goto(f"http://127.0.0.1:{server.server_port}/")
    page.wait_for_selector(READY)
    chromium.set_offline(True)
    server.shutdown()
    server.server_close()
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
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    found = axe.Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    session = chromium.new_cdp_session(page)
    assert session.send("Page.getInstallabilityErrors") == {"installabilityErrors": []}
    assert not faults
