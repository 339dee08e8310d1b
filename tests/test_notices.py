"""Every documented notice can be triggered, and says its number; nothing else is raised."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.fitting.helpers import chinchilla_table, table_of
from tests.fitting.test_compare_families import fitted_pair, group
from tests.fitting.test_downstream import runs as accuracy_runs
from tests.fitting.test_isoflop import learning_curves

from isoflop.fitting import Fit, FitOptions, fit
from isoflop.fitting.compare import (
    Group,
    compute_multiplier,
    family_notices,
    require_comparable,
    shared_test,
    subset,
)
from isoflop.fitting.downstream import (
    downstream_notices,
    family_curve_notices,
    fit_downstream,
    fit_families,
)
from isoflop.fitting.isoflop import compare_approaches
from isoflop.fitting.notices import fit_notices
from isoflop.fitting.published import evaluate_published
from isoflop.fitting.rows import usable_rows
from isoflop.fitting.table_notices import table_notices
from isoflop.laws import load_laws, load_published_fits, read_bounds, typed_law
from isoflop.notices import Notice
from isoflop.planning import Budget, PlanOptions, find_accelerator, plan
from isoflop.planning.extrapolation import point_notices
from isoflop.planning.influence import optimum_notices
from isoflop.planning.planned import EXPERTS
from isoflop.tables import LossTable, load_dataset, read_table, simulated_table
from isoflop.tables.quality import quality_report
from isoflop.tables.shapes import thin
from isoflop.training.config import RunConfig, epoch_notice

LAWS = load_laws()
CHINCHILLA = LAWS["chinchilla"]
SQUARES = FitOptions(objective="least_squares_log")
BOOTED = replace(SQUARES, n_bootstrap=100)
LSTM = RunConfig(family="lstm", width=32, depth=1, token_budgets=(65_536,))
Found = Iterable[Notice]


def documented() -> list[str]:
    text = (Path(__file__).parents[1] / "docs" / "notices.md").read_text(encoding="utf-8")
    return re.findall(r"^\| `([a-z0-9-]+)` \|", text, flags=re.MULTILINE)


def changed(table: LossTable, **columns: object) -> LossTable:
    return table.with_frame(table.frame.assign(**columns))


# --- What is read


def csv(text: str) -> Found:
    return read_table(text.encode(), name="runs.csv").notices


def quality(table: LossTable) -> Found:
    return [finding.notice for finding in quality_report(table)]


def repeated(**changes: object) -> LossTable:
    """Return a table whose first row comes once more, changed a little."""
    table = chinchilla_table()
    frame = pd.concat([table.frame, table.frame.iloc[[0]].assign(**changes)], ignore_index=True)
    return table.with_frame(frame.set_axis(np.arange(1, len(frame) + 1)))


def rising() -> LossTable:
    loss = np.tile([3.0, 2.5, 2.8], 2)
    return table_of(run_id=list("aaabbb"), step=np.tile([1.0, 2, 3], 2), loss=loss)


READING: dict[str, Callable[[], Found]] = {
    "rows-unusable": lambda: csv("N,D,loss\n1e9,2e10,2.5\n1e9,x,2.4\n2e9,2e10,2.3\n"),
    "rows-without-loss": lambda: (
        read_table(
            b'{"step": 1, "loss": 3.0}\n{"step": 2, "lr": 0.1}\n{"step": 3, "loss": 2.0}\n',
            name="log.jsonl",
        ).notices
    ),
    "run-described": lambda: (
        read_table(
            b'{"N": 1e9, "D": 4e10, "log": [{"step": 1, "loss": 3.0}, {"step": 2, "loss": 2.0}]}',
            name="run.json",
        ).notices
    ),
    "one-row": lambda: csv("N,D,loss\n1e9,2e10,2.5\n"),
    "one-value-params": lambda: csv("N,D,loss\n1e9,2e10,2.5\n1e9,4e10,2.4\n"),
    "one-value-tokens": lambda: csv("N,D,loss\n1e9,2e10,2.5\n2e9,2e10,2.4\n"),
    "column-derived": lambda: csv("N,C,loss\n1e9,2e20,2.5\n2e9,4e20,2.4\n"),
    "loss-unit-assumed": lambda: csv("N,D,loss\n1e9,2e10,2.5\n2e9,4e10,2.4\n"),
    "loss-unit-unknown": lambda: csv("N,D,loss\n1e9,2e10,0.011\n2e9,4e10,0.01\n"),
    "runs-found": lambda: csv(
        "step,params,tokens,loss\n"
        + "".join(f"{i},{n},{i * 1e7},{4 - i / 10}\n" for n in (1e8, 1e9) for i in range(1, 9))
    ),
    "settings-swept": lambda: csv(
        "params,tokens,learning_rate,loss\n"
        + "".join(
            f"{n},{20 * n},{rate},{3 + rate}\n" for n in (1e8, 1e9) for rate in (0.1, 0.2, 0.3)
        )
    ),
    "score-explained": lambda: csv("N,D,accuracy\n1e9,2e10,0.5\n2e9,4e10,0.6\n"),
    "unit-open": lambda: csv("N,D,loss (bits per byte)\n1e9,2e10,1.1\n2e9,4e10,1.0\n"),
}
QUALITY: dict[str, Callable[[], Found]] = {
    "duplicate-rows": lambda: quality(repeated()),
    "near-duplicate-rows": lambda: quality(repeated(loss=lambda frame: frame["loss"] * (1 + 1e-6))),
    "rows-of-one-run": lambda: quality(learning_curves(n_runs=3)),
    "repeated-seeds": lambda: quality(
        table_of(params=[1e9] * 2, tokens=[1e10] * 2, seed=[1.0, 2.0], loss=[2.5, 2.6])
    ),
    "compute-not-6nd": lambda: quality(
        changed(chinchilla_table(), compute_flop=lambda f: 2 * f["compute_flop"])
    ),
    "spread": lambda: quality(simulated_table(n_rows=200)),
    "narrow-spread": lambda: quality(
        table_of(params=[1e9, 2e9], tokens=[1e10, 1e12], loss=[3.0, 2.0])
    ),
    "collinear-sizes": lambda: quality(changed(chinchilla_table(), tokens=lambda f: f.params)),
    "outlier-rows": lambda: quality(simulated_table(n_rows=80, outliers=3, seed=5)),
    "rising-curves": lambda: quality(rising()),
    "repeated-data": lambda: quality(
        changed(chinchilla_table(), unique_tokens=lambda f: f["tokens"] / 4)
    ),
    "undertrained-rows": lambda: quality(
        table_of(params=[1e9, 1e10], tokens=[1e9, 1e12], loss=[3.0, 2.0])
    ),
    "loss-unit-guess": lambda: quality(table_of(params=[1e9, 1e10], loss=[3.0, 2.0])),
    "loss-unit-doubtful": lambda: quality(
        replace(table_of(params=[1e9, 1e10], loss=[30.0, 20.0]), loss_unit="nats/token")
    ),
}

# --- What is fitted


def fitted(table: LossTable, options: FitOptions = SQUARES) -> Found:
    return fit(CHINCHILLA, table, options).notices


def spoilt(table: LossTable, factor: float = 1.5) -> LossTable:
    loss = table.frame["loss"].to_numpy().copy()
    loss[-1] *= factor
    return changed(table, loss=loss)


def doubted(**certificate: object) -> Found:
    """Return the notices of a fit whose certificate is worse than it is."""
    table = chinchilla_table(noise=0.01)
    found = fit(CHINCHILLA, table, SQUARES)
    rows = usable_rows(CHINCHILLA, table)
    worse = replace(found, certificate=replace(found.certificate, **certificate))
    return fit_notices(worse, rows.inputs, rows.clusters, 0).notices


def twice(table: LossTable) -> LossTable:
    return table.with_frame(pd.concat([table.frame, table.frame], ignore_index=True))


def without_a_floor() -> Found:
    """Fit a floor to rows that fall like a power and say nothing of one."""
    n = np.geomspace(1e8, 1e9, 20)
    loss = 8 * n**-0.07 * np.exp(0.01 * np.random.default_rng(2).standard_normal(20))
    law = typed_law("E + A/N**alpha", ("params",))
    return fit(law, table_of(params=n, loss=loss), BOOTED).notices


def two_families(**second: Callable[[pd.DataFrame], object]) -> Found:
    """Return the notices of rows of two families, the second one changed."""
    table = chinchilla_table(noise=0.005)
    is_second = np.random.default_rng(4).random(len(table.frame)) < 0.4
    frame = table.frame.assign(family=np.where(is_second, "Second", "First"))
    for column, change in second.items():
        frame.loc[is_second, column] = change(frame[is_second])
    both = table.with_frame(frame)
    return fit(CHINCHILLA, both, replace(SQUARES, objective="huber_log")).notices


def curves() -> tuple[Fit, LossTable]:
    table = learning_curves(noise=0.01, n_runs=12)
    return fit(CHINCHILLA, table, SQUARES), table


def of_thinned(table: LossTable) -> Found:
    thinned = thin(table, 50)
    return table_notices(fit(CHINCHILLA, thinned, SQUARES), thinned)


FITTING: dict[str, Callable[[], Found]] = {
    "rows-without-values": lambda: fitted(
        changed(chinchilla_table(noise=0.01), tokens=lambda f: f["tokens"].where(f.index > 1))
    ),
    "few-rows": lambda: fitted(chinchilla_table(3, 3, noise=0.01)),
    "uneven-weights": lambda: fitted(
        changed(chinchilla_table(noise=0.01), w=lambda f: np.where(f.index < 7, 1.0, 1e-3)),
        FitOptions(weights="w"),
    ),
    "one-value": lambda: (
        fit(
            typed_law("A/N**alpha + 0*D", ("params", "tokens")),
            changed(chinchilla_table(noise=0.01), tokens=1e10),
            SQUARES,
        ).notices
    ),
    "clustered-rows": lambda: curves()[0].notices,
    "wild-under-huber": lambda: fitted(
        chinchilla_table(noise=0.01), FitOptions(n_bootstrap=20, bootstrap="wild")
    ),
    "collinear-inputs": lambda: fitted(
        changed(
            chinchilla_table(noise=0.01),
            tokens=lambda f: 20 * f["params"] * (1 + 0.01 * (f.index % 3)),
        )
    ),
    "at-bound": lambda: fitted(
        chinchilla_table(noise=0.01), replace(SQUARES, params=read_bounds({"alpha": (0.0, 0.2)}))
    ),
    "ran-off": lambda: doubted(at_bound=("A",)),
    "repeated-rows": lambda: fitted(twice(chinchilla_table(noise=0.01))),
    "identical-losses": lambda: fitted(
        changed(chinchilla_table(noise=0.01), loss=lambda f: f["loss"].where(f.index > 20, 3.0))
    ),
    "two-codings": lambda: fitted(
        changed(
            chinchilla_table(noise=0.01),
            loss=lambda f: f["loss"] / np.where(f.index % 3 == 0, np.log(2), 1.0),
        ),
        FitOptions(),
    ),
    "families-pooled": lambda: fitted(
        changed(
            chinchilla_table(noise=0.01),
            family=lambda f: np.where(f.index % 2, "one", "other"),
            tokenizer=lambda f: np.where(f.index % 2, "GPT-2", "Llama"),
        )
    ),
    "second-minimum-near": lambda: doubted(gap_to_second=0.001),
    "not-polished": lambda: doubted(gradient_norm=np.nan),
    "optimum-unconfirmed": lambda: doubted(n_starts=80, share_at_optimum=1 / 80),
    "ill-conditioned": lambda: doubted(condition_number=1e12),
    "floor-not-identified": without_a_floor,
    "outliers": lambda: fitted(spoilt(chinchilla_table(noise=0.003)), FitOptions()),
    "checkpoints-not-annealed": lambda: table_notices(*curves()),
    "rows-thinned": lambda: of_thinned(curves()[1]),
    "mixed-units": lambda: two_families(loss=lambda frame: frame["loss"] / np.log(2)),
    "mixed-conventions": lambda: two_families(
        compute_flop=lambda frame: 1.5 * frame["compute_flop"]
    ),
}

# --- What is compared


def published(**changes: object) -> Found:
    fits = load_published_fits()
    one = replace(fits["hoffmann"], is_verified=bool(changes.pop("is_verified", True)))
    table = replace(chinchilla_table(), loss_unit="nats/token", param_convention="total")
    return evaluate_published(one, replace(table, **changes)).notices


def approaches(table: LossTable, options: FitOptions = SQUARES) -> Found:
    return compare_approaches(table, fit(CHINCHILLA, table, options)).notices


def unequal_exponents() -> LossTable:
    """Profiles under exponents that differ, over a factor of 16 each side of the best sizes."""
    flop, alpha, beta = np.repeat(np.logspace(17, 21, 5), 15), 0.34, 0.28
    best = (alpha * 406.4 / (beta * 410.7)) ** (1 / (alpha + beta))
    best = best * (flop / 6) ** (beta / (alpha + beta))
    params = best * np.tile(np.geomspace(1 / 16, 16, 15), 5)
    tokens = flop / (6 * params)
    loss = 1.69 + 406.4 / params**alpha + 410.7 / tokens**beta
    return table_of(params=params, tokens=tokens, compute_flop=flop, loss=loss)


def without_runs(table: LossTable) -> LossTable:
    return table.with_frame(table.frame.drop(columns="run_id"))


def bent_profiles() -> LossTable:
    """Profiles whose floor falls by another power than any Chinchilla law allows them."""
    flop = np.repeat(np.logspace(18, 22, 9), 9)
    offset = np.tile(np.linspace(-0.8, 0.8, 9), 9)
    params = 3e8 * (flop / 1e20) ** 0.1 * 10**offset
    loss = 1.7 + 0.9 * (flop / 1e18) ** -0.1 + 0.1 * offset**2
    noise = np.random.default_rng(1).normal(0, 0.001, len(loss))
    return table_of(
        params=params, tokens=flop / (6 * params), compute_flop=flop, loss=loss * np.exp(noise)
    )


def unequal_families() -> Found:
    groups, _ = fitted_pair()
    random = np.random.default_rng(3)
    noisy = changed(
        groups[1].table,
        loss=lambda f: f["loss"] * np.exp(0.1 * random.standard_normal(len(f))),
    )
    groups = [groups[0], replace(groups[1], table=noisy)]
    fits = [fit(LAWS["power_floor"], each.table, BOOTED) for each in groups]
    return family_notices(groups, shared_test(LAWS["power_floor"], groups, fits), None)


def recipes() -> Found:
    table = load_dataset("pile-cerebras-pythia")
    names, family = ("Cerebras-GPT", "Pythia"), table.frame["family"].to_numpy()
    return family_notices(
        [Group(label=name, table=subset(table, family == name)) for name in names], None, None
    )


def apart() -> Found:
    groups, (one, _) = fitted_pair()
    high = changed(groups[0].table, loss=lambda f: f["loss"] + 4)
    other = fit(LAWS["power_floor"], high, one.options)
    ranges = ((1e18, 1e22), (1e18, 1e22))
    found = compute_multiplier(one, other, np.geomspace(1e20, 1e22, 5), ranges=ranges)
    return family_notices([replace(each, table=high) for each in groups], None, found)


def across(aspect: str, **changes: str) -> Found:
    groups = [group("a", tokenizer="GPT-2"), group("b", **({"tokenizer": "GPT-2"} | changes))]
    return require_comparable(groups, {aspect: "both were converted"})


def through_loss(best: float, **columns: object) -> Found:
    table = accuracy_runs()
    low = table.with_frame(table.frame[table.frame["accuracy"] < best])
    return downstream_notices(
        fit_downstream(changed(low, **columns), "accuracy", LAWS["power_floor"], n_draws=60)
    )


def families_by_loss() -> Found:
    """Place two families by a reference loss, one of them at chance."""
    reference = fit(CHINCHILLA, chinchilla_table(noise=0.003), replace(BOOTED, n_bootstrap=40))
    random = np.random.default_rng(1)
    params = np.tile(np.geomspace(1e8, 1e10, 8), 2)
    tokens = 20 * params
    loss = CHINCHILLA.loss(reference.theta, {"N": params, "D": tokens})
    able = 0.25 + 0.5 / (1 + np.exp(6 * (loss - 2.5)))
    accuracy = np.where(np.arange(16) < 8, able, 0.25) + 0.004 * random.standard_normal(16)
    table = table_of(
        params=params, tokens=tokens, accuracy=accuracy, family=["able"] * 8 + ["chance"] * 8
    )
    return family_curve_notices(fit_families(table, "accuracy", reference, n_draws=40))


COMPARING: dict[str, Callable[[], Found]] = {
    "fitted-elsewhere": published,
    "units-differ": lambda: published(loss_unit="bits/byte"),
    "conventions-differ": lambda: published(param_convention="non-embedding"),
    "unverified": lambda: published(is_verified=False),
    "no-learning-curves": lambda: approaches(without_runs(learning_curves())),
    "biased-profiles": lambda: approaches(unequal_exponents()),
    "biased-envelope": lambda: approaches(learning_curves(noise=0.01)),
    "approaches-disagree": lambda: approaches(bent_profiles(), BOOTED),
    "compared-across-loss-unit": lambda: across("loss_unit", loss_unit="bits/byte"),
    "compared-across-tokenizer": lambda: across("tokenizer", tokenizer="Llama"),
    "compared-across-param-convention": lambda: across(
        "param_convention", param_convention="non-embedding"
    ),
    "recipes-differ": recipes,
    "unequal-noise": unequal_families,
    "no-common-loss": apart,
    "metric-hardly-moves": lambda: through_loss(
        1.0, accuracy=lambda f: 0.25 + 0.01 * np.sin(np.arange(len(f)))
    ),
    "top-not-identified": lambda: through_loss(0.5),
    "loss-not-measured": families_by_loss,
    "family-at-chance": families_by_loss,
}

# --- What is planned and trained


def planned(compute_flop: float = 1e21, **budget: object) -> Found:
    found = fit(CHINCHILLA, chinchilla_table(noise=0.01), BOOTED)
    asked = Budget(compute_flop=compute_flop, **budget)
    return plan(found, asked, find_accelerator("h100-sxm")).notices


def unstable() -> Found:
    found = fit(CHINCHILLA, chinchilla_table(noise=0.01), BOOTED)
    draws = found.draws.copy()
    draws[:40, CHINCHILLA.param_names.index("A")] = 0.0
    asked = Budget(compute_flop=1e21)
    return plan(replace(found, draws=draws), asked, find_accelerator("h100-sxm")).notices


def beyond() -> Found:
    found = fit(CHINCHILLA, chinchilla_table(noise=0.01), BOOTED)
    return point_notices(found, {"N": np.array([1e12]), "D": np.array([2e13])})


def one_row() -> Found:
    """In a small table the curve hangs on a row that lies on it and has not the highest loss."""
    few = chinchilla_table(6, 2, noise=0.01, seed=2)
    return optimum_notices(fit(CHINCHILLA, few, SQUARES), few, 1e24)


def outliers_decide() -> Found:
    table = spoilt(chinchilla_table(noise=0.003), 1.3)
    return optimum_notices(fit(CHINCHILLA, table, SQUARES), table, 1e24)


def over_limits() -> Found:
    options = PlanOptions(params=7e9, tokens=2e13)
    budget = Budget(wall_time_s=86_400.0, accelerators=64)
    made = fit(CHINCHILLA, chinchilla_table(noise=0.003), SQUARES)
    return plan(made, budget, find_accelerator("h100-sxm"), options).notices


PLANNING: dict[str, Callable[[], Found]] = {
    "extrapolating": lambda: planned(1e27),
    "band-beyond-data": beyond,
    "optimum-unstable": unstable,
    "long-run": lambda: planned(1e22, accelerators=1),
    "over-limits": over_limits,
    "many-epochs": lambda: planned(1e23, unique_tokens=1e10),
    "experts-by-dense-law": lambda: [EXPERTS],
    "one-row-moves-optimum": one_row,
    "outliers-move-optimum": outliers_decide,
    "budget-beyond-epoch": lambda: [
        found for found in [epoch_notice(LSTM, n_train_tokens=30_000)] if found is not None
    ],
}
TRIGGERS = READING | QUALITY | FITTING | COMPARING | PLANNING


def test_every_documented_notice_has_a_trigger_here() -> None:
    lacking = set(documented()) - set(TRIGGERS)
    assert not lacking, f"No trigger above makes {', '.join(lacking)}"
    unknown = set(TRIGGERS) - set(documented())
    assert not unknown, f"docs/notices.md has no row for {', '.join(unknown)}"


@pytest.mark.parametrize("code", TRIGGERS)
def test_a_notice_can_be_triggered(code: str) -> None:
    found = list(TRIGGERS[code]())
    assert {notice.code for notice in found} <= set(documented())
    notice = next((notice for notice in found if notice.code == code), None)
    assert notice is not None, f"raised: {[other.code for other in found]}"
    assert notice.text.endswith((".", ":"))
    assert not re.search(r"\b1 (rows|runs|minima|families|cells|models|settings)\b", notice.text)


def test_a_clean_fit_raises_nothing_serious() -> None:
    table = chinchilla_table(8, 8, noise=0.005)
    found = fit(CHINCHILLA, table, BOOTED)
    codes = {notice.code for notice in (*found.notices, *table_notices(found, table))}
    assert codes <= {"loss-unit-guess"}
