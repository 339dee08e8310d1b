import contextlib

import pytest
import torch

from isoflop.errors import TrainingError
from isoflop.training.engine import device as device_module
from isoflop.training.engine.device import (
    device_for,
    matmul_peak_flop_per_s,
    precision,
    precision_name,
)

CPU = torch.device("cpu")


def present(monkeypatch, *, cuda=False, mps=False, n_cards=1):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: n_cards if cuda else 0)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


def chosen(config, root):
    with device_for(config, root=root) as device:
        return str(device)


LARGE = {"family": "transformer", "width": 256, "depth": 4, "context": 128}


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [(True, True, "cuda:0"), (False, True, "mps"), (False, False, "cpu")],
)
def test_auto_takes_the_faster_device_for_the_size(
    monkeypatch, tmp_path, tiny, cuda, mps, expected
):
    present(monkeypatch, cuda=cuda, mps=mps)
    assert chosen(tiny(device="auto", **LARGE), tmp_path) == expected
    assert chosen(tiny(device="auto"), tmp_path) == "cpu"  # width 8: kernels would take longer
    assert chosen(tiny(device="cpu", **LARGE), tmp_path) == "cpu"


def test_one_worker_has_a_card(monkeypatch, tmp_path, tiny):
    present(monkeypatch, cuda=True, n_cards=2)
    config = tiny(device="auto", **LARGE)
    with device_for(config, root=tmp_path) as first, device_for(config, root=tmp_path) as second:
        assert (str(first), str(second)) == ("cuda:0", "cuda:1")
        assert chosen(config, tmp_path) == "cpu"  # all are taken
    assert chosen(config, tmp_path) == "cuda:0"


def test_who_asks_for_a_card_waits_for_one(monkeypatch, tmp_path, tiny):
    present(monkeypatch, cuda=True)
    first = device_for(tiny(device="cuda"), root=tmp_path)
    first.__enter__()
    waited = []

    def sleep(seconds):
        waited.append(seconds)
        first.__exit__(None, None, None)

    monkeypatch.setattr(device_module.time, "sleep", sleep)
    assert chosen(tiny(device="cuda"), tmp_path) == "cuda:0"
    assert len(waited) == 1


@pytest.mark.parametrize("asked", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_refused(monkeypatch, tmp_path, tiny, asked):
    present(monkeypatch)
    with pytest.raises(TrainingError, match=f"This machine has no {asked} device"):
        chosen(tiny(device=asked), tmp_path)


# torch warns that there is no CUDA here; what is asked for counts.
@pytest.mark.filterwarnings("ignore:CUDA is not available")
def test_only_what_is_sound_in_bfloat16_computes_in_it(monkeypatch):
    card = torch.device("cuda")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    assert precision(card, "transformer").fast_dtype == torch.bfloat16
    assert precision_name(card, "dense") == "bfloat16"
    for family in ("rnn", "rnn_attention", "lstm"):  # CUDA would take float16 for these
        assert isinstance(precision(card, family), contextlib.nullcontext)
    for name in ("cpu", "mps"):
        assert precision_name(torch.device(name), "transformer") == "float32"
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
    assert precision_name(card, "transformer") == "float32"


def test_the_matmul_rate_is_that_of_a_processor():
    assert 1e8 < matmul_peak_flop_per_s(CPU, size=128, n_rounds=2) < 1e14
