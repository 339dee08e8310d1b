"""Inputs of the package with faults: formulas, configurations, documents, mappings, run folders."""

from __future__ import annotations

import atexit
import json
import random
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import isoflop as iso
from benchmarks.faults import broken
from isoflop.accounting import count_parameters
from isoflop.accounting.config_import import import_config
from isoflop.accounting.model_types import load_model_types
from isoflop.fitting import Fit
from isoflop.laws import formula_latex, load_laws, typed_law
from isoflop.people import LOCAL
from isoflop.planning import Plan
from isoflop.planning.scenario import from_document, to_document
from isoflop.tables import build_table, checked, guess_mapping, mapping_from_json
from isoflop.tables.raw import RawTable
from isoflop.training.config import RunConfig
from isoflop.training.following import learning_rate_sweeps, look_at, run_curves
from isoflop.training.ladder import ladder_rows
from isoflop.training.ladders import damaged_members, keep_ladder, list_ladders
from isoflop.training.queue import RunQueue, in_turn
from isoflop.training.runs import Run, list_runs
from isoflop.workspace import Workspace, from_body, from_zip, to_body, to_zip

Try = Callable[[random.Random], object]

COLUMNS = ("params", "tokens", "compute_flop", "loss", "learning_rate")
PIECES = (
    "+", "-", "*", "/", "**", "(", ")", "N", "D", "C", "E", "log(", "exp(", "min(N, D)", "0", "1e9",
    "1e999", ",", "=", ";", "\n", "lambda", "__import__", "[", "]", ".", "lr", "U", " ", "a", "\\",
    "é", "**-", "//", "%", "sqrt(", "max(", "10**400", "'", "#", "!", "@", ":", "if", "0x1",
)  # fmt: skip
CONFIG = {
    "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "vocab_size": 50257,
    "num_attention_heads": 12, "num_key_value_heads": 4, "max_position_embeddings": 2048,
    "tie_word_embeddings": False, "head_dim": 64, "sliding_window": 1024, "num_experts": 8,
    "num_experts_per_tok": 2, "moe_intermediate_size": 1024, "rope_theta": 1e4,
    "layer_types": ["full_attention", "sliding_attention"] * 6, "n_embd": 768, "n_layer": 12,
    "n_head": 12, "d_model": 512, "num_local_experts": 8,
}  # fmt: skip


def formulas(_rng: random.Random) -> Try:
    """Type formulas that ship, with faults."""
    known = [law.formula for law in load_laws().values()]

    def try_one(rng: random.Random) -> object:
        law = typed_law(broken.text(rng, rng.choice(known), PIECES), COLUMNS)
        return formula_latex(law.formula), law.key

    return try_one


def configurations(_rng: random.Random) -> Try:
    """Import configurations of models, with faults, and count their parameters."""
    types = sorted(load_model_types())

    def try_one(rng: random.Random) -> object:
        whole = {"model_type": rng.choice(types), **CONFIG}
        given = broken.document(rng, json.dumps(whole).encode())
        return count_parameters(import_config(given).architecture)

    return try_one


def a_table() -> RawTable:
    """Return what a small file of losses holds."""
    grid = [(n, d) for n in (1e7, 1e8, 1e9) for d in (1e9, 1e10, 1e11)]
    params, tokens = np.array(grid).T
    loss = 1.7 + 400 / params**0.34 + 410 / tokens**0.28
    frame = pd.DataFrame({"N": params, "D": tokens, "loss": loss})
    frame.index = pd.RangeIndex(1, len(frame) + 1)
    return RawTable(name="runs.csv", format="CSV", frame=frame)


