"""What a number of FLOP takes in time, money and energy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from isoflop.errors import PlanError
from isoflop.language import joined
from isoflop.language import lazy_gettext as _
from isoflop.options import Option
from isoflop.planning import budget as sums
from isoflop.planning.types import Accelerator, Budget, Cost
from isoflop.units import HOUR_S, MONTH_S, WATT_HOUR_J

KILOWATT_HOUR_J = 1000 * WATT_HOUR_J


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where the accelerators stand and what is paid besides them.

    Parameters
    ----------
    pue : float
        Power usage effectiveness: energy of the whole site for each unit that the accelerators
        draw. 1.2 is what OLMo 2 7B reports (arXiv 2501.00656).
    host_share : float
        Energy of whole nodes over the design power of their accelerators. 1.5 is what an 8-GPU
        H100 node was measured to draw at most in training (arXiv 2412.08602).
    carbon_kg_per_kwh : float
        Of the electricity; 0.436 is the world's average of 2022 (Ember, Global Electricity Review
        2023).
    electricity_usd_per_kwh : float
        Zero where the price of an accelerator-hour includes it, as it does when rented.
    storage_usd_per_gb_month : float
        0.023 is a large cloud's object storage (AWS S3 Standard, US East).
    storage_months : float
        How long data and checkpoints are kept.
    development_share : float
        Compute of experiments, ladders and failed runs before the run, over the run's.
    evaluation_share : float
        Compute of evaluation over the run's.
    data_usd, staff_usd_per_month : float
        For the data, once; and for the people that the run takes, while it lasts.

    Raises
    ------
    PlanError
        Naming every figure that is impossible.
    """

    pue: Annotated[
        float,
        Option(
            label="PUE",
            term="pue",
            help=_(
                "Energy of the whole site over that of the accelerators. OLMo 2 7B reports 1.2."
            ),
            ge=1.0,
        ),
    ] = 1.2
    host_share: Annotated[
        float,
        Option(
            label=_("Power with hosts"),
            help=_(
                "Energy of whole nodes over the design power of their accelerators. "
                "An 8-GPU H100 node that trains draws 1.05 kW a GPU of 0.7 (arXiv "
                "2412.08602)."
            ),
            ge=1.0,
        ),
    ] = 1.5
    carbon_kg_per_kwh: Annotated[
        float,
        Option(
            label="Carbon (kg/kWh)",
            help=_("Of the electricity. The default is the world's average of 2022 (Ember)."),
            flag="carbon",
            ge=0.0,
        ),
    ] = 0.436
    electricity_usd_per_kwh: Annotated[
        float,
        Option(
            label="Electricity ($/kWh)",
            help=_("Price of electricity; zero where that of an accelerator-hour includes it."),
            flag="electricity",
            ge=0.0,
        ),
    ] = 0.0
    storage_usd_per_gb_month: Annotated[
        float,
        Option(
            label="Disk ($/GB/month)",
            help=_("Price of storage. The default is that of AWS S3 Standard, US East."),
            flag="disk",
            ge=0.0,
        ),
    ] = 0.023
    storage_months: Annotated[
        float,
        Option(
            label=_("Kept for (months)"),
            help=_("How long data and checkpoints are paid for."),
            flag="months",
            ge=0.0,
        ),
    ] = 3.0
    development_share: Annotated[
        float,
        Option(
            label=_("Development"),
            help=_(
                "Compute of experiments, ladders and failed runs, over the run's "
                "own. OLMo: 0.5 (arXiv 2503.05804); Olmo 3, post-training too: 4.6 "
                "(arXiv 2605.01158)."
            ),
            flag="development",
            ge=0.0,
            le=1000.0,
        ),
    ] = 0.0
    evaluation_share: Annotated[
        float,
        Option(
            label=_("Evaluation"),
            help=_("Compute of evaluation apart from the run, over the run's own."),
            flag="evaluation",
            ge=0.0,
            le=1000.0,
        ),
    ] = 0.0
    data_usd: Annotated[
        float,
        Option(
            label=_("Data"),
            help=_(
                "US dollars for collecting, licensing and filtering the data. "
                "FineWeb's 15T tokens took some 120,000 H100-hours of ablations."
            ),
            dimension="usd",
            flag="data-cost",
            ge=0.0,
        ),
    ] = 0.0
    staff_usd_per_month: Annotated[
        float,
        Option(
            label="Staff ($/month)",
            help=_("US dollars a month for the staff of the run, while it lasts."),
            dimension="usd",
            flag="staff",
            ge=0.0,
        ),
    ] = 0.0

    def __post_init__(self) -> None:
        problems = [] if self.pue >= 1 else [_("A PUE of {pue:g} is below 1.", pue=self.pue)]
        if not self.host_share >= 1:
            problems.append(
                _("Nodes draw {host_share:g} times what is in them.", host_share=self.host_share)
            )
        figures = {
            _("carbon intensity"): self.carbon_kg_per_kwh,
            _("price of electricity"): self.electricity_usd_per_kwh,
            _("price of storage"): self.storage_usd_per_gb_month,
            _("time of storage"): self.storage_months,
            _("share of development"): self.development_share,
            _("share of evaluation"): self.evaluation_share,
            _("price of the data"): self.data_usd,
            _("pay of staff"): self.staff_usd_per_month,
        }
        problems += [
            _("The {name} must be zero or more, got {value:g}.", name=name, value=value)
            for name, value in figures.items()
            if not value >= 0
        ]
        if problems:
            raise PlanError(
                _("These figures of the site are not possible."),
                detail=joined("\n", problems),
                hint=_(
                    "A site draws at least what its accelerators draw: a PUE of 1.1 is very good."
                ),
            )

    @property
    def usd_per_byte(self) -> float:
        """Price of keeping one byte for the time of storage."""
        return self.storage_usd_per_gb_month / 1e9 * self.storage_months

    @property
    def hours_bought(self) -> float:
        """Accelerator-hours that are paid for, for each of the run's."""
        return 1 + self.development_share + self.evaluation_share

    @property
    def staff_usd_per_s(self) -> float:
        """Pay of the staff in a second."""
        return self.staff_usd_per_month / MONTH_S


