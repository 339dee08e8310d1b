"""What laws and published fits of the catalog are for: code asks for a role, never for a key."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from isoflop.language import lazy_gettext as _

Role = Literal[
    "default",
    "over-compute",
    "functional-form",
    "size-and-data",
    "parametric-fit",
    "families",
    "downstream-loss",
    "downstream-loss-default",
    "metric-of-loss",
    "metric-of-scale",
    "small-runs",
    "small-runs-default",
    "extrapolation",
]
FitRole = Literal["repetition"]

ROLES: Mapping[Role, str] = MappingProxyType(
    {
        "default": _(
            "The law of a table that names none, and what a typed formula starts from. One."
        ),
        "over-compute": _("Loss against compute, or another single measure of scale. One."),
        "functional-form": _("A form commonly given to loss against one measure of scale, x."),
        "size-and-data": _("Laws of model size and tokens that are compared with one another."),
        "parametric-fit": _(
            "The parametric fit of Hoffmann et al.: the best size is a power of "
            "compute, in closed form of `A`, `B`, `alpha` and `beta` (`alpha` if "
            "there is no `beta`)."
        ),
        "families": _("Fitted to each of two families, to say how much more compute one needs."),
        "downstream-loss": _("The law of the loss on the way from compute to a bounded metric."),
        "downstream-loss-default": _("The one of these that is taken first. One."),
        "metric-of-loss": _("A bounded metric from the loss. One."),
        "metric-of-scale": _("A bounded metric from one measure of scale, x. One."),
        "small-runs": _("Laws offered for a ladder of small runs."),
        "small-runs-default": _("The one of these that describes small runs best. One."),
        "extrapolation": _("Averaged beyond the data, each weighted by how it did on the table."),
    }
)
"""Every role of a law and what it means; those that end in "One." belong to one law alone."""

FIT_ROLES: Mapping[FitRole, str] = MappingProxyType(
    {
        "repetition": _(
            "Says what repeated tokens are worth under any law; `reduces_to` "
            "names the laws that its own becomes where nothing is repeated. One."
        ),
    }
)
"""Every role of a published fit."""
