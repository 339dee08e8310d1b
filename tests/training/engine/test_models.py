import math

import pytest
import torch

from isoflop.accounting import (
    SMALL_FAMILIES,
    SmallModel,
    count_small_flop,
    count_small_parameters,
)
from isoflop.training.config import DENSE_WINDOW, RunConfig, small_model
from isoflop.training.engine.build import build_model
from isoflop.training.engine.layers import squared_relu
from isoflop.training.engine.transformer import rotate

VOCAB = 50


SETTINGS = {
    "tied": {},
    "untied": {"is_tied": False},
    "narrow embedding": {"embedding_width": 12},
    "narrow and untied": {"embedding_width": 12, "is_tied": False},
}


def build(family, *, width=16, depth=1, context=32, seed=0, **settings):
    config = RunConfig(
        family=family,
        width=width,
        depth=depth,
        token_budgets=(10_000,),
        context=context,
        seed=seed,
        **settings,
    )
    return config, build_model(config, vocab_size=VOCAB).eval()


def open_up(model):
    """Give the maps that start at zero a value, so that every path carries something."""
    with torch.no_grad():
        for parameter in model.parameters():
            if not parameter.any():
                parameter.normal_(std=0.3)
    return model


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("family", SMALL_FAMILIES)
@pytest.mark.parametrize(("width", "depth"), [(8, 1), (48, 2), (64, 3)])
def test_parameters_are_what_accounting_counts(family, width, depth, settings):
    config, model = build(family, width=width, depth=depth, **settings)
    expected = count_small_parameters(small_model(config, vocab_size=VOCAB))
    assert sum(parameter.numel() for parameter in model.parameters()) == expected.total
    embedding = model.embedding.weight.numel()
    embedding += 0 if model.head is None else model.head.weight.numel()
    assert expected.nonembedding == expected.total - embedding


def test_an_lstm_of_a_textbook_is_counted():
    """10,000 words of 300 channels, ten layers of 500: W of 4 x 500 x (300 + 500) in the first."""
    shape = SmallModel(
        family="lstm", width=500, depth=10, vocab=10_000, context=35, embedding_width=300,
        is_tied=False,
    )  # fmt: skip
    counts = count_small_parameters(shape).by_component
    assert counts["token_embedding"] == 10_000 * 300
    assert counts["lm_head"] == 10_000 * 500
    assert counts["recurrent"] == 4 * 500 * (300 + 500 + 2) + 9 * 4 * 500 * (500 + 500 + 2)


def test_dropout_leaves_out_in_training_alone():
    _, model = build("transformer", depth=2, dropout=0.5)
    open_up(model)
    tokens = torch.randint(VOCAB, (2, 32), generator=torch.Generator().manual_seed(1))
    assert torch.equal(model(tokens), model(tokens))
    model.train()
    torch.manual_seed(0)
    assert not torch.equal(model(tokens), model(tokens))


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("family", SMALL_FAMILIES)
def test_matrix_products_are_what_accounting_counts(family, settings):
    """Count the multiply-adds of every linear map as it is called, attention's pairs apart."""
    config, model = build(family, width=32, depth=2, **settings)
    n_tokens = 2 * config.context
    # The tied output matrix is no module of its own.
    flop = 2 * model.embedding.weight.numel() * n_tokens if model.head is None else 0
    rows = {}

    def remember(module, inputs):
        rows[module] = inputs[0].numel() // inputs[0].shape[-1]

    for module in model.modules():
        if isinstance(module, torch.nn.Linear):
            module.register_forward_pre_hook(remember)
        elif isinstance(module, torch.nn.RNN | torch.nn.LSTM):
            matrices = module.weight_ih_l0.numel() + module.weight_hh_l0.numel()
            flop += 2 * matrices * n_tokens
    model(torch.zeros(2, config.context, dtype=torch.long))
    flop += sum(
        2 * module.weight.numel() * count
        for module, count in rows.items()
        if module is not getattr(model, "score", None)
    )
    counted = count_small_flop(small_model(config, vocab_size=VOCAB)).forward_by_component_flop
    without_pairs = sum(value for name, value in counted.items() if name != "attention_scores")
    assert flop / n_tokens == without_pairs


