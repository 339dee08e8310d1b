"""Do families share their exponents? One law fitted to all of them, some parameters in common."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import fdtrc

from isoflop.errors import FitError
from isoflop.fitting.comparable import Group
from isoflop.fitting.fit import fit
from isoflop.fitting.intervals import interval, small_sample
from isoflop.fitting.options import FitOptions
from isoflop.fitting.result import Fit
from isoflop.fitting.rows import usable_rows
from isoflop.language import lazy_gettext, listed
from isoflop.laws import Input, Law, Param, parse
from isoflop.tables.schema import LossTable, Provenance

Array = NDArray[np.float64]

_TEST_OPTIONS = FitOptions(objective="least_squares_log")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How much one parameter differs between two families, by the bootstrap.

    Parameters
    ----------
    name : str
    labels : (str, str)
    values : (float, float)
    lower, upper : float
        Interval of the first less the second; NaN without draws.
    p_value : float
        Two-sided, from the share of draws on either side of zero; NaN without draws.
    """

    name: str
    labels: tuple[str, str]
    values: tuple[float, float]
    lower: float
    upper: float
    p_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedTest:
    """A test of whether families share some parameters.

    Parameters
    ----------
    shared : tuple of str
        The parameters.
    statistic, p_value : float
        F of the extra sum of squares of log loss, and its p-value; NaN where too few rows are
        left.
    freedom : (int, int)
        Of numerator and denominator.
    shared_fit : Fit
        With those parameters in common, by least squares on log loss.
    differences : tuple of Difference
    has_clusters : bool
        Whether rows of one run are among them, which the F test wrongly takes as independent.
    spread_ratio : float
        Largest over smallest residual standard deviation of the families; the F test takes them
        as equal.
    """

    shared: tuple[str, ...]
    statistic: float
    p_value: float
    freedom: tuple[int, int]
    shared_fit: Fit
    differences: tuple[Difference, ...]
    has_clusters: bool
    spread_ratio: float


def exponents(law: Law) -> tuple[str, ...]:
    """Return the parameters that stand in an exponent of the law's formula.

    Examples
    --------
    >>> from isoflop.laws import load_laws
    >>> exponents(load_laws()["chinchilla"])
    ('alpha', 'beta')
    """
    formula = parse(law.formula)
    trees = [tree for _, tree in formula.definitions] + [formula.result]
    used = {
        name.id
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow)
        for name in ast.walk(node.right)
        if isinstance(name, ast.Name)
    }
    return tuple(name for name in law.param_names if name in used)


def joint_law(law: Law, n_groups: int, shared: Sequence[str]) -> Law:
    """Return one law for several groups of rows, some parameters in common.

    Every other parameter p becomes p_1, p_2, ... of which each row takes its own group's, by
    inputs that are 1 in one group and 0 elsewhere.

    Parameters
    ----------
    law : Law
    n_groups : int
    shared : sequence of str
        Parameters in common.

    Returns
    -------
    Law
        With inputs ``group_1``, ``group_2``, ... for columns of those names.
    """
    groups = range(1, n_groups + 1)
    own = {p.name: "(" + " + ".join(f"{p.name}_{k}*group_{k}" for k in groups) + ")"
           for p in law.params if p.name not in shared}  # fmt: skip
    params: list[Param] = []
    for param in law.params:
        if param.name in shared:
            params.append(param)
        else:
            params += [replace(param, name=f"{param.name}_{k}", latex="") for k in groups]
    return replace(
        law,
        key=f"{law.key}+groups",
        formula=re.sub(r"[A-Za-z_]\w*", lambda match: own.get(match[0], match[0]), law.formula),
        inputs=(
            *law.inputs,
            *(Input(symbol=f"group_{k}", column=f"group_{k}") for k in groups),
        ),
        params=tuple(params),
    )


def joint_table(law: Law, groups: Sequence[Group]) -> LossTable:
    """Return the usable rows of all groups with columns that say whose each is."""
    frames = []
    few = replace(law, params=())  # a group may have fewer rows than the law has parameters
    for k, group in enumerate(groups, start=1):
        frame = group.table.included().loc[usable_rows(few, group.table).index].copy()
        if "run_id" in frame:
            frame["run_id"] = f"{k}: " + frame["run_id"].astype(str)
        for other in range(1, len(groups) + 1):
            frame[f"group_{other}"] = float(other == k)
        frames.append(frame)
    frame = pd.concat(frames, ignore_index=True)
    frame.index = pd.RangeIndex(1, len(frame) + 1)
    first = groups[0].table
    return LossTable(
        id="+".join(dict.fromkeys(group.table.id for group in groups)),
        frame=frame,
        provenance=Provenance(title=listed(group.label for group in groups)),
        param_convention=first.param_convention,
        loss_unit=first.loss_unit,
    )


