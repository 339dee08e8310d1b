import pytest
import torch
from torch.nn.functional import linear

from isoflop.training.engine import products
from isoflop.training.engine.layers import matrix
from isoflop.training.engine.products import FEWEST_WEIGHTS, product


@pytest.fixture
def onednn(monkeypatch):
    monkeypatch.setattr(products, "is_onednn_faster", lambda: True)


def gradients(multiply, x, weight, following):
    x, weight = x.clone().requires_grad_(), weight.clone().requires_grad_()
    result = multiply(x, weight)
    (result * following).sum().backward()
    return result.detach(), x.grad, weight.grad


@pytest.mark.parametrize(("n_in", "n_out"), [(64, 192), (192, 64), (128, 97)])
def test_both_libraries_give_the_same_products_and_gradients(onednn, n_in, n_out):
    random = torch.Generator().manual_seed(1)
    x = torch.randn(3, 20, n_in, generator=random)
    weight = torch.randn(n_out, n_in, generator=random)
    following = torch.randn(3, 20, n_out, generator=random)
    for found, expected in zip(
        gradients(product, x, weight, following),
        gradients(linear, x, weight, following),
        strict=True,
    ):
        # Single precision, sums of up to 192 terms of about one.
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def uses_onednn(x, weight):
    return "OneDnn" in type(product(x, weight.requires_grad_()).grad_fn).__name__


def test_a_small_matrix_is_left_to_the_usual_library(onednn):
    x = torch.randn(16, 64)
    assert uses_onednn(x, torch.randn(FEWEST_WEIGHTS // 64, 64))
    assert not uses_onednn(x, torch.randn(FEWEST_WEIGHTS // 64 - 1, 64))


def test_a_processor_without_a_gain_keeps_to_the_usual_library(monkeypatch):
    monkeypatch.setattr(products, "is_onednn_faster", lambda: False)
    assert not uses_onednn(torch.randn(16, 128), torch.randn(128, 128))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch points to torch.export
def test_a_traced_model_does_not_ask_for_onednn(onednn):
    layer = matrix(128, 128)
    with torch.no_grad():
        traced = torch.jit.trace(layer, torch.zeros(4, 128))
    assert "mkldnn" not in str(traced.inlined_graph)
    assert "linear" in str(traced.inlined_graph)
