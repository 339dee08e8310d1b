"""The Model Context Protocol: the same functions, answered in words."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

import isoflop as iso
from isoflop.server import bodies
from isoflop.server.mcp import server

TABLE = "pile-cerebras-pythia"


def asked(name: str, /, **given: Any) -> tuple[bool, str]:
    """Return whether a tool failed, and what it says."""

    async def call() -> tuple[bool, str]:
        async with Client(server()) as client:
            result = await client.call_tool(name, given)
            return bool(result.is_error), result.content[0].text

    return asyncio.run(call())


def test_every_function_is_a_tool_that_describes_what_it_takes() -> None:
    async def listed() -> dict[str, Any]:
        async with Client(server()) as client:
            return {tool.name: tool for tool in (await client.list_tools()).tools}

    tools = asyncio.run(listed())
    assert set(tools) == {*bodies.FUNCTIONS, "list"} - {"report"}  # a file for people
    assert "n_bootstrap" in tools["fit"].input_schema["properties"]["options"]["properties"]
    assert tools["plan"].description.startswith("Return the best run that a budget buys")


def test_a_tool_says_what_the_package_says() -> None:
    fit = iso.fit(TABLE, "kaplan_joint")
    assert asked("fit", table=TABLE, law="kaplan_joint") == (False, fit.summary())
    failed, text = asked("optimum", table=TABLE, law="kaplan_joint", compute_flop=["1e22 FLOP"])
    assert (failed, text) == (False, iso.optimum(fit, "1e22 FLOP").summary())
    failed, text = asked("predict", table=TABLE, law="kaplan_joint", at=[{"N": "7B", "D": "1T"}])
    assert json.loads(text)["prediction"] == fit.predict(N="7B", D="1T").tolist()
    failed, text = asked("compare_published", table=TABLE)
    assert (failed, text) == (False, iso.compare_published(TABLE).summary())
    failed, text = asked("model", name="Llama-3-8B")
    assert (failed, text) == (False, iso.model("Llama-3-8B").summary())
    failed, text = asked("list", what="laws")
    assert [law["key"] for law in json.loads(text)] == list(iso.laws().index)


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("fit", {"table": "nothing"}, "There is no data set called"),
        ("fit", {"table": {"upload": "x"}}, "There are no uploaded tables here."),
        ("read", {"table": {"text": "N,D,loss\n0.1,2,3.4\n1,20,2.6\n"}}, '"choices":[{"label"'),
        ("fit", {"table": TABLE, "options": {"seed": -1}}, "1 of the options cannot be used."),
        ("plan", {"table": TABLE}, "budget"),
        ("nothing", {}, "There is no tool nothing."),
    ],
)
def test_a_failure_says_what_to_do(name: str, given: dict[str, Any], said: str) -> None:
    failed, text = asked(name, **given)
    assert failed
    assert said in text
    assert "Traceback" not in text


@pytest.mark.slow
def test_the_command_serves_standard_input() -> None:
    async def call() -> str:
        command = StdioServerParameters(
            env={**os.environ},
            command=sys.executable,
            args=["-c", "from isoflop.cli import main; main(['mcp'])"],
        )
        async with Client(command) as client:
            return (await client.call_tool("list", {"what": "published"})).content[0].text

    assert "hoffmann" in asyncio.run(call())
