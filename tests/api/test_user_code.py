"""The pages of user code run from top to bottom, without the app's libraries."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)

WITHOUT_THE_APP = """
import sys
for name in ("streamlit", "starlette", "sqlalchemy", "torch"):
    sys.modules[name] = None  # an import of it raises
"""


def blocks(text: str) -> str:
    """Return the Python code of a page, in order."""
    return "\n".join(match[1] for match in BLOCK.finditer(text))


def run(code: str, folder: Path, mirror: Path | None = None) -> subprocess.CompletedProcess[str]:
    path = folder / "page.py"
    path.write_text(WITHOUT_THE_APP + code, encoding="utf-8")
    command = [sys.executable, "-W", "error", str(path)]
    environment = {**os.environ, "ISOFLOP_DATA_MIRROR": str(mirror or folder)}  # no download
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_the_page_of_user_code_runs_without_the_app(tmp_path: Path) -> None:
    done = run(blocks((ROOT / "docs" / "api.md").read_text(encoding="utf-8")), tmp_path)
    assert done.returncode == 0, done.stderr
    assert "There is no law called 'chinchila'" in done.stdout
    assert {"fit.json", "loss.html", "report.html"} <= {path.name for path in tmp_path.iterdir()}


@pytest.mark.slow
def test_the_figures_of_a_plan_are_made_as_its_page_says(tmp_path: Path) -> None:
    done = run(blocks((ROOT / "docs" / "planning.md").read_text(encoding="utf-8")), tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Agreement(n_runs=52" in done.stdout


@pytest.mark.slow
def test_the_readme_runs_as_printed_without_the_app(mirror: Path, tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.partition("## In Python\n")[2].partition("\n## ")[0]
    done = run(blocks(section), tmp_path, mirror)
    assert done.returncode == 0, done.stderr
    # Of all laws that suit the 245 rows, the one of lowest AICc.
    assert done.stdout.startswith("Chinchilla with interaction: loss = ")
    assert re.search(r"^245 rows of Chinchilla", done.stdout, re.MULTILINE)
    assert "90% confidence, 1 point" in done.stdout
    assert re.search(r"^accelerators +1,024 NVIDIA H100 SXM", done.stdout, re.MULTILINE)
    assert {"loss.html", "report.html"} <= {path.name for path in tmp_path.iterdir()}


START = """
import sys, time
started = time.perf_counter()
import isoflop as iso
names = dir(iso)
assert not {"numpy", "pandas", "plotly", "scipy", "isoflop.api"} & set(sys.modules), sys.modules
assert all(callable(getattr(iso, name)) or name == "plot" for name in iso.__all__), iso.__all__
assert iso.laws().index[0] == "chinchilla"
import isoflop.laws
assert iso.laws is isoflop.laws
print(len(names))
"""


@pytest.mark.slow
def test_nothing_is_imported_before_it_is_used(tmp_path: Path) -> None:
    done = run(START, tmp_path)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 20
