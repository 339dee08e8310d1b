"""A law with some of its parameters fixed, bounded or declared positive: another law.

A fixed parameter is a number in the formula, so that a fit, its certificate and its intervals are
those of the formula with the number typed in its place.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from isoflop.errors import FormulaError, UnitError
from isoflop.language import lazy_gettext as _
from isoflop.language import listed
from isoflop.laws.law import Law, Param
from isoflop.laws.names import rename

Plain = float | tuple[float | None, float | None]
"""What is said of one parameter in Python: a number, or two ends, None for an open one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParamBounds:
    """Where one parameter of a law may lie.

    Parameters
    ----------
    name : str
    lower, upper : float
        Ends in natural units, infinite where there is none; equal ones fix the parameter.
    """

    name: str
    lower: float = -math.inf
    upper: float = math.inf

    @property
    def is_fixed(self) -> bool:
        """Whether the parameter is a given number."""
        return self.lower == self.upper

    @property
    def plain(self) -> Plain:
        """The number, or the pair of ends, as a person gives it."""
        if self.is_fixed:
            return self.lower
        low, high = (None if math.isinf(end) else end for end in (self.lower, self.upper))
        return low, high

    def __str__(self) -> str:
        """Write it as it is typed: ``alpha=0.34``, ``E=1.5:2``, ``E=1.5:``."""
        if self.is_fixed:
            return f"{self.name}={self.lower!r}"
        ends = ("" if math.isinf(end) else repr(end) for end in (self.lower, self.upper))
        return f"{self.name}={':'.join(ends)}"


def read_bounds(given: object) -> tuple[ParamBounds, ...]:
    """Return what is said of each parameter, in the order of their names.

    Parameters
    ----------
    given : mapping, text, or sequence of these and of `ParamBounds`
        ``{"alpha": 0.34, "E": (1.5, 2.0)}`` or ``"alpha=0.34, E=1.5:2"``: a number fixes, a pair
        bounds; None, or nothing before or behind the colon, leaves a side open.

    Raises
    ------
    UnitError
        If it cannot be read, or a parameter is named twice.

    Examples
    --------
    >>> [str(one) for one in read_bounds("alpha=0.34, E=1.5:")]
    ['E=1.5:', 'alpha=0.34']
    """
    found = list(_read(given))
    by_name = {one.name: one for one in found}
    if any(by_name[one.name] != one for one in found):
        raise UnitError(_("a parameter is named twice."))
    return tuple(by_name[name] for name in sorted(by_name))


def plain_bounds(bounds: Iterable[ParamBounds]) -> dict[str, Plain]:
    """Return bounds as a person gives them in Python."""
    return {one.name: one.plain for one in bounds}


def _read(given: object) -> Iterable[ParamBounds]:
    if given is None or given == "":
        return
    if isinstance(given, ParamBounds):
        yield _checked(given)
    elif isinstance(given, Mapping):
        for name, value in given.items():
            yield _of(str(name), value)
    elif isinstance(given, str):
        for part in filter(None, (piece.strip() for piece in given.split(","))):
            name, separator, value = (piece.strip() for piece in part.partition("="))
            if not (name and separator and value):
                raise UnitError(_("{part} is neither NAME=VALUE nor NAME=LOW:HIGH.", part=part))
            ends = value.split(":")
            if len(ends) > 2:
                raise UnitError(_("{part} has more than two ends.", part=part))
            yield _of(name, ends[0] if len(ends) == 1 else tuple(end or None for end in ends))
    elif isinstance(given, Sequence):
        for item in given:
            yield from _read(item)
    else:
        raise UnitError(_("{given!r} is no mapping of parameters.", given=given))


def _of(name: str, value: Any) -> ParamBounds:
    if isinstance(value, tuple | list):
        if len(value) != 2:
            raise UnitError(_("{name} needs a number, or a pair of ends.", name=name))
        low, high = value
        return _checked(
            ParamBounds(
                name=name,
                lower=-math.inf if low is None else _number(name, low),
                upper=math.inf if high is None else _number(name, high),
            )
        )
    number = _number(name, value)
    return _checked(ParamBounds(name=name, lower=number, upper=number))


def _number(name: str, value: Any) -> float:
    try:
        if isinstance(value, bool):
            raise TypeError
        return float(value)
    except (TypeError, ValueError):
        raise UnitError(_("{name}: {value} is not a number.", name=name, value=value)) from None


