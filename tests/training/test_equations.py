import re

import pytest

from isoflop.training.config import FAMILIES
from isoflop.training.equations import load_equations


def test_every_family_has_its_equations():
    assert set(FAMILIES) <= set(load_equations())


@pytest.mark.parametrize("key", load_equations())
def test_an_equation_is_balanced_and_explained(key):
    equations = load_equations()[key]
    assert equations.label
    assert re.search(r"(19|20)\d\d", equations.source)
    for step in equations.steps:
        assert step.tex.count("{") == step.tex.count("}")
        assert step.tex.count(r"\left") == step.tex.count(r"\right")
        assert step.tex.count(r"\begin") == step.tex.count(r"\end")
        assert step.text.endswith(".")
