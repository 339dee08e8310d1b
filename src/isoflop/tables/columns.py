"""The canonical columns: what each means, its unit, plausible range and other names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from isoflop.units import Dimension

ParamConvention = Literal["total", "non-embedding", "active", "unknown"]
LossUnit = Literal[
    "nats/token", "bits/token", "nats/byte", "bits/byte", "nats/character", "unknown"
]
ColumnKind = Literal["number", "text", "flag"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One canonical column.

    Parameters
    ----------
    name : str
        Canonical name, as in ``LossTable.frame``.
    label : str
        What a person reads on an axis, such as ``"Tokens D"``.
    unit : str
        Canonical unit; empty for text and flags.
    lower, upper : float or None
        Plausible values lie strictly above ``lower`` and at most at ``upper``.
    required : bool
        Whether a table without it is refused.
    aliases : tuple of str
        Other headers that mean this column, compared without case and punctuation.
    help : str
        One line for a person.
    kind : {"number", "text", "flag"}
    dimension : str or None
        Of a number, as ``isoflop.units`` parses and formats it.
    """

    name: str
    label: str
    unit: str
    lower: float | None = None
    upper: float | None = None
    required: bool = False
    aliases: tuple[str, ...] = ()
    help: str = ""
    kind: ColumnKind = "number"
    dimension: Dimension | None = None


def normalise(header: str) -> str:
    """Return a header as aliases are compared: lower case, letters and digits only.

    Examples
    --------
    >>> normalise("Model Size") == normalise("model_size")
    True
    """
    return re.sub(r"[^a-z0-9]", "", header.lower())


def _number(
    name: str,
    label: str,
    unit: str,
    dimension: Dimension,
    help: str,
    aliases: str,
    *,
    upper: float,
    lower: float = 0.0,
    required: bool = False,
) -> Column:
    return Column(
        name=name,
        label=label,
        unit=unit,
        dimension=dimension,
        lower=lower,
        upper=upper,
        required=required,
        aliases=tuple(alias.strip() for alias in aliases.split(",")),
        help=help,
    )


def _text(name: str, label: str, help: str, aliases: str) -> Column:
    return Column(
        name=name,
        label=label,
        unit="",
        kind="text",
        aliases=tuple(alias.strip() for alias in aliases.split(",")),
        help=help,
    )


