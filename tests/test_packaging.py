"""The wheel is complete, and the pins agree with what the package declares."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from hatch_build import described
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from tests.api.test_user_code import blocks

import isoflop

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def pins(name: str) -> dict[str, Requirement]:
    """Return the requirements of one file by canonical name, without options and ``-e .``."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    stripped = (line.partition("#")[0].strip() for line in lines)
    found = [Requirement(line) for line in stripped if line and not line.startswith("-")]
    assert len({item.name for item in found}) == len(found), f"{name} names a package twice"
    return {canonicalize_name(item.name): item for item in found}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel without the network and unpack it, as pip would into site-packages."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder / "site-packages")
    return folder / "site-packages"


def test_the_wheel_carries_every_data_file(wheel: Path) -> None:
    data = ROOT / "data"
    expected = {path.relative_to(data) for path in data.rglob("*") if path.is_file()}
    packed = wheel / "isoflop" / "_data"
    assert {path.relative_to(packed) for path in packed.rglob("*") if path.is_file()} == expected
    assert (wheel / "isoflop" / "py.typed").is_file()
    assert {path.name for path in wheel.iterdir()} == {
        "isoflop",
        f"isoflop-{isoflop.__version__}.dist-info",
    }


def test_the_wheel_carries_the_app(wheel: Path) -> None:
    packed = wheel / "isoflop" / "_app"
    for name in ("app.py", ".streamlit/config.toml"):
        assert (packed / name).read_bytes() == (ROOT / name).read_bytes()
    pages = {path.name for path in (packed / "pages").glob("*.py")}
    assert pages == {path.name for path in (ROOT / "pages").glob("*.py")}


def test_what_an_index_shows_of_the_package_leads_nowhere_that_is_not_there(wheel: Path) -> None:
    (info,) = wheel.glob("*.dist-info/METADATA")
    shown = info.read_text(encoding="utf-8").partition("\n\n")[2]
    assert "# Isoflop" in shown
    assert not re.findall(r"\]\((?!https?:)[^)]*\)", shown)


def test_links_and_pictures_of_the_readme_lead_to_the_repository() -> None:
    readme = (
        "See [`a` b](docs/a.md#c), [there](https://example.org/d).\n\n![A picture](docs/e.png)\n"
    )
    assert described(readme, "https://example.org/r") == (
        "See [`a` b](https://example.org/r/blob/HEAD/docs/a.md#c), [there](https://example.org/d)."
        "\n\n![A picture](https://example.org/r/raw/HEAD/docs/e.png)\n"
    )
    assert described(readme, "") == "See `a` b, [there](https://example.org/d).\n\n\n"


READ_FILES = """
import sys
sys.path.insert(0, {wheel!r})
from isoflop.data import app_root, data_root, read_toml
assert read_toml("laws.toml")
print(data_root(), app_root())
"""


def test_an_installed_wheel_reads_its_own_files(wheel: Path, tmp_path: Path) -> None:
    # Without site-packages, so that the editable install cannot be what answers.
    command = [sys.executable, "-S", "-c", READ_FILES.format(wheel=str(wheel))]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    package = wheel / "isoflop"
    assert run.stdout.strip() == f"{package / '_data'} {package / '_app'}", run.stderr


def core_closure() -> set[str]:
    """Return the distributions that an installation without extras brings."""
    found: set[str] = set()
    waiting = [Requirement(line) for line in PROJECT["dependencies"]]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name in found or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        found.add(name)
        waiting += [Requirement(line) for line in requires(name) or ()]
    return found


WITHOUT_EXTRAS = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent!r}:
            raise ModuleNotFoundError(f"{{name}} is not installed", name=name)

