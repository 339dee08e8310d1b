"""From size and tokens to accuracy by family, where no loss was measured.

The loss of each model is what a law fitted to other runs gives for its size and tokens: a common
scale of effort, not the loss it had. A sigmoid in that loss, of one shape for all families and a
offset of its own for each, says how much of the metric each family makes of it. Tokenizer, data and
recipe of a family all go into its offset, so that only models of one family are extrapolated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from isoflop.errors import FitError, TooFewRows
from isoflop.fitting.downstream.measured import check_metric
from isoflop.fitting.fit import Progress, law_coordinates
from isoflop.fitting.objective import Problem, make_problem
from isoflop.fitting.options import FitOptions
from isoflop.fitting.result import Fit
from isoflop.fitting.solve import minimise
from isoflop.identity import Keyed
from isoflop.language import lazy_gettext
from isoflop.laws import Input, Law, Param
from isoflop.tables.schema import LossTable

Array = NDArray[np.float64]

N_DRAWS = 120
MIN_MODELS = 3
MIN_SHARE_OF_DRAWS = 0.5
TOLERANCE, MAX_ITERATIONS = 1e-6, 25
"""Of each draw, which starts close to where it ends."""
N_FLOORS = 6
"""Places of the common floor that the fit starts from."""
WIDEST_OFFSET = 0.5
"""Width of the interval of a half-way point, in nats, from which it is not determined."""
REACH = 2.0
"""How far beyond the reference losses the half-way point of a family is looked for, in nats."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FamilyCurves(Keyed):
    """A metric against reference loss, family by family.

    Parameters
    ----------
    metric : str
    families : tuple of str
    table : LossTable
        The models used, with their reference loss in ``loss``.
    reference : Fit
        Of the law that gives the loss.
    law : Law
        The joint sigmoid: ``floor`` and ``k`` for all, ``L0_1``, ``L0_2``, ... by family; the top
        is 1, the most that a share can be.
    theta : ndarray, shape (n_params,)
    residuals : ndarray, shape (n_models,)
        Observed less fitted metric, in the order of the table.
    reference_draws, draws : ndarray, shape (n_draws, n_params of each)
        Row by row: each draw of the reference with the sigmoid refitted to its losses.
    dropped : tuple of (str, int)
        Families with too few models, and how many they have.
    share_at_optimum : float
        Of the starts, that ended at the reported optimum.
    seed : int
    """

    metric: str
    families: tuple[str, ...]
    table: LossTable
    reference: Fit
    law: Law
    theta: Array
    residuals: Array
    reference_draws: Array
    draws: Array
    dropped: tuple[tuple[str, int], ...]
    share_at_optimum: float
    seed: int
    key: str = field(init=False, repr=False)

    def __repr__(self) -> str:
        return f"FamilyCurves({self.metric} of {len(self.families)} families)"

    @property
    def r_squared(self) -> float:
        """Share of the metric's variance that the curves explain."""
        values = self.table.values(self.metric)
        return float(1 - np.sum(self.residuals**2) / np.sum((values - values.mean()) ** 2))

    def offset(self, family: str, level: float = 0.9) -> tuple[float, float, float]:
        """Return the reference loss at which a family is half-way up, and its interval.

        A higher one is better: the family needs less of the common effort.
        """
        column = self._column(family)
        tails = [50 * (1 - level), 50 * (1 + level)]
        lower, upper = np.percentile(self.draws[:, column], tails)
        return float(self.theta[column]), float(lower), float(upper)

    def has_offset(self, family: str, level: float = 0.9) -> bool:
        """Say whether a family's models determine its offset: not if all are at chance."""
        _, lower, upper = self.offset(family, level)
        return upper - lower < WIDEST_OFFSET

    def by_size(self) -> tuple[str, ...]:
        """Return the families by how many models they have, the largest first."""
        counts = self.n_models
        return tuple(sorted(self.families, key=lambda name: -counts[name]))

    @property
    def n_models(self) -> dict[str, int]:
        """Number of models of each family."""
        counts = self.table.frame["family"].astype(str).value_counts()
        return {name: int(counts[name]) for name in self.families}

    def summary(self) -> str:
        """Say how much the curves explain."""
        return lazy_gettext(
            "One sigmoid for {families} families, each with its own offset, "
            "explains {r_squared:.0%} of the variance of {metric}.",
            families=len(self.families),
            r_squared=self.r_squared,
            metric=self.metric,
        )

    def to_frame(self, level: float = 0.9) -> pd.DataFrame:
        """Return the offset of each family with its interval, those that need least effort first.

        The offset is NaN where a family's models do not determine it.
        """
        counts = self.n_models
        rows = []
        for name in self.families:
            centre, lower, upper = self.offset(name, level)
            rows.append((name, counts[name], centre, lower, upper))
        frame = pd.DataFrame(rows, columns=["family", "n_models", "offset", "lower", "upper"])
        frame = frame.sort_values("offset", ascending=False, kind="stable", ignore_index=True)
        is_known = np.array([self.has_offset(name, level) for name in frame["family"]])
        return frame.assign(offset=frame["offset"].where(is_known))

    def _column(self, family: str) -> int:
        return self.law.param_names.index(_offset_of(self.families.index(family)))


