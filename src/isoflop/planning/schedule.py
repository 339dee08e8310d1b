"""When the learning rate of a run rises, holds and falls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from isoflop.errors import PlanError
from isoflop.language import joined
from isoflop.language import lazy_gettext as _
from isoflop.options import Option, problems
from isoflop.units import format_quantity

Kind = Literal["cosine", "wsd"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A learning-rate schedule, as shares of a run.

    Parameters
    ----------
    kind : {"cosine", "wsd"}
        Falling all the way after the warm-up, or held and falling at the end (warm-up, stable,
        decay), which scales like cosine (Hägele et al. 2024, arXiv 2405.18392).
    warmup_share, decay_share : float
        Of the tokens; the second of WSD alone.

    Raises
    ------
    PlanError
        If a share is impossible, or both are more than the run.
    """

    kind: Annotated[
        Kind,
        Option(
            label=_("Learning rate"),
            term="learning_rate",
            help=_(
                "How it falls: by a cosine over the run, or held and falling at the "
                "end (WSD). A law predicts the end of either; on the way a cosine "
                "run is worse, and a WSD run can be branched and decayed from any "
                "save."
            ),
            flag="schedule",
            choices={"cosine": _("Cosine"), "wsd": "WSD"},
        ),
    ] = "cosine"
    warmup_share: Annotated[
        float,
        Option(
            label=_("Warm-up"),
            term="warm_up",
            help=_("Share of the run in which the learning rate rises."),
            dimension="fraction",
            flag="warmup-share",
            ge=0.0,
            lt=1.0,
        ),
    ] = 0.01
    decay_share: Annotated[
        float,
        Option(
            label=_("Decay"),
            term="decay",
            help=_("Share of a WSD run in which the learning rate falls."),
            dimension="fraction",
            flag="decay-share",
            gt=0.0,
            le=1.0,
        ),
    ] = 0.2

    def __post_init__(self) -> None:
        wrong = problems(self)
        if self.kind == "wsd" and self.warmup_share + self.decay_share > 1:
            wrong.append(_("Warm-up and decay are more than the whole run."))
        if wrong:
            raise PlanError(_("This schedule is not possible."), detail=joined("\n", wrong))

    @property
    def falling_share(self) -> float:
        """Share of the run in which the learning rate falls."""
        return self.decay_share if self.kind == "wsd" else 1 - self.warmup_share

    def described(self, tokens: float) -> str:
        """Say in tokens when the learning rate of a run rises, holds and falls."""
        rise, fall = (
            format_quantity(share * tokens, "tokens")
            for share in (self.warmup_share, self.falling_share)
        )
        if self.kind == "cosine":
            return _(
                "warm-up over {rise}, cosine over {fall}: the loss is that of its end alone",
                rise=rise,
                fall=fall,
            )
        held = format_quantity((1 - self.warmup_share - self.decay_share) * tokens, "tokens")
        return _(
            "warm-up over {rise}, held for {held}, decay over {fall}: each save "
            "before it can be decayed to a model of fewer tokens",
            rise=rise,
            held=held,
            fall=fall,
        )
