"""The Reality check page."""

from __future__ import annotations

from tests.pages.helpers import figures, healthy, open_page, trace_names


def test_every_published_run_is_shown_with_its_residual_and_reason() -> None:
    at = healthy(open_page("reality"))
    assert "Of **52 published runs**" in at.markdown[0].value
    table = at.dataframe[0].value
    assert len(table) == 52
    assert all(table["Why they differ"].str.endswith("."))
    row = table.set_index("Run").loc["Llama 3.1 405B"]
    assert row["FLOP published"] == "3.8e25 FLOP"
    assert row["Error of the closest count"] == "-0.0%"
    assert row["MFU reported"] == "38% to 43%"
    assert row["MFU implied"] == "34.6%"
    assert set(trace_names(figures(at)[0])) == {
        "6ND",
        "6ND + attention",
        "Exact (appendix F)",
    }