def fit_families(
    table: LossTable,
    metric: str,
    reference: Fit,
    *,
    min_models: int = MIN_MODELS,
    n_draws: int = N_DRAWS,
    seed: int = 0,
    progress: Progress | None = None,
) -> FamilyCurves:
    """Fit one sigmoid of the reference loss to all families, each with its own offset.

    Parameters
    ----------
    table : LossTable
        With ``family``, the metric, and every column that the reference law needs.
    metric : str
    reference : Fit
        Of a law of the loss to other runs, with draws.
    min_models : int
        Families with fewer are left out.
    n_draws : int
        Draws of the reference, each with random positive weights of the models (the Bayesian
        bootstrap, which never loses a small family), and the sigmoid refitted.
    seed : int
    progress : callable, optional
        Called with the share of the draws done; may raise to cancel.

    Raises
    ------
    TableError
        If a column is missing.
    TooFewRows
        If no two families have enough models.
    FitError
        If the metric is not bounded, the reference has no draws, or too few draws can be fitted.

    References
    ----------
    Ruan et al. 2024 (arXiv 2405.10938), for families with offsets of their own; Rubin 1981, The
    Bayesian bootstrap.
    """
    if reference.draws is None:
        raise FitError(
            lazy_gettext(
                "The reference law has no bootstrap draws, so its error cannot be carried through."
            ),
            hint=lazy_gettext("Fit it with resamples."),
        )
    check_metric(table, metric)
    scaled = with_reference_loss(table, metric, reference)
    families, dropped = families_of(scaled, min_models)
    names = scaled.frame["family"].astype(str)
    kept = scaled.with_frame(scaled.frame[names.isin(families)])
    group = kept.frame["family"].astype(str).map(families.index).to_numpy()
    loss, values = kept.values("loss"), kept.values(metric)
    law = _joint_sigmoid(len(families), loss, metric)
    flags = [(group == k).astype(np.float64) for k in range(len(families))]
    problem = make_problem(
        law.derived, [loss, *flags], values, FitOptions(objective="least_squares")
    )
    solution = minimise(
        problem, law_coordinates(law), _starts(loss, values, group), max_iterations=300
    )
    best = int(np.argmin(solution.value))
    theta = solution.theta[best]
    (residuals,) = -problem.residual(law.loss(theta[None], inputs_of(law, [loss, *flags])))
    chosen = np.linspace(0, len(reference.draws) - 1, n_draws).astype(int)
    reference_draws, draws = _draws(problem, law, theta, kept, reference, chosen, seed, progress)
    return FamilyCurves(
        metric=metric,
        families=families,
        table=kept,
        reference=reference,
        law=law,
        theta=theta,
        residuals=residuals,
        reference_draws=reference_draws,
        draws=draws,
        dropped=dropped,
        share_at_optimum=float(np.mean(solution.value <= solution.value[best] * (1 + 1e-6))),
        seed=seed,
    )


def _offset_of(position: int) -> str:
    return f"L0_{position + 1}"


def _joint_sigmoid(n_families: int, loss: Array, metric: str) -> Law:
    """Return the law of all families: one floor and steepness, a half-way point for each."""
    numbers = range(n_families)
    offset = " + ".join(f"{_offset_of(k)}*group_{k + 1}" for k in numbers)
    low, high = float(loss.min()) - REACH, float(loss.max()) + REACH
    return Law(
        key="sigmoid_families",
        label=lazy_gettext("Sigmoid in the loss, by family"),
        formula=lazy_gettext("floor + (1 - floor)/(1 + exp(k*(L - ({offset}))))", offset=offset),
        inputs=(
            Input(symbol="L", column="loss"),
            *(Input(symbol=f"group_{k + 1}", column=f"group_{k + 1}") for k in numbers),
        ),
        params=(
            Param(name="floor", lower=0.0, upper=1.0),
            Param(name="k", lower=0.0, upper=100.0, scale="log"),
            *(Param(name=_offset_of(k), lower=low, upper=high, unit="loss") for k in numbers),
        ),
        response=metric,
    )


