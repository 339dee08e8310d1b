"""Learning curves, metrics, repetitions and parameter counts, from what was logged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from isoflop.errors import TableError
from isoflop.tables import LossTable, load_dataset, read_table
from isoflop.tables.shapes import (
    Curves,
    conventions,
    has_curves,
    has_repetitions,
    merge_seeds,
    metrics,
    reduce_curves,
    thin,
    use_metric,
    with_convention,
)


def table(**columns: list[object]) -> LossTable:
    return read_table(pd.DataFrame(columns), name="runs").table


CURVES = table(
    run=["a"] * 5 + ["b"] * 2,
    step=[0, 25, 50, 95, 100, 10, 20],
    N=[1e9] * 5 + [2e9] * 2,
    D=[1e8, 2e9, 5e9, 9.5e9, 1e10, 1e9, 2e9],
    loss=[9.0, 4.0, 2.0, 2.2, 2.4, 5.0, 3.0],
)


@pytest.mark.parametrize(
    ("how", "steps", "losses"),
    [
        ("last", [100, 20], [2.4, 3.0]),
        ("best", [50, 20], [2.0, 3.0]),
        ("smoothed", [100, 20], [(2.2 + 2.4) / 2, 3.0]),
        ("all", [0, 25, 50, 95, 100, 10, 20], [9.0, 4.0, 2.0, 2.2, 2.4, 5.0, 3.0]),
    ],
)
def test_one_row_of_each_curve(how: Curves, steps: list[float], losses: list[float]) -> None:
    assert has_curves(CURVES)
    reduced = reduce_curves(CURVES, how)
    assert reduced.frame["step"].tolist() == steps
    np.testing.assert_allclose(reduced.frame["loss"], losses)
    assert (reduced.fingerprint == CURVES.fingerprint) == (how == "all")


def test_curves_do_not_depend_on_the_order_of_rows() -> None:
    shuffled = read_table(
        CURVES.frame.sample(frac=1, random_state=3).drop(columns="compute_flop"), name="runs"
    ).table
    for how in ("last", "best", "smoothed"):
        left = reduce_curves(CURVES, how).frame.set_index("run_id")["loss"].sort_index()
        right = reduce_curves(shuffled, how).frame.set_index("run_id")["loss"].sort_index()
        pd.testing.assert_series_equal(left, right)


def test_rows_without_a_run_are_kept() -> None:
    odd = table(
        run=["a", "a", None, None], step=[1, 2, 1, 2], N=[1e9] * 4, D=[1e9] * 4, loss=[4, 3, 2, 1]
    )
    assert reduce_curves(odd, "last").frame["loss"].tolist() == [3, 2, 1]


def test_a_table_without_curves_says_so() -> None:
    plain = table(N=[1e9, 2e9], D=[1e10, 2e10], loss=[2.5, 2.4])
    assert not has_curves(plain)
    with pytest.raises(TableError, match="no learning curves"):
        reduce_curves(plain, "last")


def test_the_last_step_with_a_loss_counts() -> None:
    cut = table(
        run=["a", "a", "a"], step=[1, 2, 3], N=[1e9] * 3, D=[1e9] * 3, loss=[4.0, 3.0, None]
    )
    assert reduce_curves(cut, "last").frame["loss"].tolist() == [3.0]


def test_routed_experts_keep_one_row_of_each_of_223_runs(mirror: Path) -> None:
    assert len(load_dataset("routed-experts").frame) == 223
    assert len(load_dataset("routed-experts", curves="all").frame) == 5799


def test_long_tables_are_thinned_along_each_run_and_keep_its_end() -> None:
    frame = pd.DataFrame(
        {
            "run": np.repeat(["a", "b"], [1000, 37]),
            "step": [*range(1000), *range(37)],
            "N": [1e9] * 1000 + [2e9] * 37,
            "D": [1e9] * 1037,
            "loss": np.linspace(5, 2, 1037),
        }
    )
    full = read_table(frame.sample(frac=1, random_state=1), name="long").table
    thinned = thin(full, 100)
    assert len(thinned.frame) == 95
    ends = thinned.frame.groupby("run_id")["step"].max().to_dict()
    assert ends == {"a": 999, "b": 36}
    steps = thinned.frame[thinned.frame["run_id"] == "a"]["step"].sort_values()
    assert set(np.diff(steps)) == {11}
    assert thin(full, 2000) is full


# --- Metrics ---

SCORES = table(
    N=[1e9, 2e9, 4e9],
    D=[1e10] * 3,
    loss=[2.5, 2.4, 2.3],
    loss_c4=[2.7, None, 2.5],
    mmlu=[0.25, 0.3, None],
    marks=[25.0, 30.0, 41.0],
)


def test_metrics_are_the_other_numeric_columns() -> None:
    assert metrics(SCORES) == ("loss_c4", "mmlu", "marks")


def test_another_loss_takes_the_place_of_loss() -> None:
    changed = use_metric(SCORES, "loss_c4")
    assert changed.values("loss").tolist() == [2.7, 2.5]
    assert changed.frame.loc[2, "exclusion_reason"] == "no value of loss_c4"
    assert changed.provenance.derived_columns["loss"] == "loss_c4"


def test_a_score_becomes_the_accuracy_and_the_loss_stays() -> None:
    changed = use_metric(SCORES, "mmlu")
    assert changed.values("accuracy").tolist() == [0.25, 0.3]
    assert changed.values("loss").tolist() == [2.5, 2.4]


def test_choosing_another_metric_takes_rows_back() -> None:
    both = use_metric(use_metric(SCORES, "loss_c4"), "mmlu")
    assert both.included().index.tolist() == [1, 2]


def test_marks_beyond_one_are_no_bounded_score() -> None:
    assert use_metric(SCORES, "marks").values("loss").tolist() == [25.0, 30.0, 41.0]
    with pytest.raises(TableError, match="leave 0 to 1"):
        use_metric(SCORES, "marks", as_accuracy=True)


def test_an_unknown_metric_names_the_known() -> None:
    with pytest.raises(TableError) as caught:
        use_metric(SCORES, "mmlv")
    assert caught.value.detail == "Metrics: loss_c4, mmlu, marks."


# --- Repetitions ---

REPEATED = table(
    N=[1e9, 1e9, 2e9, 2e9, 2e9],
    D=[1e10] * 5,
    seed=[0, 1, 0, 1, 2],
    loss=[2.5, 2.7, 2.1, 2.2, 2.3],
)


def test_repetitions_as_their_mean_and_spread() -> None:
    assert has_repetitions(REPEATED)
    merged = merge_seeds(REPEATED, "mean").frame
    np.testing.assert_allclose(merged["loss"], [2.6, 2.2])
    np.testing.assert_allclose(merged["loss_std"], [np.sqrt(0.02), 0.1])
    assert merged["n_seeds"].tolist() == [2, 3]
    assert merged.index.tolist() == [1, 3]


def test_repetitions_as_clusters() -> None:
    clustered = merge_seeds(REPEATED, "clustered").frame
    assert len(clustered) == 5
    assert clustered["run_id"].nunique() == 2
    assert clustered["run_id"].iloc[0] == clustered["run_id"].iloc[1]


def test_no_repetitions() -> None:
    assert not has_repetitions(SCORES)
    assert len(merge_seeds(SCORES, "mean").frame) == 3


# --- Parameter counts ---


def test_the_convention_is_chosen_at_analysis_time() -> None:
    pile = load_dataset("pile-cerebras-pythia")
    assert conventions(pile) == ("total", "non-embedding")
    changed = with_convention(pile, "non-embedding")
    assert changed.param_convention == "non-embedding"
    assert changed.values("params").tolist() == pile.values("params_nonembedding").tolist()
    assert changed.values("params (total)").tolist() == pile.values("params").tolist()
    assert changed.values("compute_flop").tolist() == pile.values("compute_flop").tolist()
    assert changed.fingerprint != pile.fingerprint


def test_derived_compute_follows_the_count() -> None:
    both = table(N=[1e9, 2e9], params_non_embedding=[8e8, 1.8e9], D=[1e10, 1e10], loss=[2.5, 2.4])
    changed = with_convention(both, "non-embedding")
    np.testing.assert_allclose(changed.values("compute_flop"), [4.8e19, 1.08e20])


def test_embedding_counts_give_the_others() -> None:
    parts = table(
        params_non_embedding=[8e8, 1.8e9], emb_params=[2e8, 2e8], D=[1e10] * 2, loss=[2.5, 2.4]
    )
    assert parts.values("params").tolist() == [1e9, 2e9]


def test_only_a_non_embedding_count_is_named_so() -> None:
    only = table(params_non_embedding=[8e8, 1.8e9], D=[1e10] * 2, loss=[2.5, 2.4])
    assert only.param_convention == "non-embedding"
    assert only.values("params").tolist() == [8e8, 1.8e9]


def test_a_count_that_is_not_there() -> None:
    with pytest.raises(TableError, match="does not count active parameters"):
        with_convention(SCORES, "active")
