"""The documentation site builds without a warning, is whole, and asks nothing of any host."""

from __future__ import annotations

import re
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

import isoflop
from isoflop import plot

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
STRICTLY = ("--fail-on-warning", "--keep-going", "--quiet")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site as `make docs` does."""
    folder = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "sphinx", *STRICTLY, "-d", str(folder / "kept")]
    run = subprocess.run(
        [*build, str(ROOT / "docs"), str(folder / "html")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return folder / "html"


def test_make_builds_it_as_strictly() -> None:
    assert f"-m sphinx {' '.join(STRICTLY)} docs" in (ROOT / "Makefile").read_text()


def test_every_page_of_the_repository_has_its_place(site: Path) -> None:
    docs = ROOT / "docs"
    for path in docs.rglob("*.md"):
        assert (site / path.relative_to(docs).with_suffix(".html")).is_file(), path.name


def documented(site: Path) -> set[str]:
    """Return the Python names of the site's inventory, whose fifth line on is compressed."""
    text = zlib.decompress((site / "objects.inv").read_bytes().split(b"\n", 4)[4]).decode()
    return {line.split()[0] for line in text.splitlines() if " py:" in line}


def test_every_public_name_is_in_the_reference(site: Path) -> None:
    public = {f"isoflop.{name}" for name in isoflop.__all__} - {"isoflop.laws"}
    public |= {f"isoflop.plot.{name}" for name in plot.FIGURES}
    lacking = public - documented(site)
    assert not lacking, f"docs/reference.md should document {', '.join(sorted(lacking))}"


TAGS = re.compile(r"<(?:script|link|img|iframe|source)\b[^>]*>")
OUTSIDE = re.compile(r"(?:src|href)=.(?:https?:)?//")
# What a style holds within itself, as data, may name the namespace of SVG.
STYLES = re.compile(r"url\((?![\"']?data:)[^)]*//[^)]*\)|@import[^;]*")


def test_no_page_loads_anything_from_a_host(site: Path) -> None:
    pages = {path: path.read_text("utf-8") for path in site.rglob("*.html")}
    sheets = [path.read_text("utf-8") for path in site.rglob("*.css")]
    tags = [tag for page in pages.values() for tag in TAGS.findall(page)]
    assert len(tags) > len(pages)
    assert not [tag for tag in tags if OUTSIDE.search(tag)]
    assert not [url for text in (*pages.values(), *sheets) for url in STYLES.findall(text)]


def test_a_chinese_page_says_that_it_is_chinese(site: Path) -> None:
    for path in (site / "zh").glob("*.html"):
        assert '<html class="no-js" lang="zh-CN"' in path.read_text("utf-8")
    assert '<html class="no-js" lang="en"' in (site / "index.html").read_text("utf-8")
