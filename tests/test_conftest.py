"""The safety net of the test suite holds what it promises."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

CONFTEST = Path(__file__).with_name("conftest.py").read_text(encoding="utf-8")


def test_loopback_is_allowed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()


@pytest.mark.slow
def test_other_hosts_are_refused_even_if_the_code_hides_it(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(
        """
        import contextlib, socket

        def test_hidden():
            with contextlib.suppress(Exception):
                socket.create_connection(("192.0.2.1", 80), timeout=0.1)

        def test_name():
            with contextlib.suppress(Exception):
                socket.getaddrinfo("example.invalid", 80)
        """
    )
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(passed=2, errors=2)
    result.stdout.fnmatch_lines(["*tried to reach the network: 192.0.2.1*"])


def test_user_folders_are_replaced() -> None:
    assert Path(os.environ["XDG_DATA_HOME"]).is_relative_to(Path.home())
    assert "user" in Path.home().name


@pytest.mark.slow
@pytest.mark.parametrize(("ci", "failed"), [("true", 1), ("", 0)])
def test_a_skip_fails_only_under_ci(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, ci: str, failed: int
) -> None:
    monkeypatch.setenv("CI", ci)
    pytester.makeini("[pytest]\nmarkers = gpu")
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(
        """
        import pytest

        def test_plain():
            pytest.skip("no database here")

        @pytest.mark.gpu
        def test_accelerator():
            pytest.skip("no accelerator here")
        """
    )
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(failed=failed, skipped=2 - failed)
    if failed:
        result.stdout.fnmatch_lines(["*may not be skipped under CI: *no database here*"])


@pytest.mark.slow
def test_a_skipped_module_fails_under_ci(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile("import pytest\npytest.importorskip('no_such_module')")
    result = pytester.runpytest_subprocess()
    assert result.ret != 0
    result.stdout.fnmatch_lines(["*may not be skipped under CI: *no_such_module*"])


BUSY = "import time\nend_s = time.process_time() + 0.3\nwhile time.process_time() < end_s: pass"


@pytest.mark.slow
def test_a_test_that_takes_long_fails_unless_marked(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nmarkers =\n    slow\n    pages")
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(
        f"""
        import subprocess, sys, time
        import pytest

        BUSY = {BUSY!r}

        def test_itself():
            exec(BUSY)

        def test_its_child():
            subprocess.run([sys.executable, "-c", BUSY], check=True)

        @pytest.mark.slow
        def test_marked():
            exec(BUSY)

        @pytest.fixture(scope="module")
        def shared():
            exec(BUSY)

        def test_that_waits(shared):
            time.sleep(0.3)
        """
    )
    page = pytester.mkdir("pages") / "test_page.py"
    page.write_text(f"def test_page():\n    exec({BUSY!r})\n", encoding="utf-8")
    result = pytester.runpytest_subprocess("--fail-slow-cpu", "0.25")
    result.assert_outcomes(failed=2, passed=3)
    result.stdout.fnmatch_lines(["*test_its_child took 0.* s of CPU: make it cheaper*"])
    assert pytester.runpytest_subprocess("-m", "pages").parseoutcomes()["deselected"] == 4
