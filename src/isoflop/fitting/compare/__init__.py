"""Comparing laws on one table, families under one law, and published fits with rows."""

from isoflop.fitting.compare.comparable import (
    ASPECTS,
    WHY,
    Mismatch,
    Side,
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
from isoflop.fitting.compare.laws import LawComparison, LawScore, claims, compare_laws
from isoflop.fitting.compare.published import PublishedOver, published_over
from isoflop.fitting.compare.ranking import CRITERIA, Place, Ranking, in_words, rank
from isoflop.fitting.compare.score import Criteria, Errors, information_criteria
from isoflop.fitting.compare.words import family_notices, multiplier_in_words, shared_in_words

__all__ = [
    "ASPECTS",
    "CRITERIA",
    "SCALES",
    "WHY",
    "Criteria",
    "Difference",
    "Errors",
    "HeldOut",
    "LawComparison",
    "LawScore",
    "Mismatch",
    "Multiplier",
    "Place",
    "PublishedOver",
    "Ranking",
    "SharedTest",
    "Side",
    "Split",
    "claims",
    "compare_laws",
    "compute_multiplier",
    "exponents",
    "family_notices",
    "in_words",
    "information_criteria",
    "loss_of_one_input",
    "mismatches",
    "multiplier_in_words",
    "predict_held_out",
    "published_over",
    "rank",
    "require_comparable",
    "scale_column",
    "shared_in_words",
    "shared_test",
    "split_by_scale",
    "subset",
    "write_scale",
]
