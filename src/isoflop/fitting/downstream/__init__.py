"""From compute to loss to a bounded metric such as accuracy, with the error of both steps."""

from isoflop.fitting.downstream.families import FamilyCurves, fit_families
from isoflop.fitting.downstream.measured import (
    Downstream,
    MetricBand,
    MetricHeldOut,
    default_metric,
    downstream_held_out,
    fit_downstream,
    metric_name,
    metrics,
    predict_downstream,
)
from isoflop.fitting.downstream.predict import (
    FamilyPrediction,
    LargestHeldOut,
    families_held_out,
    predict_family,
)
from isoflop.fitting.downstream.summary import (
    downstream_notices,
    error_source,
    family_curve_notices,
)

__all__ = [
    "Downstream",
    "FamilyCurves",
    "FamilyPrediction",
    "LargestHeldOut",
    "MetricBand",
    "MetricHeldOut",
    "default_metric",
    "downstream_held_out",
    "downstream_notices",
    "error_source",
    "families_held_out",
    "family_curve_notices",
    "fit_downstream",
    "fit_families",
    "metric_name",
    "metrics",
    "predict_downstream",
    "predict_family",
]