def shared_test(
    law: Law, groups: Sequence[Group], fits: Sequence[Fit], shared: Sequence[str] = ()
) -> SharedTest:
    """Test whether families share parameters, by default all exponents.

    The extra sum of squares that sharing costs is compared with that of separate fits: exact for
    a linear law with normal errors, close for these. Beside it stand the differences of the
    separate fits with their bootstrap intervals, which assume neither.

    Parameters
    ----------
    law : Law
    groups : sequence of Group
    fits : sequence of Fit
        Of the law to each group; draws give the differences their intervals.
    shared : sequence of str
        Parameters to share.

    Raises
    ------
    FitError
        If the law has no exponents, or the shared law cannot be fitted.

    References
    ----------
    Bates and Watts 1988, Nonlinear regression analysis and its applications, section 3.10.
    """
    names = tuple(shared) or exponents(law)
    if not names:
        raise FitError(
            lazy_gettext("{label} has no exponents to compare.", label=law.label),
            hint=lazy_gettext("Choose a law with a power in it."),
        )
    separate = [fit(law, group.table, _TEST_OPTIONS) for group in groups]
    table = joint_table(law, groups)
    joint = joint_law(law, len(groups), names)
    together = fit(joint, table, _TEST_OPTIONS, starts=_starts(law, separate, names))
    apart = sum(one.objective_value for one in separate)
    n_params = len(law.params) * len(groups)
    freedom = ((len(groups) - 1) * len(names), len(table.frame) - n_params)
    statistic = p_value = float("nan")
    if freedom[1] > 0 and apart > 0:
        extra = max(together.objective_value - apart, 0.0)
        statistic = (extra / freedom[0]) / (apart / freedom[1])
        p_value = float(fdtrc(*freedom, statistic))
    spreads = [one.residual_std for one in separate]
    return SharedTest(
        shared=names,
        statistic=statistic,
        p_value=p_value,
        freedom=freedom,
        shared_fit=together,
        differences=_differences(names, groups, fits),
        has_clusters="run_id" in table.frame and bool(table.frame["run_id"].duplicated().any()),
        spread_ratio=max(spreads) / min(spreads) if min(spreads) > 0 else float("nan"),
    )


def _starts(law: Law, separate: Sequence[Fit], shared: Sequence[str]) -> list[Mapping[str, float]]:
    """Return places to look for the shared fit: each family's values of what is shared."""
    own = {
        f"{name}_{k}": one.values[name]
        for k, one in enumerate(separate, start=1)
        for name in law.param_names
        if name not in shared
    }
    common = [{name: one.values[name] for name in shared} for one in separate]
    mean = {name: float(np.mean([one.values[name] for one in separate])) for name in shared}
    return [{**own, **values} for values in [*common, mean]]


def _differences(
    names: Sequence[str], groups: Sequence[Group], fits: Sequence[Fit], level: float = 0.9
) -> tuple[Difference, ...]:
    found = []
    for (group, one), (group_2, other) in itertools.combinations(zip(groups, fits, strict=True), 2):
        for name in names:
            lower = upper = p_value = float("nan")
            if one.draws is not None and other.draws is not None:
                j = one.law.param_names.index(name)
                count = min(len(one.draws), len(other.draws))
                difference = one.draws[:count, j] - other.draws[:count, j]
                low, high = interval(
                    one.values[name] - other.values[name],
                    difference,
                    level,
                    factor=max(small_sample(fitted, level) for fitted in (one, other)),
                    is_positive=False,
                )
                lower, upper = float(low), float(high)
                below = (np.sum(difference <= 0) + 1) / (count + 2)
                p_value = float(min(2 * min(below, 1 - below), 1.0))
            found.append(
                Difference(
                    name=name,
                    labels=(group.label, group_2.label),
                    values=(one.values[name], other.values[name]),
                    lower=lower,
                    upper=upper,
                    p_value=p_value,
                )
            )
    return tuple(found)
