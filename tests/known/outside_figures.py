"""Published figures of ``outside_figures.csv``, and what Isoflop makes of each.

``value`` is as printed, in ``unit``; ``given`` holds what the figure was published for.
``tolerance`` is relative, with its reason beside it, or the interval that the prediction itself
has; ``miss`` is how far ours lies from a figure that it does not meet. Those stand in the
documentation, which ``PYTHONPATH=. python tests/known/outside_figures.py`` rewrites with them.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from benchmarks.planning import serving

from isoflop.accounting import find_model
from isoflop.accounting.flop import attention_score_flop
from isoflop.laws import load_published_fits
from isoflop.planning import Layout, compute_optimal
from isoflop.planning.failures import Failures, interruptions
from isoflop.planning.hardware import find_accelerator
from isoflop.planning.inference import kv_cache_bytes_per_token
from isoflop.planning.inverse import cheapest
from isoflop.planning.measured_steps import load_measured_steps
from isoflop.planning.memory import TrainingSetup, find_optimizer, training_memory
from isoflop.planning.rule import ComputeRule
from isoflop.planning.runs import RunCheck, check_runs, load_runs
from isoflop.planning.step_time import step_time
from isoflop.units import HOUR_S

FIGURES = Path(__file__).parent / "outside_figures.csv"
DOCS = Path(__file__).parents[2] / "docs" / "planning.md"
START, END = "<!-- outside figures -->\n", "<!-- end of outside figures -->\n"
ROUNDING = 1e-12
Given = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One published figure."""

    kind: str
    subject: str
    given: dict[str, str]
    value: float
    unit: str
    tolerance: float | None
    why: str
    miss: float | None
    source: str

    @property
    def ours(self) -> float:
        """What Isoflop makes of it, in the same unit."""
        return OURS[self.kind](self.subject, self.given)

    @property
    def error(self) -> float:
        """Ours over the published figure, less one."""
        return self.ours / self.value - 1

    @property
    def is_met(self) -> bool:
        """Whether ours agrees within the tolerance, or the interval of ours holds the figure."""
        if self.tolerance is None:
            return bool(_run_check(self.subject).is_inside)
        return abs(self.error) <= self.tolerance + ROUNDING


def load_figures() -> tuple[Figure, ...]:
    """Return every figure, in the order of the file."""
    with FIGURES.open(encoding="utf-8", newline="") as file:
        return tuple(
            Figure(
                kind=row["kind"],
                subject=row["subject"],
                given=dict(part.split("=") for part in row["given"].split("; ") if part),
                value=float(row["value"]),
                unit=row["unit"],
                tolerance=None if row["tolerance"] == "interval" else float(row["tolerance"]),
                why=row["why"],
                miss=float(row["miss"]) if row["miss"] else None,
                source=row["source"],
            )
            for row in csv.DictReader(file)
        )


def _parameters(name: str, _given: Given) -> float:
    return float(find_model(name).parameters.total)


def _run_check(key: str) -> RunCheck:
    return next(check for check in _checks() if check.run.key == key)


@cache
def _checks() -> tuple[RunCheck, ...]:
    return check_runs()


def _flop(key: str, given: Given) -> float:
    run = load_runs()[key]
    if given["convention"] == "appendix_f":
        assert run.exact_flop_per_token is not None
        return run.exact_flop_per_token * run.tokens
    return 6 * run.params_active * run.tokens


def _hours(key: str, _given: Given) -> float:
    check = _run_check(key)
    assert check.planned_hours is not None
    return check.planned_hours


def _mfu(_name: str, given: Given) -> float:
    rate = float(given["tokens_per_s"]) * _flop_per_token(given)
    return rate / (float(given["accelerators"]) * float(given["peak_flop_per_s"]))


def _flop_per_token(given: Given) -> float:
    """Count those of PaLM, a shape that the catalog lacks, by the engine's own attention."""
    shape = replace(
        find_model("GPT-3 175B").architecture,
        n_layers=int(given["layers"]),
        n_heads=int(given["heads"]),
        n_kv_heads=1,
        head_dim=256,
    )
    scores = 3 * attention_score_flop(shape, int(given["context"]), causal=False)
    return 6 * float(given["params"]) + scores * (given["attention"] == "yes")


def _static_memory(name: str, given: Given) -> float:
    """Weights, gradients and optimiser states, scaled to the size that was published."""
    shape = find_model(name).architecture
    layout = Layout(data=int(given["data"]), zero_stage=int(given["zero"]))
    setup = TrainingSetup(optimizer=find_optimizer(given["optimizer"]), layout=layout)
    memory = training_memory(shape, setup)
    at_rest = memory.weights_bytes + memory.gradients_bytes + memory.optimizer_bytes
    return at_rest * float(given["params"]) / find_model(name).parameters.total / 1e9