# The upper ends lie far above anything trained so far: they catch a wrong unit, not a bold plan.
_ALL = (
    _number(
        "params",
        "Parameters N",
        "parameters",
        "params",
        "Model parameters, counted as the table's convention says.",
        "params, N, n params, num params, param count, parameters, parameter, param, model size, "
        "size, trainable params, trainable parameters",
        upper=1e16,
    ),
    _number(
        "params_nonembedding",
        "Non-embedding parameters",
        "parameters",
        "params",
        "Parameters without the token and position embeddings.",
        "non embedding params, non embedding parameters, n params non embedding, "
        "nonembedding params, params non embedding, parameters non embedding, "
        "non emb params, non emb parameters, params non emb, N non embedding, N non emb, "
        "params no embedding, params without embedding, backbone params",
        upper=1e16,
    ),
    _number(
        "params_embedding",
        "Embedding parameters",
        "parameters",
        "params",
        "Parameters of the token and position embeddings.",
        "embedding params, embedding parameters, params emb, emb params, N emb, N embedding",
        upper=1e15,
    ),
    _number(
        "params_active",
        "Active parameters",
        "parameters",
        "params",
        "Parameters that one token passes through, of a mixture of experts.",
        "active params, active parameters, activated params, activated parameters, "
        "params activated, N active, dense parameter count",
        upper=1e16,
    ),
    _number(
        "tokens",
        "Tokens D",
        "tokens",
        "tokens",
        "Training tokens seen, repetitions counted.",
        "tokens, D, n tokens, token num, token count, training tokens, train tokens, tokens seen, "
        "token, dataset size, data size, data tokens, dataset tokens, seen examples",
        upper=1e18,
    ),
    _number(
        "unique_tokens",
        "Unique tokens",
        "tokens",
        "tokens",
        "Distinct tokens of the corpus; fewer than tokens where data is repeated.",
        "unique tokens, n unique tokens, num unique tokens, distinct tokens, unique D, U D, "
        "unique data, tokens unique, data budget",
        upper=1e18,
    ),
    _number(
        "epochs",
        "Epochs",
        "",
        "count",
        "Passes over the unique tokens.",
        "epochs, epoch, repetitions",
        lower=-1e-300,
        upper=1e6,
    ),
    _number(
        "tokens_per_param",
        "Tokens per parameter",
        "tokens/param",
        "tokens_per_param",
        "D / N.",
        "tokens per param, tokens per parameter, tokens params, tokens param, token param ratio, "
        "D N, D over N, tpp, data to param ratio",
        upper=1e9,
    ),
    _number(
        "compute_flop",
        "Training compute C",
        "FLOP",
        "flop",
        "Floating point operations of the whole training run.",
        "compute flop, C, compute, flop, flops, compute flops",
        upper=1e32,
    ),
    _number(
        "loss",
        "Loss",
        "nats/token",
        "nats_per_token",
        "Held-out cross entropy in the table's loss unit.",
        "val loss, validation loss, valid loss, loss val, loss validation, eval loss, loss eval, "
        "evaluation loss, test loss, loss test, dev loss, heldout loss, held out loss, "
        "final val loss, final validation loss, val nats token, loss, final loss, smoothed loss, "
        "loss smoothed, lm loss, openlm loss, nll, cross entropy, cross entropy loss, ce, ce loss, "
        "xent, pile loss, loss c4, c4 loss, train loss, training loss, loss train",
        upper=1e3,
    ),
    _text(
        "family",
        "Model family",
        "Runs of one architecture and recipe, fitted and drawn together.",
        "family, model family, architecture, arch, model type, model class, series, group, "
        "router type, model",
    ),
    _text(
        "run_id",
        "Run",
        "Name of the training run; rows of one run are resampled together.",
        "run id, run, run name, run uuid, hyper id, experiment, experiment name, experiment id, "
        "trial, trial id, xid, wandb run, model name, name, model",
    ),
    _number(
        "step",
        "Step",
        "steps",
        "count",
        "Optimiser step of a learning curve's row.",
        "step, steps, global step, train step, training step, trainer global step, iter, iters, "
        "iteration, iterations, n steps",
        lower=-1.0,
        upper=1e12,
    ),
    _number(
        "seed",
        "Seed",
        "",
        "count",
        "Random seed of the run.",
        "seed, random seed, rng seed, init seed",
        lower=-1e18,
        upper=1e20,
    ),
    _number(
        "width",
        "Width",
        "",
        "count",
        "Model dimension d_model.",
        "width, d model, hidden size, hidden dim, n embd, model dim, embedding dim, embed dim",
        upper=1e7,
    ),
    _number(
        "depth",
        "Depth",
        "layers",
        "count",
        "Number of layers.",
        "depth, n layers, num layers, n layer, layers, num blocks, n blocks, num hidden layers",
        upper=1e5,
    ),
    _number(
        "heads",
        "Attention heads",
        "",
        "count",
        "Attention heads of a layer.",
        "heads, n heads, num heads, n head, num attention heads",
        upper=1e5,
    ),
    _number(
        "vocabulary",
        "Vocabulary",
        "tokens",
        "count",
        "Number of distinct tokens.",
        "vocabulary, vocab, vocab size, vocabulary size, n vocab",
        upper=1e9,
    ),
    _number(
        "n_experts",
        "Experts",
        "",
        "count",
        "Experts of a mixture-of-experts layer; 1 for a dense model.",
        "n experts, experts, num experts, number of experts",
        upper=1e7,
    ),
    _number(
        "granularity",
        "Granularity",
        "",
        "count",
        "How finely the experts of a mixture are cut; 1 for the dense width.",
        "granularity, expert granularity",
        upper=1e6,
    ),
    _number(
        "sparsity",
        "Sparsity",
        "",
        "fraction",
        "Share of experts that are idle for a token.",
        "sparsity",
        lower=-1e-300,
        upper=1.0,
    ),
    _number(
        "params_vocabulary",
        "Vocabulary parameters",
        "parameters",
        "params",
        "Parameters of the embedding and output layers that grow with the vocabulary.",
        "params vocabulary, vocabulary params, vocab params, vocab parameters, Nv, N v",
        upper=1e15,
    ),
    _number(
        "params_nonvocabulary",
        "Non-vocabulary parameters",
        "parameters",
        "params",
        "All other parameters.",
        "params nonvocabulary, non vocabulary params, non vocab params, non vocab parameters, "
        "Nnv, N nv",
        upper=1e16,
    ),
    _number(
        "characters",
        "Characters",
        "characters",
        "count",
        "Characters of training text.",
        "characters, chars, n characters, num characters, training characters",
        upper=1e19,
    ),
    _number(
        "accuracy",
        "Accuracy",
        "",
        "fraction",
        "A bounded downstream metric, between 0 and 1.",
        "accuracy, acc, downstream accuracy",
        lower=-1e-300,
        upper=1.0,
    ),
    _number(
        "batch_tokens",
        "Batch size",
        "tokens",
        "tokens",
        "Tokens of one optimiser step.",
        "batch tokens, batch size tokens, tokens per batch, tokens per step, global batch tokens",
        upper=1e12,
    ),
    _number(
        "learning_rate",
        "Learning rate",
        "",
        "count",
        "Peak learning rate.",
        "learning rate, lr, max lr, peak lr, base lr",
        lower=-1e-300,
        upper=1e3,
    ),
    _number(
        "wall_time_s",
        "Wall time",
        "s",
        "seconds",
        "Duration of training.",
        "wall time, wall time s, wall clock, wall clock time, runtime, train time, training time, "
        "duration, elapsed, elapsed time, relative time process, time",
        lower=-1.0,
        upper=1e11,
    ),
    _number(
        "accelerator_seconds",
        "Accelerator time",
        "accelerator-s",
        "accelerator_seconds",
        "Accelerators times wall time.",
        "accelerator seconds, accelerator time, gpu time, chip time",
        lower=-1.0,
        upper=1e14,
    ),
    Column(
        name="is_excluded",
        label="Excluded",
        unit="",
        kind="flag",
        aliases=("is excluded", "excluded", "exclude"),
        help="Rows left out of fits.",
    ),
    _text(
        "exclusion_reason", "Reason for exclusion", "Why the row is left out.", "exclusion reason"
    ),
)

COLUMNS: MappingProxyType[str, Column] = MappingProxyType({column.name: column for column in _ALL})

# What a law may be driven by: a table needs one of these, or another numeric column, beside a loss.
SCALE_COLUMNS = ("params", "params_nonembedding", "params_active", "tokens", "compute_flop", "step")
