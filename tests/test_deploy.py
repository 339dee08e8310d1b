"""What stands in `deploy`: files that their programs accept, with commands that exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from isoflop.cli.main import build_parser

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
