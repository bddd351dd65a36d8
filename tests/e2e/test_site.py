"""The site: built from the pages without a warning, whole, and without anything from elsewhere."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest
import typer

from lrc.cli.app import app
from lrc.config.options import OPTIONS
from lrc.config.presets import PRESETS
from lrc_runtime import __all__ as public
from lrc_runtime import cli as runtime
from tests.conftest import ROOT

# What a browser fetches by itself, by element.
FETCHED = {"link": "href", "script": "src", "img": "src", "source": "src", "iframe": "src"}


class Page(HTMLParser):
    """Collects what a page links to, what it fetches, and what can be linked to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.fetched: set[str] = set()
        self.anchors: set[str] = set()
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            if name == "id" and value:
                self.anchors.add(value)
            if tag == "a" and name == "href" and value:
                self.links.add(value)
            if FETCHED.get(tag) == name and value:
                self.fetched.add(value)

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built site."""
    out = tmp_path_factory.mktemp("site")
    recipe = re.search(r"sphinx-build (.*) build/docs$", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.M)
    assert recipe and "--fail-on-warning" in recipe.group(1)
    command = [sys.executable, "-m", "sphinx", *recipe.group(1).split(), str(out)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert not result.stderr
    return out


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {path.resolve(): Page(path) for path in site.rglob("*.html")}


def test_links_lead_to_pages_of_the_site(site: Path, pages: dict[Path, Page]) -> None:
    assert len(pages) > 20
    for path, page in pages.items():
        for link in page.links:
            if link.startswith(("https://", "http://")):
                continue
            target, anchor = urldefrag(unquote(link))
            there = (path.parent / target).resolve() if target else path
            assert there.is_file() and there.is_relative_to(site.resolve()), f"{path.name}: {link}"
            if anchor and there in pages:
                assert anchor in pages[there].anchors, f"{path.name}: {link}"


def test_site_fetches_nothing_from_elsewhere(site: Path, pages: dict[Path, Page]) -> None:
    for path, page in pages.items():
        for address in page.fetched:
            there = path.parent / urldefrag(unquote(address)).url.partition("?")[0]
            assert there.exists() or address.startswith("data:"), f"{path.name}: {address}"
    for style in site.rglob("*.css"):
        assert not re.search(r"url\(\s*['\"]?(https?:)?//|@import", style.read_text(encoding="utf-8")), style


def test_reference_holds_every_command_option_and_public_name(site: Path, pages: dict[Path, Page]) -> None:
    commands = pages[(site / "docs" / "reference" / "commands.html").resolve()]
    text = commands.text
    for name, command in typer.main.get_command(app).commands.items():
        for each, of in getattr(command, "commands", {"": command}).items():
            assert f"lrc-{name}-{each}".strip("-") in commands.anchors
            for parameter in of.params:
                for option in parameter.opts if parameter.param_type_name == "option" else []:
                    assert re.search(rf"(^|, ){option}\b", text, flags=re.M), option
    options = pages[(site / "docs" / "reference" / "options.html").resolve()].text.split()
    assert set(OPTIONS) <= set(options) and set(PRESETS) <= set(options)
    for name, parser in runtime.command_line()[1].items():
        assert f"lrc-runtime-{name}" in commands.anchors and parser.format_help() in text
    assert {f"lrc_runtime.{name}" for name in public} <= pages[(site / "docs/reference/python.html").resolve()].anchors
