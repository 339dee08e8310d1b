"""Rows in the browser: numbers stay numbers, in a unit that their header names."""

from __future__ import annotations

import numpy as np
import pandas as pd

from isoflop.ui.number_columns import readable


def test_large_numbers_are_shown_in_the_unit_that_suits_most() -> None:
    frame = pd.DataFrame(
        {
            "params": [1.11e8, 2.22e9, 7e10],
            "compute_flop": [2.6e18, 4e20, np.nan],
            "loss": [2.5, 2.4, 2.3],
            "mine": [1e20, 2e20, 3e22],
        }
    )
    shown, config = readable(frame)
    labels = {name: config[name]["label"] for name in shown}
    assert labels == {
        "params": "Parameters N (B)",
        "compute_flop": "Training compute C (EFLOP)",
        "loss": "Loss (nats/token)",
        "mine": "mine (1E9)",
    }
    np.testing.assert_allclose(shown["params"], [0.111, 2.22, 70.0])
    np.testing.assert_allclose(shown["compute_flop"], [2.6, 400.0, np.nan])
    assert shown.max().max() < 2**53  # what the browser's table can hold
    assert all(dtype == np.float64 for dtype in shown.dtypes)


def test_text_and_headers_are_no_formulas_in_a_copy() -> None:
    shown, config = readable(pd.DataFrame({"=1+1": ["@x", "b"], "-n": [1.0, 2.0]}))
    assert list(shown.columns) == ["'=1+1", "'-n"]
    assert shown["'=1+1"].tolist() == ["'@x", "b"]
    assert config["'-n"]["label"] == "'-n"
