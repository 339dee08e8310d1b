"""Known answers 8: NIST StRD nonlinear regression, fitted as formulas that a user typed."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from isoflop.fitting import FitOptions, fit
from isoflop.laws import typed_law
from isoflop.tables.schema import LossTable, Provenance

FILES = ("Chwirut2", "DanWood", "Kirby2", "Misra1a", "Misra1b", "Nelson", "Rat42")
DIGITS_VALUE, DIGITS_SPREAD = 6, 4  # certified to 11 digits; the target of the known answers


def read_nist(path: Path):
    """Return formula, certified parameters (start 1, start 2, value, spread) and the table."""
    lines = path.read_text().splitlines()
    head = "\n".join(lines[:12])

    def span(title: str) -> list[str]:
        first, last = re.search(title + r"\s*\(lines\s+(\d+) to\s+(\d+)\)", head).groups()
        return lines[int(first) - 1 : int(last)]

    rows = (line.replace("=", " ").split() for line in span("Certified Values"))
    params = {row[0]: [float(v) for v in row[1:5]] for row in rows if row and row[0][0] == "b"}
    data = np.array([[float(v) for v in row.split()] for row in span("Data") if row.strip()])
    text = "\n".join(lines[12:40])
    model = text[text.index("Model:") :]
    left, right = re.search(r"(log\[y\]|\by)\s*=(.*?)\+\s*e\s*$", model, re.S | re.M).groups()
    formula = " ".join(right.replace("[", "(").replace("]", ")").split())
    inputs = ["x"] if data.shape[1] == 2 else [f"x{i}" for i in range(1, data.shape[1])]
    frame = pd.DataFrame(dict(zip(inputs, data[:, 1:].T, strict=True)))
    frame["loss"] = np.log(data[:, 0]) if left.startswith("log") else data[:, 0]
    table = LossTable(id=path.stem, frame=frame, provenance=Provenance(title=path.stem))
    return formula, params, table


def matching_digits(got: float, certified: float) -> float:
    return -np.log10(max(abs(got - certified) / abs(certified), 1e-16))


@pytest.mark.parametrize("start", ["own", "first", "second"])
@pytest.mark.parametrize("name", FILES)
def test_nist(shared, name, start):
    formula, params, table = read_nist(shared / "known-answers" / "nist" / f"{name}.dat")
    law = typed_law(formula, list(table.frame.columns))
    column = {"own": None, "first": 0, "second": 1}[start]
    starts = None if column is None else [{k: row[column] for k, row in params.items()}]
    result = fit(law, table, FitOptions(objective="least_squares"), starts=starts)
    spread = np.sqrt(np.diag(result.covariance))
    for i, param in enumerate(law.param_names):
        value, deviation = params[param][2:]
        assert matching_digits(result.values[param], value) >= DIGITS_VALUE, param
        assert matching_digits(spread[i], deviation) >= DIGITS_SPREAD, param
