"""How to fit and how to predict: what is minimised, and how uncertainty is found and shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from isoflop.errors import FitError, UnitError
from isoflop.fitting.bands import BandKind
from isoflop.fitting.weights import WEIGHT_KINDS, WeightKind
from isoflop.language import as_a_title, joined
from isoflop.language import lazy_gettext as _
from isoflop.laws.restrict import ParamBounds, plain_bounds, read_bounds
from isoflop.options import Form, Option, problems

Objective = Literal["huber_log", "least_squares_log", "least_squares", "huber", "asymmetric_mae"]
LOG_OBJECTIVES = frozenset({"huber_log", "least_squares_log"})
"""Objectives on the logarithm of the loss."""
OBJECTIVES: Mapping[str, str] = {
    "huber_log": _("Huber, log loss"),
    "least_squares_log": _("Least squares, log loss"),
    "least_squares": _("Least squares, loss"),
    "huber": _("Huber, loss"),
    "asymmetric_mae": _("Asymmetric absolute"),
}
"""Every objective, with its label."""

Bootstrap = Literal["auto", "smooth", "rows", "clusters", "wild"]
BOOTSTRAPS: dict[Bootstrap, str] = {
    "smooth": _("Bayesian bootstrap"),
    "rows": _("row bootstrap"),
    "clusters": _("cluster bootstrap"),
    "wild": _("wild cluster bootstrap"),
}
"""Every way to resample, as a sentence names it."""
_RESAMPLES = {
    "auto": _("Automatic"),
    **{key: as_a_title(name) for key, name in BOOTSTRAPS.items()},
}


BY_ROW: frozenset[Bootstrap] = frozenset({"rows", "smooth"})
"""Ways to resample that take rows as independent."""
MAX_DRAWS = 20_000

Level = Annotated[
    float,
    Option(
        label="Level",
        term="level",
        help="Share of such intervals that should hold the true value.",
        dimension="fraction",
        gt=0.0,
        lt=1.0,
    ),
]
"""Nominal coverage of an interval, an option of several classes."""


def _read_names(given: object) -> tuple[str, ...]:
    """Return names from a text with commas, or a sequence of such."""
    if given is None:
        return ()
    if isinstance(given, str):
        return tuple(sorted(filter(None, (name.strip() for name in given.split(",")))))
    if isinstance(given, Iterable):
        return tuple(sorted({name for item in given for name in _read_names(item)}))
    raise UnitError(_("{given!r} is no list of names.", given=given))


@dataclass(frozen=True, slots=True, kw_only=True)
class FitOptions:
    """How to fit.

    Parameters
    ----------
    objective : str
        ``"huber_log"``: sum of Huber(log prediction - log loss) with ``huber_delta``;
        ``"least_squares_log"`` and ``"least_squares"``: half the sum of squared residuals of log
        loss and of loss; ``"huber"``: Huber on the loss itself; ``"asymmetric_mae"``: absolute
        residuals of the loss, points below the curve weighing ``asymmetry`` times as much, which
        fits the floor of the points.
    huber_delta : float
        Width of the quadratic part, in the residual's unit.
    asymmetry : float
        Weight of a point below the curve under ``"asymmetric_mae"``.
    n_bootstrap : int
        Number of resamples; 0 for none.
    bootstrap : {"smooth", "rows", "clusters", "wild", "auto"}
        Whether each row counts by a smooth random weight; or rows are drawn with replacement, as
        papers do, which is less well calibrated on small tables; or whole runs (``run_id``) are
        drawn; or the residuals of whole runs change size and sign (wild cluster bootstrap).
        ``"auto"`` is settled by the rows, by `isoflop.fitting.rows.settled`.
    seed : int
        Seed of the resampling.
    params : mapping of str to float or (float, float)
        Parameters that are fixed at a number, or kept between two ends, None for an open one:
        ``{"alpha": 0.34, "E": (1.5, None)}``. Held as `ParamBounds`.
    positive : sequence of str
        Parameters of a typed law that are positive, and searched by their logarithm.
    weights : str or None
        Column that says how much each row counts; None for all alike. `isoflop.fit` also takes
        one number a row.
    weight_kind : {"auto", "weight", "standard_error"}
        Whether that column holds weights or standard errors of the loss, a row of which counts by
        1 / se**2. ``"auto"`` goes by its name: ``loss_std`` is a standard error.

    Raises
    ------
    FitError
        Naming every option that is out of range.
    """

    objective: Annotated[
        Objective,
        Option(
            label=_("Objective"),
            term="objective",
            help=_(
                "What is minimised. Huber resists outliers; least squares on log "
                "loss does not; asymmetric absolute residuals fit the floor of the "
                "points."
            ),
            choices=OBJECTIVES,
        ),
    ] = "huber_log"
    huber_delta: Annotated[
        float,
        Option(
            label=_("Huber δ"),
            term="huber_loss",
            help=_("Residuals above δ count linearly, those below by their square."),
            gt=0.0,
        ),
    ] = 1e-3
    asymmetry: Annotated[
        float,
        Option(
            label=_("Asymmetry"),
            term="asymmetric_mae",
            help=_(
                "How many times as much a point below the curve weighs as one above, "
                "under the asymmetric objective."
            ),
            gt=0.0,
        ),
    ] = 10.0
    n_bootstrap: Annotated[
        int,
        Option(
            label=_("Bootstrap resamples"),
            term="bootstrap",
            help=_("Number of refits that the bands rest on; 0 for none."),
            flag="bootstrap",
            ge=0,
            le=MAX_DRAWS,
        ),
    ] = 0
    bootstrap: Annotated[
        Bootstrap,
        Option(
            label=_("Resample"),
            term="cluster_bootstrap",
            help=_(
                "Automatic: cluster, of whole runs, where several rows come from one "
                "run, else Bayesian: rows with smooth random weights. Row: drawn "
                "with replacement, as papers do. Wild: every row stays, and the "
                "residuals of each run change size and sign (for least squares)."
            ),
            flag="resample",
            choices=_RESAMPLES,
        ),
    ] = "smooth"
    seed: Annotated[
        int, Option(label=_("Seed"), help=_("Another seed draws other resamples."), ge=0)
    ] = 0
    params: Annotated[
        tuple[ParamBounds, ...],
        Option(
            label=_("Parameters"),
            term="bound",
            help=_(
                "Fix a parameter of the law at a number, alpha=0.34, or keep it "
                "between two ends, E=1.5:2.0, either of which may be left out."
            ),
            flag="param",
            form=Form(
                read=read_bounds,
                plain=plain_bounds,
                metavar="NAME=VALUE",
                values=_("name and number, or name and two ends"),
            ),
        ),
    ] = ()
    positive: Annotated[
        tuple[str, ...],
        Option(
            label=_("Positive"),
            help=_("Parameters of a typed law that are positive, and searched by their logarithm."),
            form=Form(
                read=_read_names, plain=tuple, metavar="NAME,NAME", values=_("names of parameters")
            ),
        ),
    ] = ()
    weights: Annotated[
        str | None,
        Option(
            label=_("Weights"),
            term="weight",
            help=_(
                "Column that says how much each row counts, such as loss_std; none "
                "counts all alike."
            ),
        ),
    ] = None
    weight_kind: Annotated[
        WeightKind,
        Option(
            label=_("Weights given as"),
            help=_(
                "Whether that column holds weights, or standard errors of the loss, "
                "a row of which counts by 1 / se². Its name says which, unless this "
                "does."
            ),
            choices=WEIGHT_KINDS,
        ),
    ] = "auto"

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "params", read_bounds(self.params))
            object.__setattr__(self, "positive", _read_names(self.positive))
        except UnitError as problem:
            raise FitError(_("These fit options cannot be used."), detail=problem.summary) from None
        if wrong := problems(self):
            raise FitError(_("These fit options cannot be used."), detail=joined("\n", wrong))


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictOptions:
    """How sure a predicted loss is said to be.

    Parameters
    ----------
    level : float
        Nominal coverage of the band.
    kind : {"confidence", "prediction"}
        Of the mean, or of one new run.
    is_simultaneous : bool
        Whether the level is that of all points at once.

    Raises
    ------
    FitError
        If an option is out of range.
    """

    level: Level = 0.9
    kind: Annotated[
        BandKind,
        Option(
            label=_("Band"),
            term="prediction_band",
            help=_("Of the mean of such runs, or of one new run, its own scatter included."),
            choices={"confidence": _("Mean of such runs"), "prediction": _("One new run")},
        ),
    ] = "confidence"
    is_simultaneous: Annotated[
        bool,
        Option(
            label=_("Simultaneous"),
            help=_(
                "Let the level be that of all points together (simultaneous, sup-t), "
                "which is wider, instead of each alone; needs resamples."
            ),
            flag="simultaneous",
        ),
    ] = False

    def __post_init__(self) -> None:
        if wrong := problems(self):
            raise FitError(_("This band cannot be made."), detail=joined("\n", wrong))
