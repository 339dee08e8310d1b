"""What a careful reader would check of a loss table before believing a fit to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isoflop.language import lazy_gettext, lazy_ngettext, listed
from isoflop.notices import Notice, Severity
from isoflop.tables.derive import FLOP_PER_PARAM_TOKEN
from isoflop.tables.schema import LossTable
from isoflop.units import format_number, format_quantity

# Near duplicates agree to this in log N, log D and log loss.
_NEAR_SIZE = 0.005
_NEAR_LOSS = 0.0005
_NARROW_DECADES = 1.0
_COLLINEAR = 0.98
_OUTLIER_SIGMAS = 6.0
_RISE = 0.01
_UNDERTRAINED = 5.0
_MIN_ROWS_FOR_SURFACE = 15
_SURFACE_SAMPLE = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One check that has something to say.

    Parameters
    ----------
    title : str
        What was checked, in a few words.
    notice : Notice
    rows : tuple of int
        Row numbers concerned; empty if it is the table as a whole.
    """

    title: str
    notice: Notice
    rows: tuple[int, ...] = ()


def quality_report(table: LossTable) -> tuple[Finding, ...]:
    """Check a table's included rows.

    Parameters
    ----------
    table : LossTable

    Returns
    -------
    tuple of Finding
        The most serious first; a check that finds nothing unusual is not in it, except for the
        spread of the rows, which always is.
    """
    frame = table.included()
    found = [finding for check in _CHECKS for finding in check(table, frame)]
    order: tuple[Severity, ...] = ("serious", "warning", "info")
    return tuple(sorted(found, key=lambda finding: order.index(finding.notice.severity)))


def _finding(
    title: str,
    code: str,
    severity: Severity,
    text: str,
    remedy: str = "",
    rows: pd.Index | None = None,
) -> Finding:
    return Finding(
        title=title,
        notice=Notice(code=code, severity=severity, text=text, remedy=remedy),
        rows=() if rows is None else tuple(int(row) for row in rows),
    )


def _logs(frame: pd.DataFrame, *names: str) -> NDArray[np.float64]:
    """Return natural logarithms, shape (n_rows, n_names)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.log(frame[list(names)].to_numpy(dtype=np.float64)))


# --- Rows against each other ---


def repeated_rows(frame: pd.DataFrame) -> pd.Series[bool]:
    """Say which rows repeat an earlier one in everything but the run's name."""
    names = [name for name in frame if name not in {"run_id", "is_excluded", "exclusion_reason"}]
    return frame.duplicated(subset=names, keep="first")


def _duplicates(table: LossTable, frame: pd.DataFrame) -> Iterator[Finding]:
    repeated = repeated_rows(frame)
    if repeated.any():
        n_repeated = int(repeated.sum())
        yield _finding(
            lazy_gettext("Duplicates"),
            "duplicate-rows",
            "warning",
            lazy_gettext(
                "{rows} an earlier row in everything but the run's name.",
                rows=lazy_ngettext("{n:,} row repeats", "{n:,} rows repeat", n_repeated),
            ),
            lazy_gettext(
                "Exclude the repetitions, or they count twice in every fit and bootstrap."
            ),
            frame.index[repeated],
        )
    yield from _near_duplicates(frame[~repeated])


def _near_duplicates(frame: pd.DataFrame) -> Iterator[Finding]:
    if not {"params", "tokens", "loss"} <= set(frame) or len(frame) < 2:
        return
    logs = _logs(frame, "params", "tokens", "loss")
    cells = np.round(logs / np.array([_NEAR_SIZE, _NEAR_SIZE, _NEAR_LOSS]))
    keys = pd.DataFrame(cells, index=frame.index)
    if "step" in frame:
        keys["step"] = frame["step"]
    near = keys.duplicated(keep=False)
    if near.any():
        yield _finding(
            lazy_gettext("Near duplicates"),
            "near-duplicate-rows",
            "info",
            lazy_gettext(
                "{rows} with another to {near_size:.1%} in size and data and "
                "{near_loss:.2%} in loss.",
                rows=lazy_ngettext("{n:,} row agrees", "{n:,} rows agree", int(near.sum())),
                near_size=_NEAR_SIZE,
                near_loss=_NEAR_LOSS,
            ),
            lazy_gettext("If they are one run logged twice, exclude one of each."),
            frame.index[near],
        )