def energy_j_per_hour(accelerator: Accelerator, site: Site) -> float | None:
    """Return the energy of one accelerator-hour at design power, hosts and cooling included."""
    if accelerator.power_w is None:
        return None
    return accelerator.power_w * HOUR_S * site.host_share * site.pue


def usd_per_hour(budget: Budget, accelerator: Accelerator, site: Site) -> float:
    """Return what one accelerator-hour costs, the electricity that is paid apart included.

    Raises
    ------
    PlanError
        If the price, or the power where it is paid apart, is not known.
    """
    price = sums.price_usd_per_hour(budget, accelerator)
    power = _power_usd(1.0, energy_j_per_hour(accelerator, site), site)
    if price is None or power is None:
        raise sums.no_price(accelerator)
    return price + power


def _power_usd(hours: float, energy_j: float | None, site: Site) -> float | None:
    """Return what the electricity of accelerator-hours costs; nothing where it is included."""
    if site.electricity_usd_per_kwh == 0:
        return 0.0
    if energy_j is None:
        return None
    return hours * energy_j / KILOWATT_HOUR_J * site.electricity_usd_per_kwh


def cost(
    flop: float,
    budget: Budget,
    accelerator: Accelerator,
    site: Site | None = None,
    *,
    storage_bytes: float = 0.0,
    spread: tuple[float, float] | None = None,
    inference_usd: float | None = 0.0,
) -> Cost:
    """Return the time, money, energy and carbon that training FLOP take.

    Every accelerator is taken to draw its thermal design power for the whole time, with its share
    of the host; energy and carbon are those of the run, not of what comes before it. ``spread``
    holds the ends of the hours' interval, as multiples; ``inference_usd`` is paid besides.

    Raises
    ------
    PlanError
        As `isoflop.planning.budget.model_flop_per_s`.
    """
    site = site or Site()
    hours = sums.accelerator_hours(flop, budget, accelerator)
    price = sums.price_usd_per_hour(budget, accelerator)
    per_hour = energy_j_per_hour(accelerator, site)
    energy_j = None if per_hour is None else per_hour * hours
    wall_s = sums.wall_time_s(flop, budget, accelerator)
    compute = None if price is None else price * hours
    power = _power_usd(hours, per_hour, site)
    hourly = None if compute is None or power is None else compute + power
    return Cost(
        accelerators=budget.count,
        wall_time_s=wall_s,
        accelerator_hours=hours,
        usd_compute=compute,
        usd_power=power,
        usd_storage=storage_bytes * site.usd_per_byte,
        energy_j=energy_j,
        carbon_kg=(
            None if energy_j is None else energy_j / KILOWATT_HOUR_J * site.carbon_kg_per_kwh
        ),
        spread=spread,
        usd_inference=inference_usd,
        usd_development=None if hourly is None else hourly * site.development_share,
        usd_evaluation=None if hourly is None else hourly * site.evaluation_share,
        usd_data=site.data_usd,
        usd_staff=wall_s * site.staff_usd_per_s,
    )
