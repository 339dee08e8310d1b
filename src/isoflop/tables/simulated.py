"""Simulated loss tables for teaching: a known law, with noise and outliers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isoflop.errors import TableError
from isoflop.language import joined
from isoflop.language import lazy_gettext as _
from isoflop.options import Option, problems
from isoflop.tables.derive import FLOP_PER_PARAM_TOKEN
from isoflop.tables.schema import LossTable, Provenance
from isoflop.units import format_number

Array = NDArray[np.float64]
Design = Literal["isoflop", "grid", "random"]

CHINCHILLA_VALUES: Mapping[str, float] = {
    "E": 1.8172181,
    "A": 477.82589,
    "B": 2143.4173,
    "alpha": 0.34731050,
    "beta": 0.36717243,
}
"""Chinchilla's law, fitted by log-Huber to 240 digitised runs (arXiv 2404.10102)."""

_NAMES = frozenset(CHINCHILLA_VALUES)


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationOptions:
    """How a table is drawn from a known law.

    Parameters
    ----------
    design : {"isoflop", "grid", "random"}
        Runs along lines of equal compute around the best size, a grid of sizes and token budgets,
        or sizes and budgets drawn at random.
    noise : float
        Standard deviation of log loss.
    outliers : int
        Rows whose loss is raised by 5% to 25%.
    n_rows : int
        Number of runs; a grid takes the nearest square at or below it.
    seed : int

    Raises
    ------
    TableError
        Naming every option that is out of range.
    """

    design: Annotated[
        Design,
        Option(
            label=_("Design"),
            help=_("Runs at a few equal budgets (isoFLOP), on a grid of N and D, or at random."),
            choices={"isoflop": "IsoFLOP", "grid": _("Grid"), "random": _("Random")},
        ),
    ] = "isoflop"
    noise: Annotated[
        float,
        Option(
            label=_("Noise"), help=_("Standard deviation of the noise in log loss."), ge=0.0, le=1.0
        ),
    ] = 0.005
    outliers: Annotated[
        int,
        Option(
            label=_("Outliers"),
            help=_("Runs whose loss is raised by 5% to 25%, as if they had gone wrong."),
            ge=0,
        ),
    ] = 0
    n_rows: Annotated[
        int,
        Option(
            label=_("Runs"),
            help=_("How many runs are drawn; a grid takes the nearest square at or below."),
            flag="rows",
            ge=4,
            le=100_000,
        ),
    ] = 60
    seed: Annotated[
        int,
        Option(label=_("Seed"), help=_("Another seed draws other noise for the same runs."), ge=0),
    ] = 0

    def __post_init__(self) -> None:
        if found := problems(self):
            raise TableError(_("A simulated table cannot be made."), detail=joined("\n", found))


def simulated_table(
    law_values: Mapping[str, float] = CHINCHILLA_VALUES,
    *,
    noise: float = 0.005,
    outliers: int = 0,
    seed: int = 0,
    design: Design = "isoflop",
    n_rows: int = 60,
    compute_flop: tuple[float, float] = (1e18, 1e22),
) -> LossTable:
    """Return a table drawn from a known Chinchilla law E + A/N**alpha + B/D**beta.

    Parameters
    ----------
    law_values : mapping of str to float
        E, A, B, alpha and beta, for N in parameters, D in tokens and loss in nats per token.
    noise : float
        Standard deviation of log loss.
    outliers : int
        Rows whose loss is raised by 5% to 25%, as by a run that went wrong.
    seed : int
    design : {"isoflop", "grid", "random"}
        Runs along lines of equal compute around its optimum, a grid of sizes and token budgets,
        or sizes and budgets drawn at random.
    n_rows : int
        Number of runs; a grid takes the nearest product at or below it.
    compute_flop : (float, float)
        Range of training compute.

    Raises
    ------
    TableError
        If a value is missing, unknown, negative or not finite, or there are too few rows.
    """
    _check(
        _value_faults(law_values),
        noise=noise,
        outliers=outliers,
        n_rows=n_rows,
        compute_flop=compute_flop,
    )
    E, A, B, alpha, beta = (law_values[name] for name in ("E", "A", "B", "alpha", "beta"))
    truth = ", ".join(f"{name} = {law_values[name]:g}" for name in sorted(_NAMES))
    return simulate_runs(
        lambda params, tokens: E + A / params**alpha + B / tokens**beta,
        lambda flop: _optimal_params(flop, law_values),
        truth=truth,
        noise=noise,
        outliers=outliers,
        seed=seed,
        design=design,
        n_rows=n_rows,
        compute_flop=compute_flop,
    )


