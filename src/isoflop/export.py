"""What leaves the app: tables and curves as CSV, fits as JSON, and code that makes them again."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from isoflop.fitting import Band, Fit, FitOptions
from isoflop.laws import Law
from isoflop.planning import Plan
from isoflop.tables import LossTable

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


def fit_to_json(fit: Fit, *, extra: Mapping[str, Any] | None = None) -> str:
    """Return a fit as JSON: law, rows, options, estimates, uncertainty, certificate, notices.

    Parameters
    ----------
    fit : Fit
    extra : mapping, optional
        Added under its own keys, such as the provenance of a published fit.

    Notes
    -----
    Numbers that are not finite are written as null.
    """
    law = fit.law
    document = {
        "isoflop": version("isoflop"),
        "law": {
            "key": law.key,
            "label": law.label,
            "formula": law.formula,
            "inputs": {item.symbol: item.column for item in law.inputs},
            "response": law.response,
            "source": law.source,
        },
        "table": {
            "id": fit.table_id,
            "fingerprint": fit.table_fingerprint,
            "loss_unit": fit.loss_unit,
            "param_convention": fit.param_convention,
            "n_rows": fit.n_rows,
            "input_ranges": fit.input_ranges,
        },
        "options": asdict(fit.options),
        "values": fit.values,
        "parameters": [asdict(estimate) for estimate in parameter_estimates(fit)],
        "covariance": fit.covariance,
        "covariance_reason": fit.covariance_reason,
        "objective_value": fit.objective_value,
        "residual_std": fit.residual_std,
        "certificate": asdict(fit.certificate),
        "notices": [asdict(notice) for notice in fit.notices],
        **(extra or {}),
    }
    return json.dumps(_plain(document), indent=2, ensure_ascii=False)


def plan_to_json(plan: Plan) -> str:
    """Return a plan as JSON, in canonical units; numbers that are not finite are null."""
    document = {
        "isoflop": version("isoflop"),
        **asdict(plan),
        "tokens_per_param": plan.tokens_per_param,
        "usd": plan.cost.usd,
        "accelerator_hours": plan.cost.accelerator_hours,
    }
    return json.dumps(_plain(document), indent=2, ensure_ascii=False)


def predictions_to_json(
    fit: Fit, inputs: Mapping[str, Any], losses: ArrayLike, band: Band | None, reason: str = ""
) -> str:
    """Return what a fit predicts at some points as JSON.

    Parameters
    ----------
    fit : Fit
    inputs : mapping of str to array_like, shape (n,)
        Value of every input symbol.
    losses : array_like, shape (n,)
    band : Band or None
    reason : str
        Why there is no band; empty where there is one.
    """
    document = {
        "isoflop": version("isoflop"),
        "law": fit.law.key,
        "table_fingerprint": fit.table_fingerprint,
        "response": fit.law.response,
        "loss_unit": fit.loss_unit,
        "inputs": dict(inputs),
        "prediction": np.asarray(losses),
        "band": None if band is None else asdict(band),
        "band_reason": reason,
    }
    return json.dumps(_plain(document), indent=2, ensure_ascii=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterEstimate:
    """One fitted parameter, as a table shows it.

    Parameters
    ----------
    name : str
    value : float
    standard_error, lower, upper : float or None
        None where there is no uncertainty.
    unit, help : str
    basis : str
        What the uncertainty rests on, or why there is none.
    """

    name: str
    value: float
    standard_error: float | None
    lower: float | None
    upper: float | None
    unit: str
    help: str
    basis: str


def parameter_estimates(fit: Fit, level: float = 0.9) -> tuple[ParameterEstimate, ...]:
    """Return each parameter with its standard error and interval.

    Both come from the bootstrap draws (percentiles), else from the covariance (Student's t).
    """
    theta = fit.theta
    tails = np.array([(1 - level) / 2, (1 + level) / 2])
    if fit.draws is not None:
        error = np.std(fit.draws, axis=0, ddof=1)
        lower, upper = np.quantile(fit.draws, tails, axis=0)
        basis = f"From {len(fit.draws):,} bootstrap resamples of {fit.options.bootstrap}."
    elif fit.covariance is not None:
        error = np.sqrt(np.diagonal(fit.covariance))
        reach = error * stdtrit(fit.n_rows - len(theta), tails[1])
        lower, upper = theta - reach, theta + reach
        basis = "From the covariance of the residuals, without resampling."
    else:
        error = lower = upper = np.full(len(theta), np.nan)
        basis = f"No uncertainty: {fit.covariance_reason}"
    return tuple(
        ParameterEstimate(
            name=param.name,
            value=float(theta[index]),
            standard_error=_finite(error[index]),
            lower=_finite(lower[index]),
            upper=_finite(upper[index]),
            unit=param.unit,
            help=param.help,
            basis=basis,
        )
        for index, param in enumerate(fit.law.params)
    )


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def snippet(fit: Fit, *, table_code: str, law_code: str) -> str:
    """Return a Python script that makes the fit again with the package.

    Parameters
    ----------
    fit : Fit
    table_code : str
        Statements that bind ``table``, imports included.
    law_code : str
        Statements that bind ``law``, imports included; see `law_snippet`.
    """
    changed = {
        name: value
        for name, value in asdict(fit.options).items()
        if value != getattr(FitOptions(), name)
    }
    options = ", ".join(f"{name}={value!r}" for name, value in changed.items())
    values = "\n".join(f"    {name!r}: {value!r}," for name, value in fit.values.items())
    made = f"made with Isoflop {version('isoflop')}"
    return f'''"""Fit of {fit.law.label} to {fit.table_id}, {made}."""

from isoflop.fitting import FitOptions, fit
{law_code}
{table_code}
options = FitOptions({options})
result = fit(law, table, options)

for name, value in result.values.items():
    print(f"{{name:>12}} = {{value:.8g}}")

# What the page showed.
shown = {{
{values}
}}
'''


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

from isoflop.fitting.published import hold_against
from isoflop.laws import load_published_fits
{table_code}
result = hold_against(load_published_fits()[{key!r}], table)

for name, value in result.values.items():
    print(f"{{name:>12}} = {{value:.8g}}")
'''


def law_snippet(law: Law) -> str:
    """Return statements that bind ``law``."""
    columns = {item.symbol: item.column for item in law.inputs}
    if law.key == "typed":
        return (
            "from isoflop.laws import typed_law\n\n"
            f"law = typed_law({law.formula!r}, {sorted(set(columns.values()))!r})"
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


def _plain(value: Any) -> Any:
    """Return a value made of what JSON knows."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, np.integer):
        return int(value)
    return value
