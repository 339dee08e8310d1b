"""Rows of loss against compute that follow a function of it."""

from dataclasses import replace

import numpy as np
from tests.fitting.helpers import table_of

from isoflop.fitting import FitOptions

LEAST_SQUARES = FitOptions(objective="least_squares_log")


def line_table(law, noise=0.01, n_rows=24, seed=0, lower=1e18, upper=1e22, name="line"):
    """Rows of loss against compute that follow a function of it."""
    flop = np.geomspace(lower, upper, n_rows)
    loss = law(flop) * np.exp(noise * np.random.default_rng(seed).standard_normal(n_rows))
    return replace(table_of(compute_flop=flop, loss=loss), id=name, loss_unit="nats/token")


def floor_law(E=1.7, k=1500.0, a=0.16):
    return lambda flop: E + k * flop**-a