def _saved_activations(name: str, given: Given) -> float:
    """Share of the activations that recomputing attention alone saves."""
    shape = find_model(name).architecture
    layout = Layout(tensor=int(given["tensor"]), pipeline=int(given["pipeline"]))
    every, selective = (
        training_memory(
            shape,
            TrainingSetup(
                optimizer=find_optimizer("adam-16"),
                layout=layout,
                recompute=recompute,
                flash_attention=False,
                dropout=True,
            ),
        ).activations_bytes
        for recompute in ("none", "selective")
    )
    return 1 - selective / every


def _cache(name: str, _given: Given) -> float:
    return kv_cache_bytes_per_token(find_model(name).architecture)


def _checkpoint(name: str, given: Given) -> float:
    kept = {"weights": 2.0, "all": find_optimizer(given["optimizer"]).checkpoint_bytes}
    return kept[given["kept"]] * find_model(name).parameters.total


def _step(model: str, given: Given) -> float:
    count = int(given["accelerators"])
    (found,) = [
        item
        for item in load_measured_steps()
        if item.step.architecture.name == model
        and item.group == given["group"]
        and item.step.layout.n_accelerators == count
    ]
    return step_time(found.step).total_s


def _between_failures(_name: str, given: Given) -> float:
    failures = Failures(rate_per_device_hour=float(given["rate_per_device_hour"]))
    found = interruptions(int(given["accelerators"]), failures)
    return found.mean_time_between_failures_s / HOUR_S


def _goodput(_name: str, given: Given) -> float:
    failures = Failures(
        rate_per_device_hour=float(given["rate_per_device_hour"]),
        stall_s=float(given["stall_s"]),
        restart_s=float(given["restart_s"]),
    )
    return interruptions(int(given["accelerators"]), failures).goodput


def _served(model: str, given: Given) -> float:
    (row,) = [
        row
        for row in serving.load_rows()
        if (row.model_name, row.setup.accelerators) == (model, int(given["accelerators"]))
        and row.device == find_accelerator(given["accelerator"]).label
        and row.weights == given["weights"]
        and (row.setup.prompt_tokens, row.setup.output_tokens)
        == (int(given["prompt"]), int(given["output"]))
    ]
    return row.predicted(row.setup)


def _optimum(key: str, given: Given) -> float:
    published = load_published_fits()[key]
    if "inference_tokens" in given:
        rule = ComputeRule(lifetime_inference_tokens=float(given["inference_tokens"]))
        best = cheapest(published.law, published.theta, float(given["loss"]), rule=rule)
    else:
        best = compute_optimal(published.law, published.theta, float(given["compute_flop"]))
    return float(getattr(best, given["of"]))


def _exponent(key: str, given: Given) -> float:
    """Power of compute with which the best size or data grows."""
    published = load_published_fits()[key]
    flop = np.array([1e20, 1e24])
    found = [compute_optimal(published.law, published.theta, each) for each in flop]
    values = [float(getattr(best, given["of"])) for best in found]
    return float(np.log(values[1] / values[0]) / np.log(flop[1] / flop[0]))


OURS: dict[str, Callable[[str, Given], float]] = {
    "parameters": _parameters,
    "training FLOP": _flop,
    "MFU": _mfu,
    "training memory": _static_memory,
    "activations saved": _saved_activations,
    "cache per token": _cache,
    "checkpoint": _checkpoint,
    "step time": _step,
    "accelerator-hours": _hours,
    "time between failures": _between_failures,
    "goodput": _goodput,
    "serving speed": _served,
    "optimum": _optimum,
    "exponent": _exponent,
}


def markdown(figures: Sequence[Figure]) -> str:
    """Return how many figures of each kind are met, and those that are not, for a reader."""
    lines = ["| Kind | Figures | Met | Tolerance |", "|---|---|---|---|"]
    for kind in dict.fromkeys(figure.kind for figure in figures):
        of_kind = [figure for figure in figures if figure.kind == kind]
        n_met = sum(figure.miss is None for figure in of_kind)
        why = "; ".join(dict.fromkeys(figure.why for figure in of_kind))
        lines.append(f"| {kind} | {len(of_kind)} | {n_met} | {why} |")
    lines += ["", "| Not met | Published | Off | Source |", "|---|---|---|---|"]
    lines += [
        f"| {figure.kind} of {figure.subject} | {figure.value:.4g} {figure.unit} | "
        f"{figure.miss:+.1%} | {figure.source} |"
        for figure in figures
        if figure.miss is not None
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Rewrite the misses in the file and the table in the documentation."""
    figures = load_figures()
    with FIGURES.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row, figure in zip(rows, figures, strict=True):
        row["miss"] = "" if figure.is_met else f"{figure.error:.3f}"
    with FIGURES.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    page = DOCS.read_text(encoding="utf-8")
    before, _, rest = page.partition(START)
    after = rest.partition(END)[2]
    DOCS.write_text(f"{before}{START}{markdown(load_figures())}{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
