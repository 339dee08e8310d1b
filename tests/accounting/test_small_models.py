import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.accounting import (
    SMALL_FAMILIES,
    SmallModel,
    count_small_flop,
    count_small_parameters,
)
from isoflop.errors import ArchitectureError


def small(family, **sizes):
    return SmallModel(
        family=family, **{"width": 32, "depth": 2, "vocab": 90, "context": 128} | sizes
    )


@pytest.mark.parametrize(
    ("family", "expected"),
    [
        # 90*32 embedding; two blocks of 4*32^2 + 8*32^2 and two norms of 32; the last norm.
        ("transformer", 2880 + 2 * (12 * 1024 + 64) + 32),
        # nn.LSTM(32, 32, 2): weight_ih 4*32*32, weight_hh 4*32*32, two biases of 4*32, each layer.
        ("lstm", 2880 + 2 * (4096 + 4096 + 256) + 32 + 32),
        # The second layer of a recurrent net has a norm of its own before it.
        ("rnn", 2880 + 2 * (1024 + 1024 + 64) + 32 + 32),
        ("rnn_attention", 2880 + 2 * (1024 + 1024 + 64) + (2 * 32 + 1) * 16 + 2 * 1024 + 64),
        ("dense", 2880 + 128 * 1024 + 2 * (8 * 1024 + 32) + 32),
    ],
)
def test_parameters_by_hand(family, expected):
    assert count_small_parameters(small(family)).total == expected


def test_transformer_flop_by_hand():
    count = count_small_flop(small("transformer"))
    # 2 FLOP a weight, plus 2 layers of scores and weighted sum over 64.5 positions of 32 channels.
    weights = 2 * (2880 + 2 * 12 * 1024)
    assert count.forward_flop == weights + 2 * 4 * 32 * 64.5
    assert count.training_flop == 3 * count.forward_flop
    assert count.hardware_flop == count.training_flop


def test_without_causal_every_position_is_attended_to():
    model = small("transformer")
    full = count_small_flop(model, causal=False).forward_by_component_flop["attention_scores"]
    assert full == 2 * 4 * 32 * 128


@given(
    family=st.sampled_from(SMALL_FAMILIES),
    width=st.sampled_from([8, 16, 32, 64, 128]),
    depth=st.integers(1, 6),
    vocab=st.integers(2, 5000),
    context=st.integers(1, 512),
)
def test_flop_are_two_a_matrix_weight_plus_attention(family, width, depth, vocab, context):
    model = SmallModel(family=family, width=width, depth=depth, vocab=vocab, context=context)
    parameters = count_small_parameters(model)
    vectors = parameters.by_component["norm"]
    if family == "lstm":
        vectors += depth * 8 * width
    if family in ("rnn", "rnn_attention"):
        vectors += depth * 2 * width
    if family == "rnn_attention":
        vectors += model.score_width
    count = count_small_flop(model)
    scores = count.forward_by_component_flop.get("attention_scores", 0.0)
    expected = 2 * (parameters.total - vectors)
    assert count.forward_flop - scores == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", ["width", "depth", "vocab", "context"])
@pytest.mark.parametrize("value", [0, -1, 1.5, True])
def test_sizes_must_be_positive_integers(name, value):
    with pytest.raises(ArchitectureError, match=f"The {name} of a small model must be a positive"):
        small("lstm", **{name: value})


def test_width_that_cannot_be_split_into_heads_is_refused():
    with pytest.raises(ArchitectureError, match="cannot be split into 4 heads of even size"):
        small("transformer", width=100)


def test_unknown_family_is_refused():
    with pytest.raises(ArchitectureError, match="There is no small model family 'mamba'"):
        small("mamba")


def test_additive_attention_counts_what_its_blocks_execute():
    model = small("rnn_attention")
    counted = count_small_flop(model).forward_by_component_flop["attention_scores"]
    # Blocks of 16 tokens over 16, 32, ..., 128 states: 72 on average.
    assert counted == (4 * 16 + 2 * 32) * 72
    assert (
        count_small_flop(small("rnn_attention", context=20)).forward_by_component_flop[
            "attention_scores"
        ]
        == (4 * 16 + 2 * 32) * (16 * 16 + 4 * 20) / 20
    )
