"""How accelerators are paid for: by the hour, reserved, or bought; and what an hour then costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from isoflop.data import read_toml, require_keys
from isoflop.errors import PlanError
from isoflop.language import joined
from isoflop.language import lazy_gettext as _
from isoflop.once import once
from isoflop.options import Option, problems
from isoflop.units import HOUR_S, YEAR_S, format_quantity

PRICES_FILE = "prices.toml"

Way = Literal["on-demand", "reserved", "bought"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPrice:
    """One published price.

    Parameters
    ----------
    usd : float
        An hour, or for one accelerator.
    note : str
        Terms, date and source, in words.
    """

    usd: float
    note: str


@once
def load_prices() -> Mapping[str, Any]:
    """Return the file of prices as it is written.

    Raises
    ------
    CatalogError
        If it is malformed.
    """
    document = read_toml(PRICES_FILE)
    needed = {
        "reserved": {"usd_per_hour", "months", "date", "source"},
        "purchase": {"usd", "what", "date", "source"},
    }
    for kind, names in needed.items():
        for key, entry in document[kind].items():
            require_keys(
                entry,
                where=_(
                    "{kind}.{key} of {prices_file}", kind=kind, key=key, prices_file=PRICES_FILE
                ),
                required=frozenset(names),
            )
    return document


def reserved_price(accelerator_key: str) -> KnownPrice | None:
    """Return what a reserved accelerator-hour was published to cost; None where nothing was."""
    entry = load_prices()["reserved"].get(accelerator_key)
    if entry is None:
        return None
    note = _(
        "reserved for {months} months, {date}: {source}",
        months=entry["months"],
        date=entry["date"],
        source=entry["source"],
    )
    return KnownPrice(usd=entry["usd_per_hour"], note=note)


def purchase_price(accelerator_key: str) -> KnownPrice | None:
    """Return what one accelerator was published to cost in a cluster; None where nothing was."""
    entry = load_prices()["purchase"].get(accelerator_key)
    if entry is None:
        return None
    return KnownPrice(
        usd=entry["usd"],
        note=_(
            "{what}, {date}: {source}",
            what=entry["what"],
            date=entry["date"],
            source=entry["source"],
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Acquisition:
    """How accelerators are paid for.

    Parameters
    ----------
    way : {"on-demand", "reserved", "bought"}
    reserved_usd_per_hour : float or None
        None takes the published price.
    purchase_usd : float or None
        For one accelerator with its share of host and network; None takes the published price.
    lifetime_years : float
        That a bought one is used.
    used_share : float
        Of the time that is paid for, reserved or owned, in which anything runs.

    Raises
    ------
    PlanError
        Naming every figure that is impossible.
    """

    way: Annotated[
        Way,
        Option(
            label=_("Accelerators are"),
            help=_(
                "Rented by the hour, reserved, or bought and written off over their "
                "life. What is reserved or owned is paid for when idle, too."
            ),
            flag="acquire",
            choices={"on-demand": _("Rented"), "reserved": _("Reserved"), "bought": _("Bought")},
        ),
    ] = "on-demand"
    reserved_usd_per_hour: Annotated[
        float | None,
        Option(
            label=_("Reserved price"),
            help=_(
                "US dollars for an hour of one reserved accelerator; a published one unless given."
            ),
            dimension="usd_per_hour",
            flag="reserved-price",
            gt=0.0,
        ),
    ] = None
    purchase_usd: Annotated[
        float | None,
        Option(
            label=_("Purchase price"),
            help=_(
                "US dollars for one accelerator with its share of host and network; "
                "a published one unless given. Electricity, site and staff come "
                "besides."
            ),
            dimension="usd",
            flag="purchase-price",
            gt=0.0,
        ),
    ] = None
    lifetime_years: Annotated[
        float,
        Option(
            label="Lifetime (years)",
            help=_(
                "Over which a bought one is written off. Amazon's 10-K for 2024 "
                "counts 5 years for servers in the area of AI."
            ),
            flag="lifetime",
            gt=0.0,
            le=30.0,
        ),
    ] = 5.0
    used_share: Annotated[
        float,
        Option(
            label=_("Time in use"),
            help=_("Share of the reserved or owned time in which anything runs."),
            dimension="fraction",
            flag="used-share",
            gt=0.0,
            le=1.0,
        ),
    ] = 1.0

    def __post_init__(self) -> None:
        wrong = problems(self)
        if wrong:
            raise PlanError(_("This way to pay is not valid."), detail=joined("\n", wrong))

    def usd_per_hour(self, accelerator_key: str, rented: float | None) -> float | None:
        """Return the price of an accelerator-hour that is used; None where none is known.

        Parameters
        ----------
        accelerator_key : str
        rented : float or None
            By the hour.
        """
        if self.way == "on-demand":
            return rented
        price = self._reserved(accelerator_key)
        if self.way == "bought":
            price = self._bought(accelerator_key)
        return None if price is None else price / self.used_share

    def _reserved(self, accelerator_key: str) -> float | None:
        known = reserved_price(accelerator_key)
        return self.reserved_usd_per_hour or (None if known is None else known.usd)

    def _bought(self, accelerator_key: str) -> float | None:
        known = purchase_price(accelerator_key)
        whole = self.purchase_usd or (None if known is None else known.usd)
        return None if whole is None else whole / (self.lifetime_years * YEAR_S / HOUR_S)

    def described(self, accelerator_key: str) -> str:
        """Say what the price of an hour rests on; empty where it is rented."""
        if self.way == "on-demand":
            return ""
        idle = (
            ""
            if self.used_share == 1
            else _(", in use {used_share:.0%} of the time", used_share=self.used_share)
        )
        if self.way == "reserved":
            known = reserved_price(accelerator_key)
            own = self.reserved_usd_per_hour is not None or known is None
            return _("reserved{idle}, ", idle=idle) + (
                _("your own price") if own or not known else known.note
            )
        bought = purchase_price(accelerator_key)
        whole = self.purchase_usd or (0.0 if bought is None else bought.usd)
        source = _("your own price") if self.purchase_usd or not bought else bought.note
        return _(
            "bought at {whole} for {lifetime_years:g} years{idle}, {source}",
            whole=format_quantity(whole, "usd"),
            lifetime_years=self.lifetime_years,
            idle=idle,
            source=source,
        )