@pytest.mark.parametrize("context", [8, 128, 200])
def test_the_pairs_of_additive_attention_are_what_accounting_counts(context):
    config, model = build("rnn_attention", width=16, context=context)
    n_pairs = []
    model.score.register_forward_pre_hook(lambda _, inputs: n_pairs.append(inputs[0].shape[:-1]))
    model(torch.zeros(2, context, dtype=torch.long))
    shape = small_model(config, vocab_size=VOCAB)
    per_pair = 4 * shape.score_width + 2 * shape.width
    counted = count_small_flop(shape).forward_by_component_flop["attention_scores"]
    assert sum(map(math.prod, n_pairs)) * per_pair == 2 * context * counted


@pytest.mark.parametrize("family", SMALL_FAMILIES)
def test_no_model_sees_the_future(family):
    _, model = build(family, depth=2)
    open_up(model)
    tokens = torch.randint(VOCAB, (2, 32), generator=torch.Generator().manual_seed(1))
    changed = tokens.clone()
    changed[:, 20] = (changed[:, 20] + 1) % VOCAB
    before, after = model(tokens), model(changed)
    assert torch.equal(before[:, :20], after[:, :20])
    assert not torch.allclose(before[:, 20], after[:, 20])


@pytest.mark.parametrize("family", SMALL_FAMILIES)
def test_how_far_back_a_model_sees(family):
    _, model = build(family)
    open_up(model)
    tokens = torch.randint(VOCAB, (1, 32), generator=torch.Generator().manual_seed(1))
    changed = tokens.clone()
    changed[:, 0] = (changed[:, 0] + 1) % VOCAB
    differs = (model(tokens) - model(changed)).abs().amax(-1)[0] > 0
    if family == "dense":
        assert differs[:DENSE_WINDOW].all()
        assert not differs[DENSE_WINDOW:].any()
    else:
        assert differs[: DENSE_WINDOW + 4].all()


@pytest.mark.parametrize("family", SMALL_FAMILIES)
def test_the_seed_decides_the_weights(family):
    first, again = build(family, seed=3)[1], build(family, seed=3)[1]
    other = build(family, seed=4)[1]
    tokens = torch.zeros(1, 8, dtype=torch.long)
    assert torch.equal(first(tokens), again(tokens))
    assert not torch.equal(first(tokens), other(tokens))


def test_rotation_keeps_lengths_and_depends_on_distance_alone():
    _, model = build("transformer", width=16)
    x = torch.randn(1, 1, 2, 16).expand(1, 32, 2, 16).contiguous()
    turned = rotate(x, model.turn)
    assert torch.allclose(turned.norm(dim=-1), x.norm(dim=-1), atol=1e-5)
    q, k = turned[0, :, 0], turned[0, :, 1]
    scores = q @ k.T
    for offset in (1, 5):
        diagonal = scores.diagonal(offset)
        assert torch.allclose(diagonal, diagonal[:1].expand_as(diagonal), atol=1e-4)
    assert not torch.allclose(scores[0, 0], scores[0, 5], atol=1e-2)


