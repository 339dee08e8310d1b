"""Loss and money against probability."""

from __future__ import annotations

import numpy as np

import isoflop as iso
from isoflop.planning.risk import Risk

PROBABILITY = np.linspace(0.1, 0.9, 9)


def made(usd: np.ndarray | None) -> Risk:
    return Risk(
        target_loss=2.0,
        chance=0.6,
        probability=PROBABILITY,
        loss=np.linspace(1.9, 2.1, 9),
        usd=usd,
        loss_share=0.7,
        speed_share=0.3,
    )


def test_the_curves_are_the_results() -> None:
    usd = np.array([*np.geomspace(1e5, 1e6, 8), np.inf])
    figure = iso.plot.risk(made(usd))
    assert list(figure.data[0].y) == list(100 * PROBABILITY)
    assert list(figure.data[0].x) == list(made(usd).loss)
    assert np.isnan(figure.data[1].x[-1])
    assert list(figure.data[1].x[:-1]) == list(usd[:-1])
    assert "60%" in figure.layout.meta["alt"]


def test_without_a_price_there_is_the_loss_alone() -> None:
    figure = iso.plot.risk(made(None))
    assert len(figure.data) == 1
    assert figure.layout.xaxis.domain == (0, 1)
