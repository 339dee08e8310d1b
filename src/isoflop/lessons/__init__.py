"""What the tour teaches, worked out while it is looked at: a function a stop, result out.

Each result says its figures in ``facts``, by the names that the stop's sentences leave open
(``data/tour.toml``), and `isoflop.plot` draws it.
"""

from isoflop.lessons.both_vary import BothVary, Spread, both_vary
from isoflop.lessons.decade import Decade, DecadeCost, decade_cost
from isoflop.lessons.early_stop import EarlyStop, Steps, early_stop
from isoflop.lessons.floor import Floor, FloorCurve, floor_curve
from isoflop.lessons.growth import Growth, HeldBack, growth
from isoflop.lessons.new_runs import BandOfRuns, NewRuns, new_runs
from isoflop.lessons.power import PowerCurve, PowerLaw, power_curve
from isoflop.lessons.profile import BudgetOfProfile, Profile, profile

__all__ = [
    "BandOfRuns",
    "BothVary",
    "BudgetOfProfile",
    "Decade",
    "DecadeCost",
    "EarlyStop",
    "Floor",
    "FloorCurve",
    "Growth",
    "HeldBack",
    "NewRuns",
    "PowerCurve",
    "PowerLaw",
    "Profile",
    "Spread",
    "Steps",
    "both_vary",
    "decade_cost",
    "early_stop",
    "floor_curve",
    "growth",
    "new_runs",
    "power_curve",
    "profile",
]