def _rows_of_one_run(table: LossTable, frame: pd.DataFrame) -> Iterator[Finding]:
    if "run_id" not in frame:
        return
    n_runs = int(frame["run_id"].nunique())
    if n_runs < len(frame):
        yield _finding(
            lazy_gettext("Rows of one run"),
            "rows-of-one-run",
            "warning",
            lazy_gettext(
                "{frame:,} rows come from {runs}: they are not independent.",
                frame=len(frame),
                runs=lazy_ngettext("{n:,} run", "{n:,} runs", n_runs),
            ),
            lazy_gettext("Resample whole runs (clusters), or keep one row of each run."),
        )


def _repetitions(table: LossTable, frame: pd.DataFrame) -> Iterator[Finding]:
    keys = [name for name in ("family", "params", "tokens", "unique_tokens") if name in frame]
    if "seed" not in frame or not keys:
        return
    sizes = frame.groupby(keys, dropna=False)["seed"].nunique()
    if (sizes > 1).any():
        yield _finding(
            lazy_gettext("Repeated seeds"),
            "repeated-seeds",
            "info",
            lazy_gettext(
                "{settings} run with several seeds.",
                settings=lazy_ngettext(
                    "{n:,} setting was", "{n:,} settings were", int((sizes > 1).sum())
                ),
            ),
            lazy_gettext("Fit their means, or resample them together."),
        )


# --- Columns against each other ---


def _compute_against_6nd(table: LossTable, frame: pd.DataFrame) -> Iterator[Finding]:
    derived = table.provenance.derived_columns
    if not {"params", "tokens", "compute_flop"} <= set(frame) or set(derived) & {
        "params",
        "tokens",
        "compute_flop",
    }:
        return
    ratio = frame["compute_flop"] / (FLOP_PER_PARAM_TOKEN * frame["params"] * frame["tokens"])
    median, low, high = (float(np.nanquantile(ratio, q)) for q in (0.5, 0.0, 1.0))
    if max(abs(np.log(low)), abs(np.log(high))) < np.log(1.05):
        return
    is_far = (ratio / median < 0.5) | (ratio / median > 2.0)
    yield _finding(
        lazy_gettext("Compute against 6 N D"),
        "compute-not-6nd",
        "warning" if abs(np.log(median)) > np.log(1.5) or is_far.any() else "info",
        lazy_gettext(
            "Compute is {median:.3g} times 6 N D in the median, from {low:.3g} "
            "to {high:.3g} times.",
            median=median,
            low=low,
            high=high,
        ),
        lazy_gettext(
            "Attention, embeddings and recomputation explain up to about 1.8 for "
            "small models; beyond that, check units and which parameters are "
            "counted."
        ),
        frame.index[is_far],
    )


def _spread(table: LossTable, frame: pd.DataFrame) -> Iterator[Finding]:
    present = [name for name in ("params", "tokens", "compute_flop") if name in frame]
    decades = {
        name: float(np.ptp(np.log10(frame[name].dropna()))) for name in present if len(frame)
    }
    if not decades:
        return
    symbols = {"params": "N", "tokens": "D", "compute_flop": "C"}
    narrow = [symbols[name] for name, span in decades.items() if span < _NARROW_DECADES]
    text = lazy_gettext("Decades covered: ") + ", ".join(
        f"{symbols[name]} {span:.1f}" for name, span in decades.items()
    )
    yield _finding(
        lazy_gettext("Spread"),
        "narrow-spread" if narrow else "spread",
        "warning" if narrow else "info",
        lazy_gettext("{sentence}.", sentence=text),
        lazy_gettext(
            "Add runs that differ more in {narrow}: exponents need decades.",
            narrow=listed(narrow),
        )
        if narrow
        else "",
    )
    if {"params", "tokens"} <= set(frame) and min(decades["params"], decades["tokens"]) > 0.1:
        log_params, log_tokens = _logs(frame, "params", "tokens").T
        correlation = float(np.cov(log_params, log_tokens)[0, 1])
        correlation /= float(np.std(log_params, ddof=1) * np.std(log_tokens, ddof=1))
        if abs(correlation) > _COLLINEAR:
            yield _finding(
                lazy_gettext("Size and data move together"),
                "collinear-sizes",
                "warning",
                lazy_gettext(
                    "log N and log D have a correlation of {correlation:.3f}: their "
                    "effects on the loss can hardly be told apart.",
                    correlation=correlation,
                ),
                lazy_gettext(
                    "Add runs at other tokens per parameter, or fit a law of compute alone."
                ),
            )


