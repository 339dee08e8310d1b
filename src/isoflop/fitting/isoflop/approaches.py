"""The three approaches of Hoffmann et al. side by side on one table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from isoflop.errors import FitError, TooFewRows
from isoflop.fitting.isoflop.bias import expected_envelope, expected_profiles
from isoflop.fitting.isoflop.budgets import DEFAULT_TOLERANCE, checkpoints
from isoflop.fitting.isoflop.envelope import Envelope, envelope_corners, lower_envelope
from isoflop.fitting.isoflop.line import Lines, less
from isoflop.fitting.isoflop.parametric import optimum_lines
from isoflop.fitting.isoflop.profiles import Curve, Profiles, fit_profiles, isoflop_profiles
from isoflop.fitting.isoflop.summary import Key, notices_of
from isoflop.fitting.isoflop.types import Approach, Approaches, Bias
from isoflop.fitting.result import Fit
from isoflop.language import lazy_gettext as _
from isoflop.language import sentences
from isoflop.tables.schema import LossTable

Result = TypeVar("Result")


def compare_approaches(
    table: LossTable,
    fit: Fit | None,
    *,
    curve: Curve = "parabola",
    tolerance: float = DEFAULT_TOLERANCE,
    seed: int = 0,
) -> Approaches:
    """Run all three approaches; one that is refused says why, and the others go on.

    Parameters
    ----------
    table : LossTable
        With ``params``, ``tokens``, ``compute_flop`` and ``loss``.
    fit : Fit or None
        Of a Chinchilla law to the table, for the parametric approach and the biases; None for
        neither.
    curve, tolerance
        Of the isoFLOP profiles.
    seed : int

    Raises
    ------
    TableError
        If the table lacks a column.
    TooFewRows
        If no row has all four values.
    """
    rows = checkpoints(table)
    if not len(rows.loss):
        raise TooFewRows(_("No row has a size, tokens, compute and a loss."))
    envelope, no_envelope = _attempt(lambda: lower_envelope(table, seed=seed))
    profiles, no_profiles = _attempt(lambda: fit_profiles(table, curve=curve, tolerance=tolerance))
    truth, no_truth = _attempt(lambda: optimum_lines(fit, rows.flop_over_rule))
    expected: dict[Key, Lines | None] = {"envelope": None, "profiles": None}
    if fit is not None and truth is not None:
        if envelope is not None:
            expected["envelope"] = expected_envelope(rows, fit, seed)
        if profiles is not None:
            expected["profiles"] = expected_profiles(profiles, fit)
    found = (
        _approach("envelope", envelope, no_envelope, expected["envelope"], truth),
        _approach("profiles", profiles, no_profiles, expected["profiles"], truth),
        Approach(
            key="parametric",
            params_line=truth[0] if truth else None,
            tokens_line=truth[1] if truth else None,
            refusal=no_truth,
        ),
    )
    return Approaches(
        table=table,
        approaches=found,
        corners=envelope_corners(rows),
        profiles=profiles.profiles
        if profiles is not None
        else isoflop_profiles(table, curve=curve, tolerance=tolerance),
        compute_range=(float(rows.compute_flop.min()), float(rows.compute_flop.max())),
        notices=notices_of(found, rows, envelope),
    )


def _attempt(make: Callable[[], Result]) -> tuple[Result | None, str]:
    """Return what is made, or None and why it cannot be."""
    try:
        return make(), ""
    except FitError as refusal:
        return None, sentences((refusal.summary, refusal.detail))


def _approach(
    key: Key,
    found: Envelope | Profiles | None,
    refusal: str,
    expected: Lines | None,
    truth: Lines | None,
) -> Approach:
    if found is None:
        return Approach(key=key, refusal=refusal)
    bias = None
    if expected is not None and truth is not None:
        ratio = [less(replace(e, draws=None), t) for e, t in zip(expected, truth, strict=True)]
        bias = Bias(params_line=ratio[0], tokens_line=ratio[1])
    return Approach(
        key=key, params_line=found.params_line, tokens_line=found.tokens_line, bias=bias
    )
