"""From training to text and to files, each step in a process of its own."""

import json
import time
import warnings
import zipfile

import numpy as np
import onnxruntime
import pytest
import torch
from safetensors.numpy import load_file as load_numpy

from isoflop.errors import TrainingError
from isoflop.training.config import FAMILIES, RunConfig
from isoflop.training.engine import export as export_module
from isoflop.training.engine.export import export
from isoflop.training.engine.load import load_trained
from isoflop.training.jobs import (
    read_attention,
    start_attention,
    start_export,
    start_generation,
    start_scoring,
)
from isoflop.training.ladder import read_ladder, work_off
from isoflop.training.queue import RunQueue

pytestmark = pytest.mark.slow  # what is tested is trained first, and each job starts a process


@pytest.fixture(scope="module")
def trained(tmp_path_factory, text):
    """Train one tiny run of every family, in one worker."""
    from isoflop.training.corpus import store_upload

    root = tmp_path_factory.mktemp("runs")
    key = store_upload(text, name="sources.txt", uploads=root / "uploads").key
    configs = [
        RunConfig(
            family=family, width=8, depth=2, token_budgets=(2048,), context=32, corpus=key,
            eval_tokens=2048, tokenizer="bpe-300" if family == "lstm" else "bytes",
        )
        for family in FAMILIES
    ]  # fmt: skip
    return root, work_off(RunQueue(root), configs, n_workers=1, poll_s=0.05)


def all_records(job):
    deadline_s = time.monotonic() + 120
    records, offset = job.records()
    while not records or records[-1]["kind"] not in ("end", "error"):
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
        more, offset = job.records(offset)
        records += more
    return records


def test_text_is_streamed_with_its_candidates(trained):
    _, runs = trained
    job = start_generation(runs[-1], budget=0, prompt="import ", n_tokens=20, seed=3)
    *tokens, end = all_records(job)
    assert end == {"kind": "end"}
    assert len(tokens) == 20
    assert all(token["piece"].encode("latin-1") for token in tokens)
    assert all(0 < share <= 1 for token in tokens for _, share in token["candidates"])


def test_samples_of_a_prompt_are_those_of_the_next_seeds(trained):
    _, runs = trained
    asked = {"budget": 0, "prompt": "import ", "n_tokens": 5}
    *both, _ = all_records(start_generation(runs[-1], **asked, seed=3, n_samples=2))
    *second, _ = all_records(start_generation(runs[-1], **asked, seed=4))
    assert [token["sample"] for token in both] == [0] * 5 + [1] * 5
    assert [t["piece"] for t in both[5:]] == [t["piece"] for t in second]


def test_attention_over_a_text(trained):
    _, runs = trained
    by_family = {run.config().family: run for run in runs}
    text = "def add(a, b):"
    *_, end = all_records(start_attention(by_family["transformer"], budget=0, text=text))
    weights = read_attention(end)
    assert b"".join(weights.pieces).decode() == text
    assert weights.weights.shape == (2, 1, len(text), len(text))
    *_, end = all_records(start_attention(by_family["lstm"], budget=0, text=text))
    assert end["summary"] == "This family has no attention."


def test_tasks_are_scored_for_every_run_and_become_columns(trained):
    root, runs = trained
    *scored, end = all_records(start_scoring(runs, root=root))
    assert [record["run"] for record in scored] == [run.id for run in runs]
    assert end == {"kind": "end"}
    frame = read_ladder(runs).table.frame
    for column in ("class_accuracy", "class_f1", "bleu"):
        assert frame[column].between(0, 1).all()


def test_a_job_says_what_went_wrong(trained):
    _, runs = trained
    [error] = all_records(start_generation(runs[0], budget=5, prompt=""))
    assert error["kind"] == "error"
    assert error["summary"] == "This run has no such weights yet."


def test_a_cancelled_job_ends(trained):
    _, runs = trained
    job = start_generation(runs[0], budget=0, prompt="", n_tokens=4000)
    job.cancel()
    assert all_records(job)[-1]["kind"] == "error"
    assert not job.process.is_alive()


@pytest.mark.parametrize(
    "changes",
    [{"n_tokens": 0}, {"temperature": -1.0}, {"top_k": -1}, {"temperature": float("nan")}],
)
def test_numbers_out_of_range_are_refused(trained, changes):
    _, runs = trained
    with pytest.raises(TrainingError, match=f"{next(iter(changes))} is .*: it must lie between"):
        start_generation(runs[0], budget=0, prompt="", **changes)


