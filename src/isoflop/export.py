"""What leaves the app: tables as CSV, and code that makes a fit or a plan again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version

import pandas as pd

from isoflop.document import as_text
from isoflop.fitting import Band, Fit
from isoflop.fitting.objective import Array
from isoflop.laws import Law
from isoflop.options import classes_in, code
from isoflop.planning import load_accelerators
from isoflop.planning.hardware import describe_accelerator
from isoflop.planning.planned import Planned
from isoflop.planning.scenario import Scenario
from isoflop.tables import LossTable, list_datasets, load_dataset

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def table_csv(table: LossTable) -> str:
    """Return every row of a table, excluded ones too, in canonical columns and units.

    Text that a spreadsheet would run as a formula is kept from it by a leading apostrophe.
    """
    frame = table.frame.copy()
    for name in frame:
        if frame[name].dtype.kind not in "biuf":
            frame[name] = frame[name].map(inert, na_action="ignore")
    frame.columns = pd.Index([inert(name) for name in frame.columns])
    return str(frame.to_csv(index=True, index_label="row"))


def runs_csv(table: LossTable) -> str:
    """Return parameters, tokens and loss of the rows that are not excluded."""
    return str(table.to_frame()[["params", "tokens", "loss"]].to_csv(index=False))


def predictions_json(
    result: Fit,
    inputs: Mapping[str, Array],
    losses: Array,
    found: Band | None,
    reason: str,
) -> str:
    """Return what a fit predicts at some points as JSON, with the band or why there is none."""
    return as_text(
        {
            "isoflop": version("isoflop"),
            "law": result.law.key,
            "fit": result.key,
            "table_fingerprint": result.table_fingerprint,
            "response": result.law.response,
            "loss_unit": result.loss_unit,
            "inputs": inputs,
            "prediction": losses,
            "band": found,
            "band_reason": reason,
        }
    )


def snippet(fit: Fit, *, table_code: str, law_code: str) -> str:
    """Return a Python script that makes the fit again with the package.

    Parameters
    ----------
    fit : Fit
    table_code : str
        Statements that bind ``table``, imports included.
    law_code : str
        Statements that bind ``law`` where ``table`` is known, imports included; see `law_snippet`.
    """
    values = "\n".join(f"    {name!r}: {value!r}," for name, value in fit.values.items())
    made = f"made with Isoflop {version('isoflop')}"
    options = fit.options
    if fit.law.key == "typed":  # what was fixed stands in the formula
        options = replace(options, params=tuple(p for p in options.params if not p.is_fixed))
    return f'''"""Fit of {fit.law.label} to {fit.table_id}, {made}."""

from isoflop.fitting import FitOptions, fit
{table_code}
{law_code}
options = {code(options)}
result = fit(law, table, options)

for name, value in result.values.items():
    print(f"{{name:>12}} = {{value:.8g}}")

# What the page showed.
shown = {{
{values}
}}
'''


def catalog_snippet(fit: Fit, planned: Planned | None = None) -> str:
    """Return a script that makes again a fit to a table of the catalog, and what was planned.

    Empty where the rows are other ones, which nobody else has.
    """
    known = {item.id for item in list_datasets() if item.is_here}
    if fit.table_id not in known or not fit.certificate.n_starts:
        return ""
    if load_dataset(fit.table_id).fingerprint != fit.table_fingerprint:
        return ""
    table_code = (
        f"from isoflop.tables import load_dataset\n\ntable = load_dataset({fit.table_id!r})"
    )
    script = snippet(fit, table_code=table_code, law_code=law_snippet(fit.law))
    return (
        script
        if planned is None
        else f"{script}\n{plan_snippet(planned.scenario, planned.fixed)}\n"
    )


def published_snippet(key: str, *, table_code: str) -> str:
    """Return a Python script that holds published parameters against a table.

    Parameters
    ----------
    key : str
        Of the published fit.
    table_code : str
        Statements that bind ``table``, imports included.
    """
    return f'''"""Published fit {key}, with Isoflop {version("isoflop")}."""

from isoflop.fitting.published import evaluate_published
from isoflop.laws import load_published_fits
{table_code}
result = evaluate_published(load_published_fits()[{key!r}], table)

for name, value in result.values.items():
    print(f"{{name:>12}} = {{value:.8g}}")
'''


def plan_snippet(scenario: Scenario, fixed: Mapping[str, float]) -> str:
    """Return statements that plan from ``result``, a fit, as a scenario says.

    Parameters
    ----------
    scenario : Scenario
    fixed : mapping of str to float
        Values of the law's other inputs, by table column.
    """
    device, budget, options = scenario.accelerator, scenario.budget, scenario.options
    names = classes_in(budget) | classes_in(options)
    lines = []
    if load_accelerators().get(device.key) == device:
        names.add("find_accelerator")
        made = f"find_accelerator({device.key!r})"
    else:
        lines.append("from isoflop.planning.hardware import parse_accelerator")
        made = f"parse_accelerator({device.key!r}, {describe_accelerator(device)!r})"
    lines = [f"from isoflop.planning import {', '.join(sorted(names))}, plan", *lines, ""]
    given = f", fixed={dict(fixed)!r}" if fixed else ""
    lines += [
        f"budget = {code(budget)}",
        f"accelerator = {made}",
        f"options = {code(options)}",
        f"best = plan(result, budget, accelerator, options{given})",
        "print(best.summary())",
    ]
    return "\n".join(lines)


def law_snippet(law: Law) -> str:
    """Return statements that bind ``law``, behind those that bind ``table``."""
    columns = {item.symbol: item.column for item in law.inputs}
    if law.key == "typed":
        return (
            "from isoflop.laws import typed_law\n\n"
            f"law = typed_law({law.formula!r}, table, response={law.response!r}, "
            f"params={law.param_names!r})"
        )
    lines = ["from isoflop.laws import load_laws", "", f"law = load_laws()[{law.key!r}]"]
    if list(columns) == ["x"]:
        lines[0] = "from isoflop.laws import load_laws, rebind"
        lines.append(f"law = rebind(law, {columns!r})")
    return "\n".join(lines)


def inert(value: object) -> object:
    """Return a cell so that a spreadsheet does not run it as a formula."""
    text = str(value)
    return "'" + text if text.startswith(_FORMULA_STARTS) else value