def simulate_runs(
    loss_of: Callable[[Array, Array], Array],
    optimal_params: Callable[[Array], Array],
    *,
    truth: str,
    noise: float,
    outliers: int,
    seed: int,
    design: Design,
    n_rows: int,
    compute_flop: tuple[float, float],
) -> LossTable:
    """Return a table drawn from any law of parameters and tokens.

    Parameters
    ----------
    loss_of : callable
        Maps params and tokens, shape (n,) each, to losses.
    optimal_params : callable
        Maps compute in FLOP, shape (n,), to the sizes that the design lies around.
    truth : str
        The law and its values, for the provenance.
    noise, outliers, seed, design, n_rows, compute_flop
        As `simulated_table`.

    Raises
    ------
    TableError
        If an option is out of range, or the law has no positive loss at some run.
    """
    _check([], noise=noise, outliers=outliers, n_rows=n_rows, compute_flop=compute_flop)
    rng = np.random.default_rng(seed)
    params, tokens, family = _design(design, n_rows, compute_flop, optimal_params, rng)
    loss = loss_of(params, tokens)
    if not (np.isfinite(loss) & (loss > 0)).all():
        raise TableError(
            _("A simulated table cannot be made."),
            detail=_("The law has no positive loss at some of its runs."),
            hint=_("Check the values of its parameters."),
        )
    loss = loss * np.exp(noise * rng.standard_normal(len(loss)))
    spoilt = rng.choice(len(loss), size=min(outliers, len(loss)), replace=False)
    loss[spoilt] *= 1.0 + rng.uniform(0.05, 0.25, size=len(spoilt))
    is_outlier = np.zeros(len(loss))
    is_outlier[spoilt] = 1.0
    frame = pd.DataFrame(
        {
            "params": params,
            "tokens": tokens,
            "compute_flop": FLOP_PER_PARAM_TOKEN * params * tokens,
            "loss": loss,
            "family": pd.Series(family, dtype="str"),
            "is_outlier": is_outlier,
        }
    )
    frame.index = pd.RangeIndex(1, len(frame) + 1)
    return LossTable(
        id=f"simulated-{design}",
        frame=frame,
        provenance=Provenance(
            title=_("Simulated runs ({design} design)", design=design),
            source=_(
                "Simulated by Isoflop from a known law: {truth}; noise {noise:g} in "
                "log loss, {spoilt} outliers, seed {seed}.",
                truth=truth,
                noise=noise,
                spoilt=len(spoilt),
                seed=seed,
            ),
            known_problems=(_("Simulated: nobody trained these models."),),
            is_simulated=True,
        ),
        param_convention="total",
        loss_unit="nats/token",
    )


def _value_faults(law_values: Mapping[str, float]) -> list[str]:
    faults = [_("{name} is missing", name=name) for name in sorted(_NAMES - set(law_values))]
    faults += [
        _("{name} is not a parameter of the law", name=name)
        for name in sorted(set(law_values) - _NAMES)
    ]
    return faults + [
        _("{name} is {value}; it must be positive", name=name, value=value)
        for name, value in law_values.items()
        if not (np.isfinite(value) and value > 0)
    ]


def _check(
    faults: list[str],
    *,
    noise: float,
    outliers: int,
    n_rows: int,
    compute_flop: tuple[float, float],
) -> None:
    low, high = compute_flop
    if not (np.isfinite(noise) and 0 <= noise <= 1):
        faults.append(_("noise is {noise}; it must lie between 0 and 1", noise=noise))
    if outliers < 0:
        faults.append(_("outliers is {outliers}; it must not be negative", outliers=outliers))
    if not 4 <= n_rows <= 100_000:
        faults.append(_("n_rows is {n_rows}; it must lie between 4 and 100,000", n_rows=n_rows))
    if not 0 < low < high < float("inf"):
        faults.append(_("the range of compute is {low:g} to {high:g} FLOP", low=low, high=high))
    if faults:
        raise TableError(_("A simulated table cannot be made."), detail=joined("; ", faults))


def _design(
    design: Design,
    n_rows: int,
    compute_flop: tuple[float, float],
    optimal_params: Callable[[Array], Array],
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], NDArray[np.float64], list[str]]:
    """Return parameters, tokens and family of every run."""
    log_low, log_high = (math.log10(flop) for flop in compute_flop)
    if design == "isoflop":
        n_lines = max(2, round(np.sqrt(n_rows / 1.5)))
        lines = np.logspace(log_low, log_high, n_lines)
        runs = np.diff(np.linspace(0, n_rows, n_lines + 1).round().astype(int))
        flop = np.repeat(lines, runs)
        offsets = np.concatenate([np.linspace(-0.6, 0.6, n) for n in runs])
        params = optimal_params(flop) * 10**offsets
        family = [f"{format_number(value)} FLOP" for value in flop]
        return params, flop / (FLOP_PER_PARAM_TOKEN * params), family
    # Sizes and budgets span half the decades of compute each, around 20 tokens per parameter.
    centre = 0.5 * (log_low + log_high) - np.log10(FLOP_PER_PARAM_TOKEN * 20)
    smallest, largest = centre / 2 - (log_high - log_low) / 4, centre / 2 + (log_high - log_low) / 4
    if design == "grid":
        side = int(np.sqrt(n_rows))
        sizes = np.logspace(smallest, largest, side)
        params, tokens = np.tile(sizes, side), np.repeat(20 * sizes, side)
    elif design == "random":
        params = 10 ** rng.uniform(smallest, largest, n_rows)
        tokens = 20 * 10 ** rng.uniform(smallest, largest, n_rows)
    else:
        raise TableError(
            _("There is no design called {design!r}.", design=design),
            hint=_("Choose isoflop, grid or random."),
        )
    return params, tokens, ["simulated"] * len(params)


def _optimal_params(
    flop: NDArray[np.float64], law_values: Mapping[str, float]
) -> NDArray[np.float64]:
    """Return the compute-optimal size for C = 6 N D (Hoffmann et al. 2022, 2203.15556, eq. 4)."""
    A, B, alpha, beta = (law_values[name] for name in ("A", "B", "alpha", "beta"))
    scale = (alpha * A / (beta * B)) ** (1 / (alpha + beta))
    return np.asarray(scale * (flop / FLOP_PER_PARAM_TOKEN) ** (beta / (alpha + beta)))