sys.meta_path.insert(0, Absent())
import isoflop
assert isoflop.__file__.startswith({wheel!r}), isoflop.__file__
"""


@pytest.mark.slow
def test_an_installed_wheel_without_extras_runs_the_page_of_user_code(
    wheel: Path, tmp_path: Path
) -> None:
    core = core_closure()
    absent = {
        module
        for module, providers in packages_distributions().items()
        if module != "isoflop" and not {canonicalize_name(name) for name in providers} & core
    }
    assert {"streamlit", "pyarrow", "torch", "pytest"} <= absent
    page = tmp_path / "page.py"
    code = blocks((ROOT / "docs" / "api.md").read_text(encoding="utf-8"))
    page.write_text(WITHOUT_EXTRAS.format(absent=absent, wheel=str(wheel)) + code, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(wheel), "ISOFLOP_DATA_MIRROR": str(tmp_path)}
    command = [sys.executable, "-W", "error", page.name]
    run = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "report.html").is_file()


def test_the_changelog_begins_with_what_is_next_or_now() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## \[([^\]]+)\]", changelog, flags=re.MULTILINE)
    assert newest is not None
    assert newest[1] in ("Unreleased", isoflop.__version__)


LOWEST = "requirements-lowest.txt"
REQUIREMENTS = ("requirements.txt", "requirements-train.txt", "requirements-dev.txt")


@pytest.mark.parametrize("name", [*REQUIREMENTS, LOWEST])
def test_every_requirement_is_pinned_exactly(name: str) -> None:
    loose = [str(item) for item in pins(name).values() if not str(item.specifier).startswith("==")]
    assert not loose


def test_the_pins_satisfy_what_the_package_declares() -> None:
    pinned = {name: pin for file in REQUIREMENTS for name, pin in pins(file).items()}
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    for requirement in (Requirement(line) for group in groups for line in group):
        pin = pinned.get(canonicalize_name(requirement.name))
        if pin is not None:  # heavy optional readers may stay out of the application
            (specifier,) = pin.specifier
            assert requirement.specifier.contains(specifier.version), str(requirement)
    core = {canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"]}
    assert core <= pins("requirements.txt").keys()


def test_the_lowest_versions_are_those_that_the_package_allows() -> None:
    """What `make lowest` tests: the first version that each range takes."""
    pinned = pins(LOWEST)
    for line in PROJECT["dependencies"]:
        declared = Requirement(line)
        (floor,) = (one.version for one in declared.specifier if one.operator == ">=")
        (pin,) = pinned[canonicalize_name(declared.name)].specifier
        assert Version(pin.version) == Version(floor), declared.name


def locked(name: str) -> dict[str, str]:
    """Return the versions of a file of hashes, each of which has some."""
    text = (ROOT / "locks" / name).read_text(encoding="utf-8")
    entries = re.findall(
        r"^(\S+)==(\S+).*\\\n((?: {4}--hash=sha256:[0-9a-f]{64}.*\n?)+)", text, re.M
    )
    assert len(entries) == len(re.findall(r"^\S+==", text, re.M)), f"{name}: not all have hashes"
    return {canonicalize_name(package): version for package, version, _ in entries}


@pytest.mark.parametrize("name", ["app.txt", "train.txt", "train-cpu.txt"])
def test_the_image_is_built_by_the_hashes_of_the_pins(name: str) -> None:
    """A lock that lags behind is written anew by `make lock`."""
    of_app = {package: str(pin.specifier)[2:] for package, pin in pins("requirements.txt").items()}
    of_training = {
        package: str(pin.specifier)[2:] for package, pin in pins("requirements-train.txt").items()
    }
    found = locked(name)
    if name == "app.txt":
        assert found == of_app, "run make lock"
        return
    assert of_training.keys() <= found.keys(), "run make lock"
    both = of_app | of_training
    assert {
        package: version.partition("+")[0] for package, version in found.items() if package in both
    }.items() <= both.items(), "run make lock"


def third_party(path: Path) -> set[str]:
    """Return the top-level modules that a source file imports from elsewhere."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
    return found - {"isoflop", "__future__"} - sys.stdlib_module_names


def test_every_library_that_is_imported_is_declared() -> None:
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    declared = {canonicalize_name(Requirement(line).name) for group in groups for line in group}
    providers = packages_distributions()
    for path in sorted((ROOT / "src").rglob("*.py")):
        for module in third_party(path):
            names = {canonicalize_name(name) for name in providers.get(module, [module])}
            assert names & declared, f"{path.name} imports {module}: declare {names}"


def test_every_core_dependency_is_imported() -> None:
    imported = set().union(*(third_party(path) for path in (ROOT / "src").rglob("*.py")))
    providers = packages_distributions()
    used = {canonicalize_name(name) for module in imported for name in providers.get(module, [])}
    core = {canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"]}
    assert core <= used, f"not imported any more: {core - used}"