def _outliers(table: LossTable, frame: pd.DataFrame) -> Iterator[Finding]:
    """Report rows far from a smooth surface through all others (not from any law)."""
    inputs = [name for name in ("params", "tokens") if name in frame]
    inputs = inputs or [name for name in ("compute_flop", "step") if name in frame][:1]
    if "loss" not in frame or not inputs or len(frame) < _MIN_ROWS_FOR_SURFACE:
        return
    logs = _logs(frame, *inputs, "loss")
    is_usable = np.isfinite(logs).all(axis=1)
    if is_usable.sum() < _MIN_ROWS_FOR_SURFACE:
        return
    residual = _surface_residuals(logs[is_usable, :-1], logs[is_usable, -1])
    scale = 1.4826 * float(np.median(np.abs(residual - np.median(residual))))
    is_far = np.abs(residual) > _OUTLIER_SIGMAS * max(scale, 1e-6)
    if is_far.any():
        largest = float(np.abs(residual[is_far]).max())
        yield _finding(
            lazy_gettext("Outliers"),
            "outlier-rows",
            "warning",
            lazy_gettext(
                "{rows} more than {outlier_sigmas:.0f} standard deviations from a "
                "smooth surface through the others, at most {largest:.0%} in loss.",
                rows=lazy_ngettext("{n:,} row lies", "{n:,} rows lie", int(is_far.sum())),
                outlier_sigmas=_OUTLIER_SIGMAS,
                largest=np.expm1(largest),
            ),
            lazy_gettext(
                "Check these runs; exclude those that went wrong, or keep a robust objective."
            ),
            frame.index[np.flatnonzero(is_usable)[is_far]],
        )


