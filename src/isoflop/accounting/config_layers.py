"""What each layer of a Hugging Face configuration has: attention, a recurrence, an MLP, experts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from isoflop.errors import ArchitectureError
from isoflop.language import lazy_gettext as _

_LOCAL = frozenset({"sliding_attention", "chunked_attention", "local"})
_RECURRENT = frozenset({"linear_attention", "mamba", "mamba2", "recurrent", "conv", "linear"})
_MLP_ONLY = frozenset({"mlp", "moe"})
_ATTENTION = _LOCAL | {"full_attention", "attention", "indexed_attention", "global"}
_PATTERN = {"M": "mamba", "*": "attention", "-": "mlp", "E": "moe"}
"""Letters of Nemotron-H's ``hybrid_override_pattern``."""


@dataclass(frozen=True, slots=True)
class LayerKinds:
    """The kind of each layer's mixer, in order.

    Parameters
    ----------
    names : tuple of str
        As in ``layer_types``: ``full_attention``, ``sliding_attention``, ``linear_attention``, ...
    """

    names: tuple[str, ...]

    @property
    def attention(self) -> int:
        """Layers with attention."""
        return sum(name in _ATTENTION for name in self.names)

    @property
    def local(self) -> int:
        """Layers that attend to a window only."""
        return sum(name in _LOCAL for name in self.names)

    @property
    def recurrent(self) -> int:
        """Layers with a recurrent mixer."""
        return sum(name in _RECURRENT for name in self.names)

    @property
    def mlp(self) -> int:
        """Layers with an MLP: all, but where a layer is either a mixer or an MLP."""
        only = sum(name in _MLP_ONLY for name in self.names)
        return only or len(self.names)

    @property
    def dense(self) -> int | None:
        """Layers that are a dense MLP, where layers are mixers or MLPs; else None."""
        if not any(name in _MLP_ONLY for name in self.names):
            return None
        return sum(name == "mlp" for name in self.names)

    def shared(self, last: int) -> tuple[int, int]:
        """Return how many of the ``last`` layers are local, and how many are global."""
        tail = self.names[len(self.names) - last :] if last else ()
        local = sum(name in _LOCAL for name in tail)
        return local, len(tail) - local


def layer_kinds(config: Mapping[str, Any], n_layers: int) -> LayerKinds | None:
    """Return the kind of each layer's mixer; None where nothing says that they differ.

    Raises
    ------
    ArchitectureError
        If the list has another length than there are layers, or a kind that is not known.
    """
    names = _listed(config)
    if names is None:
        names = _by_rule(config, n_layers)
    if names is None:
        return None
    if len(names) != n_layers:
        raise ArchitectureError(
            _("The list of layer types has another length than there are layers."),
            detail=_("{names} types for {n_layers} layers", names=len(names), n_layers=n_layers),
            hint=_("Correct num_hidden_layers, or the list."),
        )
    unknown = sorted(set(names) - _ATTENTION - _RECURRENT - _MLP_ONLY)
    if unknown:
        raise ArchitectureError(
            _("This configuration has layers of a kind that is not supported."),
            detail=", ".join(unknown),
            hint=_(
                "Supported kinds: {attention}.",
                attention=", ".join(sorted(_ATTENTION | _RECURRENT | _MLP_ONLY)),
            ),
        )
    return LayerKinds(tuple(names))


def n_layers_listed(config: Mapping[str, Any]) -> int | None:
    """Return the length of the list of layer types, where there is one."""
    names = _listed(config)
    return None if names is None else len(names)


def _listed(config: Mapping[str, Any]) -> list[str] | None:
    for key in ("layers_block_type", "layer_types"):
        types = config.get(key)
        if isinstance(types, list) and types and all(isinstance(kind, str) for kind in types):
            return types
    pattern = config.get("hybrid_override_pattern")
    if isinstance(pattern, str) and pattern and set(pattern) <= set(_PATTERN):
        return [_PATTERN[letter] for letter in pattern]
    return None


def _by_rule(config: Mapping[str, Any], n_layers: int) -> list[str] | None:
    """Kinds where a configuration gives a period, an interval or the places of attention."""
    layers = range(n_layers)
    period, offset = config.get("attn_layer_period"), config.get("attn_layer_offset", 0)
    if is_count(period) and isinstance(offset, int):
        return [_mixer(layer % period == offset) for layer in layers]
    interval = config.get("full_attention_interval")
    if is_count(interval):
        return [_mixer((layer + 1) % interval == 0) for layer in layers]
    for key in ("attn_layer_indices", "full_attn_idxs"):
        if key in config:  # null where no layer has attention
            places = config[key] if isinstance(config[key], list) else []
            return [_mixer(layer in places) for layer in layers]
    types = config.get("attn_type_list")
    if isinstance(types, list) and len(types) == n_layers:
        return [_mixer(kind == 1) for kind in types]
    return None


def _mixer(is_attention: bool) -> str:
    return "full_attention" if is_attention else "linear_attention"


def n_dense_layers(config: Mapping[str, Any], n_layers: int, kinds: LayerKinds | None) -> int:
    """Return how many layers of a mixture-of-experts model keep the dense MLP.

    The first rule counts whose keys the configuration has.
    """
    if kinds is not None and kinds.dense is not None:
        return kinds.dense
    types = config.get("mlp_layer_types")
    if isinstance(types, list) and len(types) == n_layers:
        return sum(kind == "dense" for kind in types)
    moe_layers = config.get("moe_layers")
    if isinstance(moe_layers, list):
        return n_layers - len({layer for layer in moe_layers if layer in range(n_layers)})
    return sum(not _has_experts(config, layer, n_layers) for layer in range(n_layers))


def _has_experts(config: Mapping[str, Any], layer: int, n_layers: int) -> bool:
    def number(key: str, missing: int) -> int:
        value = config.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else missing

    if layer < number("first_k_dense_replace", number("num_dense_layers", 0)):
        return False
    dense = config.get("mlp_only_layers")
    if isinstance(dense, list) and layer in dense:
        return False
    steps = (
        number("decoder_sparse_step", 1),
        number("interleave_moe_layer_step", 1),
    )
    if any(step > 0 and (layer + 1) % step for step in steps):
        return False
    start, end = number("moe_layer_start_index", 0), number("moe_layer_end_index", -1)
    end = n_layers - 1 if end < 0 else end
    if not start <= layer <= end or (layer + 1) % max(number("moe_layer_interval", 1), 1):
        return False
    frequency = config.get("moe_layer_freq", 1)
    if isinstance(frequency, list):
        return layer < len(frequency) and bool(frequency[layer])
    if is_count(frequency) and layer % frequency:
        return False
    period = number("expert_layer_period", 1)
    return layer % max(period, 1) == number("expert_layer_offset", 0)


def is_count(value: object) -> TypeGuard[int]:
    """Whether a value is a positive whole number."""
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
