"""What leaving rows out does to a plan."""

from __future__ import annotations

from isoflop.language import lazy_gettext as _
from isoflop.planning.types import Optimum, Plan
from isoflop.tables.schema import said_response
from isoflop.units import format_number


def before_and_after(before: Plan | Optimum, after: Plan | Optimum, response: str) -> str:
    """Say in a sentence what a plan was with some rows, and what it is without them.

    Parameters
    ----------
    before, after : Plan or Optimum
        Of the fits with and without the rows, at one budget.
    response : str
        What is predicted.
    """
    size, data = (
        f"{format_number(float(getattr(before, name)))} → "
        f"{format_number(float(getattr(after, name)))}"
        for name in ("params", "tokens")
    )
    return _(
        "With them → without them: {response} {before:.3f} → {after:.3f}, "
        "model size N {size}, training data D {data}.",
        response=said_response(response),
        before=float(before.loss),
        after=float(after.loss),
        size=size,
        data=data,
    )
