"""Small tables for tests of the engine."""

import numpy as np
import pandas as pd

from isoflop.tables.schema import LossTable, Provenance

TRUTH = {"E": 1.8, "A": 480.0, "B": 2100.0, "alpha": 0.35, "beta": 0.37}


def table_of(**columns) -> LossTable:
    """Make a table of columns, its rows numbered from 1."""
    frame = pd.DataFrame({name: np.asarray(values) for name, values in columns.items()})
    frame.index = np.arange(1, len(frame) + 1)
    return LossTable(id="test", frame=frame, provenance=Provenance(title="Test"))


def chinchilla_table(n_sizes: int = 6, n_ratios: int = 5, noise: float = 0.0, seed: int = 0):
    """Make a grid of runs that follow the Chinchilla law with the parameters of ``TRUTH``."""
    params, ratio = np.meshgrid(np.logspace(7.5, 10, n_sizes), np.logspace(0.5, 2.2, n_ratios))
    params, tokens = params.ravel(), (params * ratio).ravel()
    loss = TRUTH["E"] + TRUTH["A"] / params ** TRUTH["alpha"] + TRUTH["B"] / tokens ** TRUTH["beta"]
    loss = loss * np.exp(noise * np.random.default_rng(seed).standard_normal(len(loss)))
    return table_of(params=params, tokens=tokens, compute_flop=6 * params * tokens, loss=loss)