def test_squared_relu_and_its_gradient():
    x = torch.linspace(-2, 2, 9, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(squared_relu, (x[x != 0].detach().requires_grad_(),))
    with torch.no_grad():
        assert torch.equal(squared_relu(x), x.relu() ** 2)
    assert torch.equal(squared_relu(x), x.relu() ** 2)


def test_additive_attention_by_hand():
    _, model = build("rnn_attention", width=8, context=40)
    tokens = torch.randint(VOCAB, (1, 37))  # two whole blocks and a part of one
    states = model.layers[0](model.embedding(tokens))[0][0]
    expected = []
    for t in range(37):
        scores = torch.stack(
            [
                model.score(torch.tanh(model.query(states[t]) + model.key(states[s])))[0]
                for s in range(t + 1)
            ]
        )
        attended = torch.softmax(scores, 0) @ states[: t + 1]
        expected.append(torch.tanh(model.combine(torch.cat([states[t], attended]))))
    assert torch.allclose(model.hidden(tokens)[0], torch.stack(expected), atol=1e-6)


def test_dot_product_attention_by_hand():
    """Two heads, each position in turn: normalise, rotate by sine and cosine, score, mix."""
    _, model = build("transformer", width=64, context=8)
    open_up(model)
    block, x = model.attention[0], torch.randn(1, 6, 64)
    qkv = block.qkv(block.norm(x))[0].view(6, 3, 2, 32)

    def prepared(part, time, head):
        channels = qkv[time, part, head]
        centred = (channels - channels.mean()) / (channels.var(correction=0) + 1e-5).sqrt()
        angle = time * 10_000.0 ** (-torch.arange(0, 32, 2) / 32)
        even, odd = centred[::2], centred[1::2]
        return torch.stack(
            [even * angle.cos() - odd * angle.sin(), even * angle.sin() + odd * angle.cos()], 1
        ).flatten()

    rows = []
    for time in range(6):
        heads = []
        for head in range(2):
            q = prepared(0, time, head)
            scores = torch.stack([q @ prepared(1, past, head) for past in range(time + 1)])
            weights = torch.softmax(scores * 2 / math.sqrt(32), 0)
            heads.append(weights @ qkv[: time + 1, 2, head])
        rows.append(x[0, time] + block.out(torch.cat(heads)))
    assert torch.allclose(block(x, model.turn[:6])[0], torch.stack(rows), atol=1e-4)


@pytest.mark.parametrize("family", SMALL_FAMILIES)
def test_gradients_are_those_of_finite_differences(family):
    """Along a random direction through all parameters, in double precision.

    But for the transformer's rotation, which computes in single precision: hence its tolerance.
    """
    torch.manual_seed(5)
    _, model = build(family, width=8, depth=2, context=8)
    open_up(model).double()
    tokens = torch.randint(VOCAB, (2, 9), generator=torch.Generator().manual_seed(3))
    parameters = list(model.parameters())
    direction = [torch.randn_like(parameter) for parameter in parameters]

    def loss():
        logits = model(tokens[:, :-1]).flatten(0, 1)
        return torch.nn.functional.cross_entropy(logits, tokens[:, 1:].flatten())

    gradients = torch.autograd.grad(loss(), parameters)
    slope = sum((g * d).sum() for g, d in zip(gradients, direction, strict=True))
    step, sides = 1e-5, []
    with torch.no_grad():
        for sign in (1, -2):
            for parameter, along in zip(parameters, direction, strict=True):
                parameter += sign * step * along
            sides.append(loss())
    measured = ((sides[0] - sides[1]) / (2 * step)).item()
    assert slope.item() == pytest.approx(measured, rel=1e-3 if family == "transformer" else 1e-5)


@pytest.mark.parametrize("family", ["transformer", "rnn_attention"])
def test_attention_weights_sum_to_one_over_the_past(family):
    _, model = build(family, width=64, depth=2)
    open_up(model)
    tokens = torch.randint(VOCAB, (1, 20), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        weights = model.attention_weights(tokens)
    layers, heads = (2, 2) if family == "transformer" else (1, 1)
    assert weights.shape == (layers, heads, 20, 20)
    assert torch.allclose(weights.sum(-1), torch.ones(()))
    assert not weights.triu(1).any()


def test_shown_weights_are_those_that_the_model_computes_with():
    """With the values of one head set apart, the output is the weights times them."""
    _, model = build("transformer", width=32)
    open_up(model)
    attention, tokens = model.attention[0], torch.arange(10)[None]
    with torch.no_grad():
        x, turn = model.embed(tokens), model.turn[:10]
        _, _, v = attention._heads(x, turn)
        mixed = (attention.weights(x, turn) @ v).transpose(1, 2).reshape(1, 10, 32)
        expected = x + attention.out(mixed)
        assert torch.allclose(attention(x, turn), expected, atol=1e-6)