def _surface_residuals(
    inputs: NDArray[np.float64], target: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return residuals of a robust quadratic in the logarithms, by reweighted least squares.

    Its coefficients come from an even sample of a large table.
    """
    centred = (inputs - inputs.mean(axis=0)) / np.maximum(inputs.std(axis=0), 1e-12)
    n_inputs = centred.shape[1]
    terms = [np.ones(len(target)), *centred.T]
    terms += [centred[:, i] * centred[:, j] for i in range(n_inputs) for j in range(i, n_inputs)]
    design = np.stack(terms, axis=1)
    every = max(1, len(target) // _SURFACE_SAMPLE)
    sample, observed = design[::every], target[::every]
    weight = np.ones(len(observed))
    coefficients = np.zeros(design.shape[1])
    for _ in range(20):
        root = np.sqrt(weight)
        coefficients = np.linalg.lstsq(sample * root[:, None], observed * root, rcond=None)[0]
        residual = np.abs(observed - sample @ coefficients)
        scale = max(1.4826 * float(np.median(residual)), 1e-9)
        weight = 1.0 / np.maximum(1.0, residual / (1.5 * scale))
    return np.asarray(target - design @ coefficients)


# --- Training ---


def _rising_curves(table: LossTable, frame: pd.DataFrame) -> Iterator[Finding]:
    order = next((name for name in ("step", "tokens") if name in frame), None)
    if order is None or not {"run_id", "loss"} <= set(frame):
        return
    ordered = frame.sort_values(order, kind="stable")
    runs = ordered["run_id"].fillna("").to_numpy()
    best = ordered.groupby(runs, sort=False)["loss"].cummin()
    ends = ordered.groupby(runs, sort=False).tail(1).index
    sizes = ordered.groupby(runs, sort=False)["loss"].transform("size")
    is_rising = (ordered["loss"] > (1 + _RISE) * best)[ends] & (sizes[ends] > 1)
    if is_rising.any():
        yield _finding(
            lazy_gettext("Curves that rise"),
            "rising-curves",
            "warning",
            lazy_gettext(
                "{runs} more than {rise:.0%} above their lowest loss.",
                runs=lazy_ngettext("{n:,} run ends", "{n:,} runs end", int(is_rising.sum())),
                rise=_RISE,
            ),
            lazy_gettext(
                "They diverged or overfitted: exclude them, or keep the best step of each run."
            ),
            ends[is_rising],
        )


def _repeated_data(table: LossTable, frame: pd.DataFrame) -> Iterator[Finding]:
    if not {"tokens", "unique_tokens"} <= set(frame):
        return
    epochs = frame["tokens"] / frame["unique_tokens"]
    repeated = epochs > 1.01
    if repeated.any():
        yield _finding(
            lazy_gettext("Repeated data"),
            "repeated-data",
            "info",
            lazy_gettext(
                "{rows} data more than once, up to {max} times.",
                rows=lazy_ngettext(
                    "{n:,} row saw its", "{n:,} rows saw their", int(repeated.sum())
                ),
                max=format_number(float(epochs.max())),
            ),
            lazy_gettext("Use a data-constrained law, or fit the rows of one pass alone."),
        )


def _undertrained(table: LossTable, frame: pd.DataFrame) -> Iterator[Finding]:
    if not {"params", "tokens"} <= set(frame):
        return
    ratio = frame["tokens"] / frame["params"]
    few = ratio < _UNDERTRAINED
    if few.any():
        yield _finding(
            lazy_gettext("Undertrained runs"),
            "undertrained-rows",
            "info",
            lazy_gettext(
                "{rows} fewer than {undertrained:.0f} tokens per parameter, the fewest {min}.",
                rows=lazy_ngettext("{n:,} row has", "{n:,} rows have", int(few.sum())),
                undertrained=_UNDERTRAINED,
                min=format_number(float(ratio.min())),
            ),
            lazy_gettext(
                "Additive laws fit such runs badly; see whether the fit changes without them."
            ),
            frame.index[few],
        )


def _loss_unit(table: LossTable, frame: pd.DataFrame) -> Iterator[Finding]:
    if "loss" not in frame:
        return
    low, high = (float(np.nanquantile(frame["loss"], q)) for q in (0.05, 0.95))
    span = lazy_gettext("Losses run from {low:.3g} to {high:.3g}", low=low, high=high)
    if table.loss_unit == "unknown":
        guess = (
            lazy_gettext("nats per token")
            if 1.2 <= high <= 12
            else lazy_gettext("a loss per byte or per character")
        )
        guess = "a perplexity" if high > 12 else guess
        yield _finding(
            lazy_gettext("Loss unit"),
            "loss-unit-guess",
            "warning",
            lazy_gettext(
                "{span}; their unit is not known, and they look like {guess}.",
                span=span,
                guess=guess,
            ),
            lazy_gettext(
                "Give the unit; otherwise losses cannot be compared with those of other tables."
            ),
        )
    elif table.loss_unit == "nats/token" and (high > 12 or high < 1.0):
        looks = (
            "a perplexity" if high > 12 else lazy_gettext("a loss per byte, or one in another unit")
        )
        yield _finding(
            lazy_gettext("Loss unit"),
            "loss-unit-doubtful",
            "warning",
            lazy_gettext(
                "{span}, unusual for nats per token: they look like {looks}.",
                span=span,
                looks=looks,
            ),
            lazy_gettext("Check the unit of the loss column."),
        )


def _sizes(table: LossTable, frame: pd.DataFrame) -> Iterator[Finding]:
    for name, dimension in (("params", "params"), ("tokens", "tokens")):
        if name in frame and len(frame) > 1 and frame[name].nunique() == 1:
            shown = format_quantity(float(frame[name].iloc[0]), dimension)  # type: ignore[arg-type]  # both are dimensions
            yield _finding(
                lazy_gettext("One size"),
                f"one-value-{name}",
                "serious",
                lazy_gettext(
                    "All rows have {shown}: how loss depends on it cannot be seen.", shown=shown
                ),
                lazy_gettext("Fit a law without it, or add runs."),
            )


_CHECKS: tuple[Callable[[LossTable, pd.DataFrame], Iterator[Finding]], ...] = (
    _duplicates,
    _rows_of_one_run,
    _repetitions,
    _compute_against_6nd,
    _spread,
    _sizes,
    _outliers,
    _rising_curves,
    _repeated_data,
    _undertrained,
    _loss_unit,
)
