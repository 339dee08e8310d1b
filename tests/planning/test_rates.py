"""The speed at the sizes it is kept at: read off, and as the curve through it has it."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from isoflop.planning.rates import BATCHES, SIZES, RateTable, ShareCurve

NEAR = SIZES * (1 + 1e-15)  # no longer the very sizes: these take the way of all others
SHARES = st.floats(-4.0, -0.1)


@given(arrays(np.float64, (3, len(SIZES)), elements=SHARES))
def test_a_curve_goes_through_what_is_known(log_share: np.ndarray) -> None:
    curve = ShareCurve(log_share=log_share)
    assert not np.array_equal(NEAR, SIZES)
    np.testing.assert_allclose(curve(SIZES), curve(NEAR), rtol=1e-9)
    assert curve(np.stack([SIZES] * 3)).shape == (3, len(SIZES))


@given(
    arrays(np.float64, (len(SIZES), len(BATCHES)), elements=SHARES),
    arrays(np.float64, (2, len(SIZES)), elements=st.floats(1e3, 1e10)),
)
def test_a_table_is_read_at_its_sizes_as_between_them(
    log_share: np.ndarray, batches: np.ndarray
) -> None:
    table = RateTable(log_share=log_share, largest_params=1e14)
    np.testing.assert_allclose(table.share(SIZES, batches), table.share(NEAR, batches), rtol=1e-9)
    np.testing.assert_allclose(table.share(SIZES, np.inf), table.share(NEAR, np.inf), rtol=1e-9)
