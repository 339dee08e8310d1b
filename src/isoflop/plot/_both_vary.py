"""Runs over size and data, and what they leave open of the best size at a larger budget."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from isoflop.language import gettext as _
from isoflop.lessons import BothVary
from isoflop.planning.rule import SIX_ND
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot.axes import AXES
from isoflop.plot.theme import LIGHT, Theme, Trace
from isoflop.units.said import format_quantity

HEIGHT_PX = 420
SIZES = (2e7, 4e11)
TOKENS = (1e9, 2e13)
N_POINTS = 40


def both_vary(found: BothVary, *, theme: Theme = LIGHT) -> go.Figure:
    """Draw the runs and, on the line of the larger budget, the interval of its best size.

    Parameters
    ----------
    found : BothVary
        From `isoflop.lessons.both_vary`.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    facts = found.facts
    return assemble(
        [
            _runs(found, theme),
            _along(found, SIZES, _budget(found), _LINE),
            _along(found, (found.lower, found.upper), _("90% interval of N*"), _INTERVAL),
            _best(found, theme),
        ],
        theme=theme,
        height_px=HEIGHT_PX,
        layout={
            "xaxis": look.axis(AXES["params"].title, span=np.array(SIZES))
            | {"range": np.log10(SIZES).tolist()},
            "yaxis": look.axis(AXES["tokens"].title, span=np.array(TOKENS))
            | {"range": np.log10(TOKENS).tolist()},
        },
        alt=_(
            "{n_runs} runs whose tokens per parameter differ by a factor of "
            "{factor}; the best size at {budget} lies between {lower} and "
            "{upper} parameters.",
            n_runs=facts["n_runs"],
            factor=facts["factor"],
            budget=facts["budget"],
            lower=facts["lower"],
            upper=facts["upper"],
        ),
    )


_LINE = {"color": look.MUTED, "width": 1.5, "dash": "dash"}
_INTERVAL = {"color": look.ACCENT, "width": 7}


def _budget(found: BothVary) -> str:
    return _("All models of {budget_flop}", budget_flop=format_quantity(found.budget_flop, "flop"))


def _runs(found: BothVary, theme: Theme) -> Trace:
    return {
        "type": "scatter",
        "x": found.params,
        "y": found.tokens,
        "mode": "markers",
        "name": _("Simulated runs"),
        "marker": {"color": theme.ink, "size": 8, "opacity": 0.6, "line": look.OUTLINE},
        "hovertemplate": _("%{{x:.3s}} parameters, %{{y:.3s}} tokens<extra></extra>"),
    }


def _along(found: BothVary, ends: tuple[float, float], name: str, line: dict[str, object]) -> Trace:
    low, high = ends
    params = np.geomspace(low, high, N_POINTS)
    return {
        "type": "scatter",
        "x": params,
        "y": SIX_ND.tokens(params, found.budget_flop),
        "mode": "lines",
        "name": name,
        "line": line,
        "hovertemplate": _("%{{x:.3s}} parameters, %{{y:.3s}} tokens<extra>") + name + "</extra>",
    }


def _best(found: BothVary, theme: Theme) -> Trace:
    sizes = np.array([found.truth, found.best])
    return {
        "type": "scatter",
        "x": sizes,
        "y": SIX_ND.tokens(sizes, found.budget_flop),
        "mode": "markers",
        "name": _("True N* (circle), fitted N* (star)"),
        "marker": {
            "symbol": ["circle-open", "star"],
            "size": [13, 11],
            "color": theme.ink,
            "line": {"width": 2, "color": theme.ink},
        },
        "hovertemplate": _("%{{x:.3s}} parameters<extra></extra>"),
    }
