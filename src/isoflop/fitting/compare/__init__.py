"""Comparing laws on one table, families under one law, and published fits with rows."""

from isoflop.fitting.comparable import (
    ASPECTS,
    WHY,
    Group,
    Mismatch,
    mismatches,
    require_comparable,
)
from isoflop.fitting.compare.exponents import Difference, SharedTest, exponents, shared_test
from isoflop.fitting.compare.families import Multiplier, compute_multiplier, loss_of_one_input
from isoflop.fitting.compare.held_out import (
    SCALES,
    HeldOut,
    Split,
    predict_held_out,
    scale_column,
    split_by_scale,
    subset,
    write_scale,
)
from isoflop.fitting.compare.laws import (
    LawComparison,
    LawScore,
    compare_laws,
    functional_forms,
    laws_of_size_and_data,
)
from isoflop.fitting.compare.published import (
    PublishedComparison,
    PublishedScore,
    compare_published,
)
from isoflop.fitting.compare.ranking import CRITERIA, Criterion, Place, Ranking, rank
from isoflop.fitting.compare.score import Criteria, Errors, information_criteria
from isoflop.fitting.compare.summary import exponents_summary, family_notices, multiplier_summary

__all__ = [
    "ASPECTS",
    "CRITERIA",
    "SCALES",
    "WHY",
    "Criteria",
    "Criterion",
    "Difference",
    "Errors",
    "Group",
    "HeldOut",
    "LawComparison",
    "LawScore",
    "Mismatch",
    "Multiplier",
    "Place",
    "PublishedComparison",
    "PublishedScore",
    "Ranking",
    "SharedTest",
    "Split",
    "compare_laws",
    "compare_published",
    "compute_multiplier",
    "exponents",
    "exponents_summary",
    "family_notices",
    "functional_forms",
    "information_criteria",
    "laws_of_size_and_data",
    "loss_of_one_input",
    "mismatches",
    "multiplier_summary",
    "predict_held_out",
    "rank",
    "require_comparable",
    "scale_column",
    "shared_test",
    "split_by_scale",
    "subset",
    "write_scale",
]
