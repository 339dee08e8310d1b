"""What every test may rely on: no network, no writes to a person's folders, no silent skips."""

from __future__ import annotations

import importlib
import ipaddress
import os
import resource
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import settings

# A test never asserts wall time: a busy machine is no fault of the code.
settings.register_profile("isoflop", deadline=None)
settings.load_profile("isoflop")

# The tests run in as many processes as there are cores: more threads in each would only wait.
os.environ.setdefault("OMP_NUM_THREADS", "1")

REPOSITORY = Path(__file__).resolve().parents[1]

# --- No connection beyond this machine ------------------------------------------------------------

_refused: list[str] = []


def _is_local(host: object) -> bool:
    if host in (None, "", b"", "localhost", b"localhost", "::"):
        return True
    text = host.decode() if isinstance(host, bytes) else str(host)
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _guard(event: str, arguments: tuple[object, ...]) -> None:
    """Refuse, as an audit hook, to look up or reach any host but this one."""
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = arguments[1]
        if not isinstance(address, tuple):  # a Unix socket's path, or a connected socket's None
            return
        host = address[0]
    else:
        return
    if not _is_local(host):
        _refused.append(str(host))
        raise RuntimeError(f"Tests may not reach the network: {host}")


sys.addaudithook(_guard)


@pytest.fixture(autouse=True)
def no_network() -> Iterator[None]:
    """Fail a test that tried to reach the network, even where the code under test hid the error."""
    _refused.clear()
    yield
    assert not _refused, f"the test tried to reach the network: {', '.join(_refused)}"


# --- No trace outside the test's own folder -------------------------------------------------------


@pytest.fixture(autouse=True)
def own_environment(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Start each test from default settings, with user data and caches in a folder of its own."""
    for name in [name for name in os.environ if name.startswith("ISOFLOP_")]:
        if not name.startswith("ISOFLOP_TEST_"):
            monkeypatch.delenv(name)
    # Of heavy work, only its own tests start processes.
    monkeypatch.setenv("ISOFLOP_EXECUTOR", "inline")
    monkeypatch.setenv("ISOFLOP_READY_WORKER", "off")
    # A page that runs without a browser has nobody's cookie.
    monkeypatch.setenv("ISOFLOP_IDENTITY", "local")
    home = tmp_path_factory.mktemp("user")
    monkeypatch.setenv("HOME", str(home))
    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(home / name.lower()))


# --- Data that is not part of the repository ------------------------------------------------------


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of public loss tables and known answers that lies beside the repository."""
    folder = REPOSITORY.parent / "shared"
    if not folder.is_dir():
        pytest.skip(f"needs the reference data in {folder}")
    return folder


@pytest.fixture
def mirror(shared: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Take downloads from a local folder, as without internet; return the folder."""
    folder = shared / "datasets"
    monkeypatch.setenv("ISOFLOP_DATA_MIRROR", str(folder))
    return folder


# --- Work in other processes ----------------------------------------------------------------------


@pytest.fixture(scope="session")
def jobs() -> Iterator[ModuleType]:
    """Return the functions that tests give to other processes, which find them by name."""
    folder = str(REPOSITORY / "tests" / "work")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        patch.setenv("PYTHONPATH", os.pathsep.join([folder, os.environ.get("PYTHONPATH", "")]))
        yield importlib.import_module("work_jobs")


# --- A real PostgreSQL ----------------------------------------------------------------------------


@pytest.fixture(scope="session")
def postgres() -> Iterator[Any]:
    """Return a server of our own."""
    # Where it is needed: a copy of this file runs alone, too.
    from benchmarks.faults.postgres import programs, serve

    if programs() is None:
        pytest.skip("needs PostgreSQL: install it")
    with serve() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_url(request: pytest.FixtureRequest) -> str:
    """Return the URL of an empty database, on a server of our own unless one is given."""
    given = os.environ.get("ISOFLOP_TEST_DATABASE_URL")
    return given or str(request.getfixturevalue("postgres").url)


# --- A slow test is marked as such ----------------------------------------------------------------

FOLDER_MARKERS = ("browser", "pages")
SLOW_MARKERS = ("slow", *FOLDER_MARKERS)
_cpu_s = pytest.StashKey[float]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--fail-slow-cpu",
        type=float,
        metavar="SECONDS",
        help="fail a test that takes more CPU time and is not marked slow, pages or browser",
    )


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark the tests of pages and of the browser by the folder that they are in."""
    for name in FOLDER_MARKERS:
        if item.path.is_relative_to(Path(__file__).parent / name):
            item.add_marker(name)


def _used_cpu_s() -> float:
    """Return the CPU time of this process and of those it waited for: a busy machine adds none."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Measure the test alone, without what its fixtures do once for several."""
    start_s = _used_cpu_s()
    try:
        yield
    finally:
        item.stash[_cpu_s] = _used_cpu_s() - start_s


def _reject_slow(item: pytest.Item, report: pytest.TestReport) -> None:
    limit_s = item.config.getoption("--fail-slow-cpu")
    if limit_s is None or report.when != "call" or not report.passed:
        return
    took_s = item.stash[_cpu_s]
    if took_s > limit_s and not any(item.get_closest_marker(name) for name in SLOW_MARKERS):
        report.outcome = "failed"
        report.longrepr = (
            f"{report.nodeid} took {took_s:.1f} s of CPU: make it cheaper, or mark it slow"
        )


# --- A skipped test proves nothing ----------------------------------------------------------------


def _reject_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if os.environ.get("CI") == "true" and report.skipped and not hasattr(report, "wasxfail"):
        where = report.longrepr
        reason = where[2] if isinstance(where, tuple) else str(where)
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid} may not be skipped under CI: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test that is slow and not marked so, and a skip under CI but for an accelerator."""
    report = yield
    _reject_slow(item, report)
    if item.get_closest_marker("gpu") is None:
        _reject_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Turn the skip of a whole module under CI into a failure."""
    report = yield
    _reject_skip(report)
    return report
