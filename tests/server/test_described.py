"""Whatever is sent, the API answers as its description says: never a page, never a traceback."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.core import NOT_SET
from schemathesis.generation.meta import TestPhase
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance
from starlette.applications import Starlette

from isoflop.server.mount import routes

TOKEN = "a-token-of-the-test"
ROWS = [(n, d, 1.7 + 400 / n**0.34 + 410 / d**0.28) for n in (1e8, 1e9, 9e9) for d in (2e9, 4e11)]
CSV = "params,tokens,loss\n" + "".join(f"{n:g},{d:g},{loss:.6f}\n" for n, d, loss in ROWS)

schema = schemathesis.openapi.from_asgi("/api/openapi.json", Starlette(routes=routes()))


@pytest.mark.slow
@schema.parametrize()
@settings(max_examples=3, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_answers_are_as_described(case: schemathesis.Case) -> None:
    # That a table, a law or a run exists, no description can say.
    beyond = [positive_data_acceptance]
    if case.meta and case.meta.phase.name is TestPhase.FUZZING and case.body is not NOT_SET:
        case.body = with_a_table(case.body)
        beyond.append(negative_data_rejection)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ISOFLOP_API_TOKEN", TOKEN)
        case.call_and_validate(headers={"Authorization": f"Bearer {TOKEN}"}, excluded_checks=beyond)


def with_a_table(body: Any) -> Any:
    """Let a generated body reach the function: its table is there, its fit is quick."""
    if not isinstance(body, dict):
        return body
    table = {"text": CSV}
    quick: dict[str, Any] = {"table": table, "tables": [table], "show": []}
    quick |= {"law": "E + A/N**alpha", "laws": ["E + A/N**alpha"], "objectives": ["huber_log"]}
    found = {**body, **{name: value for name, value in quick.items() if name in body}}
    options = body.get("options")
    if "table" in body and isinstance(options, dict):
        found["options"] = {**options, "n_bootstrap": 0}
    elif isinstance(options, dict) and isinstance(options.get("n_rows"), int):
        found["options"] = {**options, "n_rows": min(options["n_rows"], 100)}
    return found | ({"format": "html"} if body.get("format") == "pdf" else {})