def _checked(bounds: ParamBounds) -> ParamBounds:
    if math.isnan(bounds.lower) or math.isnan(bounds.upper) or bounds.lower > bounds.upper:
        raise UnitError(
            _("{name}: the lower end must be a number below the upper.", name=bounds.name)
        )
    if bounds.is_fixed and math.isinf(bounds.lower):
        raise UnitError(_("{name} cannot be fixed at infinity.", name=bounds.name))
    return bounds


def restricted(law: Law, bounds: Sequence[ParamBounds], positive: Iterable[str] = ()) -> Law:
    """Return a law with some parameters fixed, bounded or declared positive.

    Parameters
    ----------
    law : Law
        One that was restricted alike comes back as it is.
    bounds : sequence of ParamBounds
        Take the place of the law's own bounds.
    positive : iterable of str
        Parameters that are searched by their logarithm.

    Raises
    ------
    FormulaError
        If the law has no such parameter, or none is left to fit.

    Examples
    --------
    >>> from isoflop.laws import load_laws
    >>> restricted(load_laws()["chinchilla"], read_bounds({"alpha": 0.34})).formula
    'E + A/N**0.34 + B/D**beta'
    """
    fixed = dict(law.fixed)
    _require_known(law, fixed, bounds, positive)
    formula, params = law.formula, {param.name: param for param in law.params}
    for one in bounds:
        if one.name in fixed:
            if one.plain != fixed[one.name]:
                raise FormulaError(
                    _("{name} is already fixed at {fixed:g}.", name=one.name, fixed=fixed[one.name])
                )
        elif one.is_fixed:
            fixed[one.name] = one.lower
            formula = rename(formula, one.name, _written(one.lower))
            del params[one.name]
        else:
            params[one.name] = _bounded(params[one.name], one.lower, one.upper)
    for name in positive:
        if name in params:
            param = params[name]
            params[name] = replace(param, lower=max(param.lower, 0.0), scale="log")
    if not params:
        raise FormulaError(
            _("Every parameter of {label} is fixed.", label=law.label),
            hint=_("Leave one of them to be fitted."),
        )
    if formula == law.formula and tuple(params.values()) == law.params:
        return law
    added = [f"{name} = {value:g}" for name, value in fixed.items() if name not in dict(law.fixed)]
    return replace(
        law,
        label=_("{label}, {added}", label=law.label, added=", ".join(added))
        if added
        else law.label,
        formula=formula,
        params=tuple(params.values()),
        fixed=tuple(fixed.items()),
    )


def restrictable(
    law: Law, bounds: Sequence[ParamBounds], positive: Iterable[str] = ()
) -> tuple[tuple[ParamBounds, ...], tuple[str, ...]]:
    """Return the part of the bounds, and of the positive names, that a law has parameters for."""
    names = {*law.param_names, *dict(law.fixed)}
    own = tuple(one for one in bounds if one.name in names)
    return own, tuple(name for name in positive if name in names)


def _require_known(
    law: Law, fixed: Mapping[str, float], bounds: Sequence[ParamBounds], positive: Iterable[str]
) -> None:
    names = (*law.param_names, *fixed)
    unknown = sorted({*(one.name for one in bounds), *positive} - set(names))
    if unknown:
        raise FormulaError(
            _(
                "{label} has no parameter {unknown}.",
                label=law.label,
                unknown=listed(unknown, last="or"),
            ),
            detail=_("Its parameters: {names}.", names=", ".join(names)),
        )


def _bounded(param: Param, lower: float, upper: float) -> Param:
    """Return a parameter within the ends, and its search range too."""
    is_log = param.scale == "log" and lower >= 0
    search, search_input = param.search, param.search_input
    if math.isfinite(lower) and math.isfinite(upper) and not (is_log and lower == 0):
        search, search_input = (lower, upper), ""
    elif search is not None and not search_input:
        low, high = max(search[0], lower), min(search[1], upper)
        search = (low, high) if low < high else _beside(lower, upper, is_log=is_log)
    return replace(
        param,
        lower=lower,
        upper=upper,
        scale="log" if is_log else "linear",
        search=search,
        search_input=search_input,
    )


def _beside(lower: float, upper: float, *, is_log: bool) -> tuple[float, float]:
    """Return where to search behind the one end that there is, far from the usual range."""
    if math.isfinite(lower) and lower > 0:
        return lower, 100 * lower
    if is_log:
        return upper / 100, upper
    end = lower if math.isfinite(lower) else upper
    reach = max(1.0, abs(end))
    return (end, end + reach) if math.isfinite(lower) else (end - reach, end)


def _written(value: float) -> str:
    """Write a number so that it can stand anywhere in a formula."""
    text = repr(float(value)).removesuffix(".0")
    return text if value >= 0 else f"({text})"
