"""The same functions for programs that speak the Model Context Protocol: ``isoflop mcp``."""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import Any

from mcp import types
from mcp.server import Server, ServerRequestContext
from mcp.server.stdio import stdio_server
from pydantic import ValidationError

from isoflop import __version__, api, work
from isoflop.document import records
from isoflop.fitting import Fit
from isoflop.fitting.backtest import Backtest
from isoflop.fitting.extrapolation import Extrapolation
from isoflop.planning import Frontier, Plan
from isoflop.server import bodies, calls, problems
from isoflop.server.problems import Refused

LISTS = ("laws", "datasets", "accelerators", "published")
_LIST = types.Tool(
    name="list",
    description="List what can be named: laws, loss tables, accelerators or published fits.",
    input_schema={
        "type": "object",
        "properties": {"what": {"enum": list(LISTS)}},
        "required": ["what"],
        "additionalProperties": False,
    },
)
FUNCTIONS = {name: body for name, body in bodies.FUNCTIONS.items() if name != "report"}
"""A report is a file for people: there is nothing in it for an assistant that the others lack."""
_WITH_WORDS = {
    "isoflop-backtest": Backtest,
    "isoflop-fit": Fit,
    "isoflop-extrapolation": Extrapolation,
    "isoflop-plan": Plan,
    "isoflop-frontier": Frontier,
}
"""Results that say in words what their document holds."""


def server() -> Server[Any]:
    """Return the server: a tool a function, and one that lists what can be named."""
    return Server(
        "isoflop",
        version=__version__,
        instructions="Fit neural scaling laws to loss tables, predict and plan training runs.",
        on_list_tools=_tools,
        on_call_tool=_call,
    )


def run() -> None:
    """Serve standard input and output until they are closed."""

    async def serve() -> None:
        made = server()
        async with stdio_server() as (read, write):
            await made.run(read, write, made.create_initialization_options())

    asyncio.run(serve())


async def _tools(
    _context: ServerRequestContext[Any], _asked: types.PaginatedRequestParams | None
) -> types.ListToolsResult:
    made = [
        types.Tool(
            name=name,
            description=(getattr(calls, name).__doc__ or "").strip(),
            input_schema=body.model_json_schema(),
        )
        for name, body in FUNCTIONS.items()
    ]
    return types.ListToolsResult(tools=[*made, _LIST])


async def _call(
    _context: ServerRequestContext[Any], asked: types.CallToolRequestParams
) -> types.CallToolResult:
    try:
        return _answer(await _text(asked.name, asked.arguments or {}))
    except Refused as refused:
        return _failure(problems.of_refusal(refused).body)
    except ValidationError as error:
        return _failure(str(error).encode())
    except Exception as error:
        return _failure(problems.of_failure(error).body)


async def _text(name: str, given: dict[str, Any]) -> str:
    if name == _LIST.name and given.get("what") in LISTS:
        return json.dumps(records(getattr(api, given["what"])().reset_index()))
    if name not in FUNCTIONS:
        raise Refused(HTTPStatus.NOT_FOUND, f"There is no tool {name}.")
    arguments = FUNCTIONS[name].model_validate(given).arguments(_no_uploads)
    job = work.submit(getattr(calls, name), owner="mcp", **arguments)
    return _said(await asyncio.wrap_future(job))


def _said(document: str) -> str:
    """Return a document in words where its result has them: its arrays tell a reader little."""
    content = json.loads(document)
    kind: Any = _WITH_WORDS.get(str(content.get("format", "")).rpartition("-")[0])
    if kind is not None:
        return str(kind.from_json(document).summary())
    found = content.get("summary") or content.get("derived", {}).get("summary")
    return str(found or document)


def _no_uploads(_id: str) -> tuple[str, bytes]:
    raise Refused(
        HTTPStatus.NOT_FOUND,
        "There are no uploaded tables here.",
        hint="Give the table's text, or a name of the catalog.",
    )


def _answer(text: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)])


def _failure(content: bytes | memoryview) -> types.CallToolResult:
    text = bytes(content).decode()
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)], is_error=True)
