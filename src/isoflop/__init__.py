"""Isoflop: fit neural scaling laws, see how far to believe them, and plan the run.

>>> import isoflop as iso
>>> fit = iso.fit("pile-cerebras-pythia", "kaplan_joint")
>>> fit.predict(N="7B", D="300B").round(2).tolist()
[1.62]

Nothing is imported before it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isoflop import plot as plot
    from isoflop.api import accelerators as accelerators
    from isoflop.api import backtest as backtest
    from isoflop.api import compare as compare
    from isoflop.api import compare_families as compare_families
    from isoflop.api import compare_published as compare_published
    from isoflop.api import datasets as datasets
    from isoflop.api import evaluate as evaluate
    from isoflop.api import extrapolate as extrapolate
    from isoflop.api import fit as fit
    from isoflop.api import law as law
    from isoflop.api import laws as laws
    from isoflop.api import load as load
    from isoflop.api import model as model
    from isoflop.api import optimum as optimum
    from isoflop.api import outlook as outlook
    from isoflop.api import plan as plan
    from isoflop.api import planned as planned
    from isoflop.api import published as published
    from isoflop.api import report as report
    from isoflop.api import save_figure as save_figure
    from isoflop.api import simulate as simulate
    from isoflop.errors import IsoflopError as IsoflopError
    from isoflop.fitting import Band as Band
    from isoflop.fitting import Fit as Fit
    from isoflop.fitting import FitOptions as FitOptions
    from isoflop.fitting.backtest import Backtest as Backtest
    from isoflop.fitting.compare import LawComparison as LawComparison
    from isoflop.fitting.compare import PublishedComparison as PublishedComparison
    from isoflop.fitting.extrapolation import Extrapolation as Extrapolation
    from isoflop.laws import Law as Law
    from isoflop.planning import Accelerator as Accelerator
    from isoflop.planning import Budget as Budget
    from isoflop.planning import Frontier as Frontier
    from isoflop.planning import Plan as Plan
    from isoflop.planning import PlanOptions as PlanOptions
    from isoflop.planning.families import FamilyComparison as FamilyComparison
    from isoflop.tables import LossTable as LossTable

__version__ = "0.1.0"

_CLASSES = {
    "Accelerator": "planning",
    "Backtest": "fitting.backtest",
    "Band": "fitting",
    "Budget": "planning",
    "Extrapolation": "fitting.extrapolation",
    "FamilyComparison": "planning.families",
    "Fit": "fitting",
    "FitOptions": "fitting",
    "Frontier": "planning",
    "IsoflopError": "errors",
    "Law": "laws",
    "LawComparison": "fitting.compare",
    "LossTable": "tables",
    "Plan": "planning",
    "PlanOptions": "planning",
    "PublishedComparison": "fitting.compare",
}
_PACKAGES = ("laws", "plot")
_FUNCTIONS = (
    *("accelerators", "backtest", "compare", "compare_families", "compare_published", "datasets"),
    *(
        "evaluate",
        "extrapolate",
        "fit",
        "law",
        "load",
        "model",
        "optimum",
        "outlook",
        "plan",
        "planned",
        "published",
        "report",
        "save_figure",
        "simulate",
    ),
)

__all__ = [*_CLASSES, *_FUNCTIONS, *_PACKAGES]


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:  # isoflop.laws is a package that can be called
        return import_module(f"isoflop.{name}")
    if name in _FUNCTIONS:
        return getattr(import_module("isoflop.api"), name)
    if name in _CLASSES:
        return getattr(import_module(f"isoflop.{_CLASSES[name]}"), name)
    raise AttributeError(f"module 'isoflop' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
