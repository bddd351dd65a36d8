"""How the site is built: `make docs`. The pages are Markdown that reads well without it."""

import subprocess
import sys
from pathlib import Path

from sphinx.application import Sphinx

import lrc
from lrc.config.options import OPTIONS, PANELS
from lrc.config.presets import PRESETS
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
include_patterns = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "docs/**",
    "examples/README.md",
    "spec/*.md",
    "benchmarks/results/**",
]
exclude_patterns = [".*", "build", "dist", "runs", "studies", "bundles", "demo", "tests", "**/node_modules"]
source_suffix = {".md": "markdown"}
myst_heading_anchors = 3

# Two hyphens begin an option and are not a dash.
smartquotes = False
# Docstrings have code in single backticks.
default_role = "code"
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 100
# Attributes as a list in the class, each with the words of its docstring.
napoleon_use_ivar = True
autodoc_member_order = "bysource"
python_use_unqualified_type_names = True
nitpicky = True
# No inventories of other projects are fetched, and what is not public has no page.
nitpick_ignore_regex = [
    (r"py:.*", r"(asyncio|collections|contextlib|np|npt|numpy|os|pathlib|tokenizers|torch|typing)\..*"),
    (
        r"py:.*",
        r"lrc_runtime\.(batching|calibration|encoding)\.\w+|lrc_exporters\.(gate|vocabulary|quantisers)\.[\w.]+",
    ),
    (r"py:exc", r"\w+Error"),
    # Its keys have a page of their own.
    (r"py:class", r"lrc\.config\.options\.TrainOptions"),
]

templates_path = ["_templates"]
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_title = "lrc"
# The address of the site is the folder that it was built into.
html_additional_pages = {"index": "start.html"}
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}


def setup(app: Sphinx) -> None:
    """Fills the pages of the commands and of the options while the pages are read."""
    app.connect("source-read", _write_commands)
    app.connect("source-read", _write_options)


def _write_options(_app: Sphinx, page: str, source: list[str]) -> None:
    if page != "docs/reference/options":
        return
    rows = [f"| `{preset.name}` | {preset.what} |" for preset in PRESETS.values()]
    parts = [source[0], "## Presets", "\n".join(["| preset | what |", "|---|---|", *rows])]
    for panel in PANELS:
        rows = [
            f"| `{option.name}` | {'' if option.default is None else f'`{option.default!r}`'} | {option.full_help()} |"
            for option in OPTIONS.values()
            if option.panel == panel
        ]
        parts += [f"## {panel}", "\n".join(["| option | default | what |", "|---|---|---|", *rows])]
    source[0] = "\n\n".join(parts)


def _write_commands(_app: Sphinx, page: str, source: list[str]) -> None:
    if page != "docs/reference/commands":
        return
    typer = [sys.executable, "-m", "typer", "lrc.cli.app", "utils", "docs", "--name", "lrc"]
    text = subprocess.run(typer, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    # Its first line is a title, which the page has.
    parts = [
        source[0],
        text.partition("\n")[2],
        "## `lrc-runtime`\n\nThe runtime's own command, for devices without lrc.",
    ]
    for name, parser in command_line()[1].items():
        parts.append(f"### `lrc-runtime {name}`\n\n```text\n{parser.format_help()}```")
    source[0] = "\n\n".join(parts)
