"""How the site is built: `make docs`. The pages are Markdown that reads well without it."""

import subprocess
import sys
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import lrc
from lrc_runtime.cli import command_line

ROOT = Path(__file__).parent.parent

project = "lrc"
author = "the lrc authors"
project_copyright = author
version = release = lrc.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]

# The sources are those of the whole repository, so that a link from a page to README.md or to a program leads there
# in the site as it does among the files.
root_doc = "docs/index"
include_patterns = ["README.md", "docs/**", "examples/README.md", "benchmarks/results/**"]
exclude_patterns = [".*", "build", "dist", "runs", "studies", "bundles", "demo", "tests", "**/node_modules"]
source_suffix = {".md": "markdown"}
myst_heading_anchors = 3

# Docstrings have code in single backticks.
default_role = "code"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_member_order = "bysource"
python_use_unqualified_type_names = True
nitpicky = True
# No inventories of other projects are fetched, and what is not public has no page.
nitpick_ignore_regex = [
    (r"py:.*", r"(asyncio|collections|contextlib|np|npt|numpy|os|pathlib|tokenizers|torch|typing)\..*"),
    (r"py:.*", r"lrc_runtime\.(batching|calibration|encoding)\.\w+|lrc_exporters\.(gate|vocabulary)\.\w+"),
    (r"py:exc", r"\w+Error"),
]

templates_path = ["_templates"]
html_theme = "furo"
html_title = "lrc"
# The address of the site is the folder that it was built into.
html_additional_pages = {"index": "start.html"}
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}


class CommandLine(SphinxDirective):
    """Writes down the options of `lrc` or `lrc-runtime` from the code that reads them."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Returns the sections of all commands."""
        text = {"lrc": _typer_help, "lrc-runtime": _argparse_help}[self.arguments[0]]()
        node = nodes.Element()
        self.state.nested_parse(StringList(text.splitlines(), self.arguments[0]), 0, node, match_titles=True)
        return node.children


def _typer_help() -> str:
    command = [sys.executable, "-m", "typer", "lrc.cli", "utils", "docs", "--name", "lrc"]
    text = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    # The page has the title.
    return text.partition("\n")[2]


def _argparse_help() -> str:
    parts = []
    for name, parser in command_line()[1].items():
        parts.append(f"## `lrc-runtime {name}`\n\n```text\n{parser.format_help()}```\n")
    return "\n".join(parts)


def setup(app: Sphinx) -> None:
    """Registers the directive."""
    app.add_directive("command-line", CommandLine)