def documents(_rng: random.Random) -> Try:
    """Read saved fits, plans, scenarios, workspaces and configurations of runs, with faults."""
    table = build_table(a_table(), guess_mapping(a_table())).table
    fit = iso.fit(table, "E + A/N**alpha + B/D**beta", n_bootstrap=0)
    planned = iso.planned(fit, "h100-sxm", accelerators=64, wall_time_s="7 days")
    plan, scenario = planned.plan, to_document(planned.scenario)
    workspace = Workspace(page="plan", views={"plan": {"count": ("64",)}}, note="a note")
    body = json.dumps(to_body(workspace)).encode()
    config = RunConfig(family="lstm", width=8, depth=1, token_budgets=(2048,)).to_dict()
    packed = to_zip("mine", workspace, {})
    readers: list[Try] = [
        lambda rng: Fit.from_json(broken.document(rng, fit.to_json().encode())).key,
        lambda rng: Plan.from_json(broken.document(rng, plan.to_json().encode())).key,
        lambda rng: from_document(broken.value(rng, scenario)),
        lambda rng: from_body(broken.value(rng, json.loads(body))),
        lambda rng: from_zip(broken.content(rng, packed)),
        lambda rng: RunConfig.from_dict(broken.value(rng, config)),
    ]
    return lambda rng: rng.choice(readers)(rng)


def mappings(_rng: random.Random) -> Try:
    """Read saved mappings of columns, with faults, and make tables by them."""
    raw = a_table()
    whole = guess_mapping(raw).to_json().encode()

    def try_one(rng: random.Random) -> object:
        mapping = mapping_from_json(broken.document(rng, whole))
        return build_table(raw, checked(raw, mapping)).table.fingerprint

    return try_one


# --- Folders of runs


def run_folders(rng: random.Random) -> Try:
    """Look at runs one of whose files has faults, as the pages do."""
    folder = Path(tempfile.mkdtemp(prefix="isoflop-faults-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    whole = folder / "whole"
    _finished_run(whole)
    files = sorted(path.relative_to(whole) for path in whole.rglob("*.json*"))

    def try_one(rng: random.Random) -> object:
        root = folder / "broken"
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(whole, root)
        path = root / rng.choice(files)
        lines = path.read_bytes().splitlines(keepends=True)
        if path.suffix == ".jsonl":
            place = rng.randrange(len(lines))
            lines[place] = broken.document(rng, lines[place].rstrip()) + b"\n"
            path.write_bytes(b"".join(lines))
        else:
            path.write_bytes(broken.document(rng, path.read_bytes()))
        return looked_at(root)

    return try_one


def looked_at(root: Path) -> object:
    """Return what pages show of a folder of runs."""
    queue = RunQueue(root)
    runs = list_runs(root)
    seen = look_at(runs, {})
    shown: list[Any] = [damaged_members(root, LOCAL), list_ladders(root, LOCAL), in_turn(runs)]
    shown += [run_curves(seen), learning_rate_sweeps(seen), ladder_rows(runs), queue.workers()]
    queue.enforce_stops(runs)
    return shown


def _finished_run(root: Path) -> None:
    """Write a folder of runs as training leaves it."""
    config = RunConfig(family="lstm", width=8, depth=1, token_budgets=(2048, 4096))
    run = Run.create(root, config, status="finished")
    per_step = config.tokens_per_step
    records: list[dict[str, Any]] = [
        {"kind": "environment", "matmul_peak_flop_per_s": 1e10, "device": "cpu"},
        {"kind": "corpus", "source": "a text", "n_bytes": 9000, "train_tokens": 8000,
         "validation_tokens": 1000},
        {"kind": "model", "params": 1000, "params_nonembedding": 500, "total_steps": 8,
         "training_flop_per_token": 6e3},
    ]  # fmt: skip
    shared = {"segment": 0, "cpu_s": 0.1, "time_s": 1.0}
    for step in range(1, 9):
        about = {"step": step, "tokens": step * per_step, "compute_flop": step * 6e6, **shared}
        rates = {"tokens_per_s": 1e4, "tokens_per_cpu_s": 1e4, "gradient_norm": 1.0}
        records.append(
            {"kind": "step", "loss": 3 - step / 10, "learning_rate": 0.1, **about, **rates}
        )
    for budget in (0, 1):
        found = {"nats_per_byte": 2.0, "nats_per_token": 2.0, "accuracy": 0.4, "budget": budget}
        about = {"step": 4 * (budget + 1), "tokens": 2048 * (budget + 1), "compute_flop": 1e7}
        records.append({"kind": "point", **about, **found, **shared})
    lines = "".join(json.dumps(record) + "\n" for record in records)
    run.records_path.write_text(lines, encoding="utf-8")
    keep_ladder(root, [run], title="a ladder")
