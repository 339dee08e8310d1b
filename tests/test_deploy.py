"""What stands in `deploy`: files that their programs accept, with commands that exist."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from streamlit.web.server.app_discovery import discover_asgi_app

from isoflop import settings
from isoflop.cli.main import build_parser
from isoflop.settings import SETTINGS
from isoflop.training.config import RunConfig
from isoflop.training.queue import default_worker_count

DEPLOY = Path(__file__).resolve().parents[1] / "deploy"
KUBERNETES = list(yaml.safe_load_all((DEPLOY / "kubernetes-ladder.yaml").read_text()))
SKYPILOT = yaml.safe_load((DEPLOY / "skypilot-ladder.yaml").read_text())


@pytest.mark.parametrize("resource", KUBERNETES, ids=lambda resource: resource["kind"])
def test_kubernetes_accepts_the_file(resource: dict[str, Any]) -> None:
    kubernetes_validate.validate(resource, kubernetes_validate.latest_version(), strict=True)


def test_the_volume_of_the_job_is_the_one_that_is_claimed() -> None:
    claim, job = KUBERNETES
    pod = job["spec"]["template"]["spec"]
    (data,) = [volume for volume in pod["volumes"] if "persistentVolumeClaim" in volume]
    assert data["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert job["spec"]["parallelism"] == job["spec"]["completions"]
    for container in pod["initContainers"] + pod["containers"]:
        assert data["name"] in {mount["name"] for mount in container["volumeMounts"]}


# --- Containers -----------------------------------------------------------------------------------

ROOT = DEPLOY.parent
COMPOSE = {
    name: yaml.safe_load((ROOT / name).read_text())
    for name in ("compose.yaml", "deploy/compose.yaml", "deploy/training.yaml")
}
SERVICES = [
    pytest.param(service, id=f"{name}-{label}")
    for name in ("compose.yaml", "deploy/compose.yaml")
    for label, service in COMPOSE[name]["services"].items()
]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
SERVER_BYTES = 1e9
"""What the server itself may take: benchmarks.load measures half of it with fifty people."""


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_is_locked_down(service: dict[str, Any]) -> None:
    assert service["cap_drop"] == ["ALL"]
    assert service["read_only"] is True
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "/tmp" in service["tmpfs"]
    assert {"cpus", "memory", "pids"} <= service["deploy"]["resources"]["limits"].keys()
    assert "healthcheck" in service or "build" in service  # the image has its own
    assert service["restart"] == "unless-stopped"
    for port in service.get("ports", ()):  # this machine alone, unless asked
        assert port.startswith("${BIND:-127.0.0.1}:")
    if "build" not in service:  # by digest where one is given
        assert re.fullmatch(r"\$\{[A-Z]+_IMAGE:-[a-z]+:[\w.-]+\}", service["image"])


def memory_bytes(service: dict[str, Any]) -> float:
    text = service["deploy"]["resources"]["limits"]["memory"]
    return float(text[:-1]) * {"m": 2**20, "g": 2**30}[text[-1]]


def default(text: str) -> str:
    """Return what a variable is unless it is set."""
    (found,) = re.findall(r":-([^}]*)", text)
    return str(found)


@pytest.mark.parametrize("name", ["compose.yaml", "deploy/compose.yaml"])
def test_the_limits_of_memory_add_up(name: str) -> None:
    app = COMPOSE[name]["services"]["app"]
    environment = app["environment"]
    jobs = int(default(environment["ISOFLOP_MAX_JOBS"])) * environment["ISOFLOP_JOB_MEMORY_MB"]
    without = SERVER_BYTES + 1e6 * jobs
    assert default(environment["ISOFLOP_TRAINING"]) == "off"
    assert without < memory_bytes(app)
    (of_run,) = (i.default for i in fields(RunConfig) if i.name == "memory_limit_bytes")
    at_most_two = 2  # on any machine: default_worker_count
    training = COMPOSE["deploy/training.yaml"]["services"]["app"]
    assert without + at_most_two * of_run < memory_bytes(training)
    assert default_worker_count() <= at_most_two


@pytest.mark.parametrize("name", ["compose.yaml", "deploy/compose.yaml"])
def test_a_mirror_is_passed_on_where_there_is_one(name: str) -> None:
    app = COMPOSE[name]["services"]["app"]
    assert "${DATA_MIRROR:-mirror}:/mirror:ro" in app["volumes"]
    assert app["environment"]["ISOFLOP_DATA_MIRROR"] == "${DATA_MIRROR:+/mirror}"
    assert "mirror" in COMPOSE[name]["volumes"]


@pytest.mark.parametrize("name", ["compose.yaml", "deploy/compose.yaml"])
def test_programs_can_be_let_in(name: str) -> None:
    environment = COMPOSE[name]["services"]["app"]["environment"]
    assert environment["ISOFLOP_API_TOKEN"] == "${API_TOKEN:-}"
    assert set(environment) <= {setting.name for setting in SETTINGS} | {
        "STREAMLIT_SERVER_COOKIE_SECRET"
    }


def test_replicas_share_one_secret_one_database_and_one_folder_of_runs() -> None:
    services = COMPOSE["deploy/compose.yaml"]["services"]
    app = services["app"]
    assert "ports" not in app  # or a second one could not start
    assert app["environment"]["STREAMLIT_SERVER_COOKIE_SECRET"].startswith("${COOKIE_SECRET:?")
    assert "@database/" in app["environment"]["ISOFLOP_DATABASE_URL"]
    assert app["environment"]["ISOFLOP_RUNS_FOLDER"].startswith("/data/")
    assert "data:/data" in app["volumes"]  # which is the home, where the API keeps its files
    assert "HOME=/data" in DOCKERFILE
    assert app["depends_on"]["database"]["condition"] == "service_healthy"
    assert "profiles" not in services["database"]  # a password alone cannot point at a missing host


def test_the_image_is_built_by_hashes_and_runs_without_rights() -> None:
    for line in re.findall(r"pip install .*", DOCKERFILE):
        assert "--require-hashes" in line or "--no-index" in line, line
    assert re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE) == ["${BASE}", "${BASE}"]
    assert re.search(r"^USER \d+:\d+$", DOCKERFILE, re.MULTILINE)
    assert "HEALTHCHECK" in DOCKERFILE
    assert "ISOFLOP_TRAINING=off" in DOCKERFILE
    base = re.search(r"^ARG BASE=(.+)$", DOCKERFILE, re.MULTILINE)
    assert base is not None
    for name in ("compose.yaml", "deploy/compose.yaml"):
        build = COMPOSE[name]["services"]["app"]["build"]
        assert build["args"]["BASE"] == f"${{BASE:-{base[1]}}}"
        assert set(build["args"]) == set(re.findall(r"^ARG ([A-Z_]+)", DOCKERFILE, re.MULTILINE))


# --- Ladders --------------------------------------------------------------------------------------


def commands() -> list[list[str]]:
    """Return the arguments of every `isoflop` that the files call."""
    pod = KUBERNETES[1]["spec"]["template"]["spec"]
    called = [item["command"] for item in pod["initContainers"] + pod["containers"]]
    script = re.sub(r"\$\(nproc\)", "2", SKYPILOT["run"])
    called += [shlex.split(line) for line in script.splitlines()]
    return [words[1:] for words in called if words and words[0].endswith("isoflop")]


def test_every_command_line_parses() -> None:
    parser = build_parser()
    assert len(commands()) == 2
    for words in commands():
        parser.parse_args([word.replace("$PRESET", SKYPILOT["envs"]["PRESET"]) for word in words])


# --- Public demos ---------------------------------------------------------------------------------

SETTINGS_PAGE = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
DEMO = SETTINGS_PAGE.partition("### A public demo")[2].partition("\n## ")[0]


def test_what_a_space_is_made_of_is_all_that_its_image_needs() -> None:
    (block,) = re.findall(r"```sh\n(.*?)```", DEMO, flags=re.DOTALL)
    taken = re.search(r"git archive HEAD (.*?) \|", block)
    assert taken is not None
    needed = re.findall(r"^!(\S+)", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    assert {*needed, "Dockerfile", ".dockerignore"} == {*taken[1].split(), "README.md"}
    assert "s/10001/1000/g" in block
    assert "10001" in DOCKERFILE


def test_a_space_is_told_which_port_the_image_answers() -> None:
    _, front, _ = (DEPLOY / "space" / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    told = yaml.safe_load(front)
    assert told["sdk"] == "docker"
    assert f"EXPOSE {told['app_port']}\n" in DOCKERFILE


def test_the_hosted_app_is_found_by_streamlit_and_starts_as_a_demo() -> None:
    script = DEPLOY / "community-cloud" / "streamlit_app.py"
    assert discover_asgi_app(script).is_asgi_app
    code = f"import runpy; demo = runpy.run_path({str(script)!r}); print(*demo['DEMO'])"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT
    )
    names = run.stdout.split()
    assert names, run.stderr
    assert set(names) <= {setting.name for setting in settings.SETTINGS}


def test_the_hosted_app_has_the_pins_of_the_image() -> None:
    folder = DEPLOY / "community-cloud"
    (line,) = (folder / "requirements.txt").read_text().splitlines()
    assert (folder / line.removeprefix("-r ")).resolve() == ROOT / "locks" / "app.txt"