@pytest.mark.parametrize("index", range(len(FAMILIES)))
def test_every_family_exports_and_loads_back_to_the_same_loss(trained, index):
    root, runs = trained
    report = export(runs[index], budget=0, root=root)
    files = ("model.safetensors", "model.torchscript.pt", "model.onnx")
    expected = dict.fromkeys(files, report.loss_nats_per_byte)
    assert report.loaded_back == pytest.approx(expected, rel=1e-5)
    assert report.archive.name == f"{FAMILIES[index]}-w8-d2-s0-2048-tokens.zip"
    with zipfile.ZipFile(report.archive) as archive:
        assert sorted(archive.namelist()) == sorted(
            [*files, "README.md", "check.json", "config.json", "tokenizer.json"]
        )
        description = json.loads(archive.read("config.json"))
    assert description["architecture"]["family"] == FAMILIES[index]
    assert RunConfig.from_dict(description["training"]) == runs[index].config()

    folder = report.archive.with_suffix("")
    assert_any_length(load_trained(runs[index], budget=0).model, folder)


def assert_any_length(model, folder):
    """Networks with an Elman layer, or with attention in blocks, took the context's alone."""
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch points to torch.export
        script = torch.jit.load(str(folder / "model.torchscript.pt"))
    for shape in ((1, 2), (3, 7), (2, 32)):
        tokens = torch.randint(0, 20, shape, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            expected, scripted = model(tokens), script(tokens)
        [found] = session.run(None, {"tokens": tokens.numpy()})
        assert np.allclose(found, expected, atol=1e-4)
        assert np.allclose(scripted, expected, atol=1e-4)


def test_a_transformer_can_be_built_from_its_files_alone(trained, tmp_path):
    """Written anew from config.json and the weights, in NumPy, position by position."""
    root, runs = trained
    run = runs[FAMILIES.index("transformer")]
    with zipfile.ZipFile(export(run, budget=0, root=root).archive) as archive:
        archive.extractall(tmp_path)
    shape = json.loads((tmp_path / "config.json").read_text())["architecture"]
    weights = load_numpy(tmp_path / "model.safetensors")
    heads = shape["attention"]

    def norm(x, gain=1.0):
        centred = x - x.mean(-1, keepdims=True)
        spread = (centred**2).mean(-1, keepdims=True) + shape["layer_norm"]["epsilon"]
        return gain * centred / np.sqrt(spread)

    def turned(x, position):
        width = heads["head_width"]
        angle = position * heads["rotary_base"] ** (-np.arange(0, width, 2) / width)
        even, odd = x[..., ::2], x[..., 1::2]
        cos, sin = np.cos(angle), np.sin(angle)
        return np.stack([even * cos - odd * sin, even * sin + odd * cos], -1).reshape(x.shape)

    tokens = np.arange(20) % shape["vocab"]
    x = weights["embedding.weight"][tokens].astype(float)
    for layer in range(shape["depth"]):
        at = f"attention.{layer}."
        qkv = norm(x, weights[at + "norm.weight"]) @ weights[at + "qkv.weight"].T
        qkv = qkv.reshape(len(tokens), 3, heads["n_heads"], heads["head_width"])
        mixed = np.empty((len(tokens), heads["n_heads"], heads["head_width"]))
        keys = np.array([turned(norm(qkv[t, 1]), t) for t in range(len(tokens))])
        for t in range(len(tokens)):
            query = turned(norm(qkv[t, 0]), t)
            scores = np.einsum("hd,shd->hs", query, keys[: t + 1]) * heads["score_scale"]
            share = np.exp(scores - scores.max(-1, keepdims=True))
            share /= share.sum(-1, keepdims=True)
            mixed[t] = np.einsum("hs,shd->hd", share, qkv[: t + 1, 2])
        x = x + mixed.reshape(len(tokens), -1) @ weights[at + "out.weight"].T
        at = f"feed_forward.{layer}."
        wide = norm(x, weights[at + "norm.weight"]) @ weights[at + "up.weight"].T
        x = x + np.maximum(wide, 0) ** 2 @ weights[at + "down.weight"].T
    logits = norm(x, weights["final_norm.weight"]) @ weights["embedding.weight"].T
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
    [expected] = session.run(None, {"tokens": tokens[None]})
    assert np.allclose(logits, expected[0], atol=1e-4)


def test_without_its_extra_there_is_no_onnx(trained, monkeypatch):
    root, runs = trained
    monkeypatch.setattr(export_module, "is_onnx_available", lambda: False)
    report = export(runs[0], budget=0, root=root)
    assert set(report.loaded_back) == {"model.safetensors", "model.torchscript.pt"}


def test_an_export_that_loads_back_wrong_is_refused(trained, monkeypatch):
    root, runs = trained
    right = export_module.load_file

    def wrong(path):
        return {name: tensor + 0.1 for name, tensor in right(path).items()}

    monkeypatch.setattr(export_module, "load_file", wrong)
    with pytest.raises(TrainingError, match=r"exported model\.safetensors does not give the model"):
        export(runs[0], budget=0, root=root)


def test_an_export_runs_as_a_job(trained):
    root, runs = trained
    [end] = all_records(start_export(runs[0], budget=0, root=root))
    assert end["kind"] == "end"
    assert "model.onnx" in end["loaded_back"]
