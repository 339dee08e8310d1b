"""Plans that no one could mean: refused, each with its reason."""

from __future__ import annotations

from math import inf, log

from isoflop.errors import PlanError
from isoflop.fitting import Fit
from isoflop.language import lazy_gettext as _
from isoflop.planning.constraints import Setting
from isoflop.planning.speed import FEWEST_STEPS
from isoflop.units import format_number

SMALLEST_MODEL = 1e5
"""Parameters: the smallest models that losses were published of have about a million. Rows of
smaller ones, such as those that the Train page trains, speak for themselves."""


def require_sense(fit: Fit, setting: Setting, params: float, tokens: float, loss: float) -> None:
    """Refuse a run that is none: too small a model, too few steps, worse than guessing.

    Parameters
    ----------
    fit : Fit
    setting : Setting
    params, tokens, loss : float
        Of the run.

    Raises
    ------
    PlanError
        With the reason, and what to do.
    """
    if params < min(SMALLEST_MODEL, _smallest_fitted(fit)):
        raise PlanError(
            _(
                "A model of {params} parameters is too small for a language model.",
                params=format_number(params),
            ),
            detail=_(
                "An embedding of {vocab:,} tokens alone is larger.", vocab=setting.storage.vocab
            ),
            hint=_("Give more compute, or fit rows that determine the best size."),
        )
    batch = setting.batch_tokens
    if batch is not None and batch > tokens:
        raise PlanError(
            _(
                "A batch of {batch} tokens is larger than all the data of the run.",
                batch=format_number(batch),
            ),
            detail=_("The run sees {tokens} tokens.", tokens=format_number(tokens)),
            hint=_("Lower the batch, or raise the budget."),
        )
    if batch is not None and tokens / batch < FEWEST_STEPS:
        raise PlanError(
            _("The run would take {tokens:,.0f} steps.", tokens=tokens / batch),
            detail=_(
                "{tokens} tokens in batches of {batch}; a law fitted to trained "
                "models says nothing of fewer than {fewest_steps} steps.",
                tokens=format_number(tokens),
                batch=format_number(batch),
                fewest_steps=FEWEST_STEPS,
            ),
            hint=_("Lower the batch, or raise the budget."),
        )
    guessing = log(setting.storage.vocab)
    if fit.law.response == "loss" and fit.loss_unit == "nats/token" and loss > guessing:
        raise PlanError(
            _("The predicted loss of {loss:.3f} is worse than guessing.", loss=loss),
            detail=_(
                "Each of {vocab:,} tokens alike gives ln(vocabulary) = "
                "{guessing:.2f} nats per token.",
                vocab=setting.storage.vocab,
                guessing=guessing,
            ),
            hint=_("Give more compute, or fit a law that suits the rows."),
        )


def _smallest_fitted(fit: Fit) -> float:
    """Return the fewest parameters among the rows; no bound where the law has no size."""
    sizes = [item.symbol for item in fit.law.inputs if item.column == "params"]
    return min((fit.input_ranges[s][0] for s in sizes if s in fit.input_ranges), default=inf)