def inputs_of(law: Law, columns: Sequence[ArrayLike]) -> dict[str, ArrayLike]:
    """Return the columns by the symbols of a law's inputs."""
    return dict(zip(law.symbols, columns, strict=True))


def _starts(loss: Array, values: Array, group: NDArray[np.intp]) -> Array:
    """Return where the fit begins: for each floor, the straight lines that logits then follow."""
    n_families = int(group.max()) + 1
    flags = np.eye(n_families)[group]
    starts = []
    for floor in np.linspace(0.0, 0.95 * float(values.min()), N_FLOORS):
        share = np.clip((values - floor) / (1 - floor), 0.02, 0.98)
        design = np.column_stack([-loss, flags])
        solved, *_ = np.linalg.lstsq(design, np.log(share / (1 - share)))
        steepness = max(float(solved[0]), 0.5)
        starts.append([max(floor, 1e-6), steepness, *(solved[1:] / steepness)])
    return np.array(starts)


def with_reference_loss(table: LossTable, metric: str, reference: Fit) -> LossTable:
    """Return the models that have all that is needed, with the loss that the reference gives."""
    columns = [item.column for item in reference.law.inputs]
    known = np.all([np.isfinite(table.values(c)) for c in (metric, *columns)], axis=0)
    frame = table.included()
    if "family" not in frame:
        raise TooFewRows(lazy_gettext("The table {id} names no families.", id=table.id))
    frame = frame[known & frame["family"].notna().to_numpy()].copy()
    inputs = {i.symbol: frame[i.column].to_numpy(np.float64) for i in reference.law.inputs}
    frame["loss"] = reference.law.loss(reference.theta, inputs)
    return table.with_frame(frame, loss_unit=reference.loss_unit)


def families_of(
    table: LossTable, min_models: int
) -> tuple[tuple[str, ...], tuple[tuple[str, int], ...]]:
    """Return the families with enough models, and the others with how many they have.

    Raises
    ------
    TooFewRows
        If fewer than two have enough.
    """
    counts = table.frame["family"].astype(str).value_counts(sort=False)
    kept = tuple(str(name) for name, count in counts.items() if count >= min_models)
    if len(kept) < 2:
        raise TooFewRows(
            lazy_gettext(
                "{kept} families have {min_models} models or more; at least 2 are needed.",
                kept=len(kept),
                min_models=min_models,
            ),
            detail=lazy_gettext(
                "The table has {counts} families with all that is needed.", counts=len(counts)
            ),
        )
    few = tuple((str(name), int(n)) for name, n in counts.items() if n < min_models)
    return kept, few


def _draws(
    problem: Problem,
    law: Law,
    theta: Array,
    table: LossTable,
    reference: Fit,
    chosen: NDArray[np.intp],
    seed: int,
    progress: Progress | None,
) -> tuple[Array, Array]:
    """Refit the sigmoid to the losses of chosen draws of the reference."""
    assert reference.draws is not None
    reference_draws = reference.draws[chosen]
    inputs = {i.symbol: table.values(i.column) for i in reference.law.inputs}
    losses = reference.law.loss(reference_draws, inputs)
    weights = np.random.default_rng(seed).exponential(size=losses.shape)
    coordinates = law_coordinates(law)
    # A draw that moves a family's losses moves its half-way point as far.
    flags = np.stack(problem.inputs[1:], axis=1)
    moved = (losses - problem.inputs[0]) @ flags / flags.sum(axis=0)
    starts = np.tile(theta, (len(losses), 1))
    starts[:, len(theta) - flags.shape[1] :] += moved
    found = np.full(starts.shape, np.nan)
    for k, loss in enumerate(losses):
        solution = minimise(
            replace(problem, inputs=[loss, *problem.inputs[1:]]),
            coordinates,
            starts[k : k + 1],
            weights[k],
            tolerance=TOLERANCE,
            max_iterations=MAX_ITERATIONS,
        )
        if np.isfinite(solution.value[0]):
            found[k] = solution.theta[0]
        if progress:
            progress((k + 1) / len(losses))
    is_fitted = np.asarray(np.isfinite(found).all(axis=1))
    if is_fitted.mean() < MIN_SHARE_OF_DRAWS:
        raise FitError(
            lazy_gettext(
                "Only {sum} of {found} draws could be carried through.",
                sum=int(is_fitted.sum()),
                found=len(found),
            ),
            hint=lazy_gettext("Ask for fewer families, or another reference law."),
        )
    return reference_draws[is_fitted], found[is_fitted]
