"""How Sphinx makes the documentation site of these pages (``make docs``).

The pages are plain Markdown that reads as well in the repository. What stands here is what a site
adds: links to files of the repository lead to the page that shows them, and Chinese pages say so.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isoflop import __version__

if TYPE_CHECKING:
    from sphinx.application import Sphinx

DOCS = Path(__file__).parent

project = "Isoflop"
version = release = __version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
]

# --- Pages ----------------------------------------------------------------------------------------

myst_heading_anchors = 4  # as a repository's own pages have them
suppress_warnings = ["myst.header"]

SHOWN_AS = {
    "../CHANGELOG.md": "changelog.md",
    "../CONTRIBUTING.md": "contributing.md",
    "../README.md": "index.md",
    "../benchmarks/README.md": "benchmarks.md",
}
"""Files of the repository, as the pages link to them, and the page of the site that shows each."""

# --- Reference ------------------------------------------------------------------------------------

add_module_names = False
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # docstrings say types in words, with shapes and units
autodoc_default_options = {"members": True}
napoleon_google_docstring = False
napoleon_use_rtype = False
toc_object_entries_show_parents = "hide"

# --- Look: everything comes from the site itself --------------------------------------------------

html_theme = "furo"
html_title = f"Isoflop {version}"
html_copy_source = False
html_show_copyright = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#005F95", "color-brand-content": "#005F95"},
    "dark_css_variables": {"color-brand-primary": "#6DB5E8", "color-brand-content": "#6DB5E8"},
}


def lead_to_pages(_app: Sphinx, _name: str, source: list[str]) -> None:
    """Let links to files of the repository lead to the pages that show them."""
    for path, page in SHOWN_AS.items():
        source[0] = re.sub(rf"\]\({re.escape(path)}(?=[)#])", f"]({page}", source[0])


def say_language(
    _app: Sphinx, name: str, _template: str, context: dict[str, Any], _tree: object
) -> None:
    """Say of a page below ``zh`` that it is in Chinese, for browsers and screen readers."""
    if name.startswith("zh/"):
        context["language"] = "zh-CN"


def setup(app: Sphinx) -> None:
    """Add what this project's pages need."""
    app.connect("source-read", lead_to_pages)
    app.connect("html-page-context", say_language)
