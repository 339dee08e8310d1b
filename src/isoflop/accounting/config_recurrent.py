"""Recurrent mixers from a Hugging Face configuration: one reader a kind."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any

from isoflop.accounting.config_layers import is_count
from isoflop.accounting.recurrent import Recurrent
from isoflop.errors import ArchitectureError
from isoflop.language import lazy_gettext as _


def read_recurrent(
    config: Mapping[str, Any],
    kind: str,
    *,
    n_layers: int,
    sizes: Mapping[str, Any],
    traits: Mapping[str, Any],
) -> Recurrent:
    """Read the sizes of a model's recurrent mixers.

    Parameters
    ----------
    config : mapping
        With the defaults of its type.
    kind : str
        As in `Recurrent`.
    n_layers : int
        Layers that have one.
    sizes : mapping of str to int
        The model's own: ``d_model``, ``n_heads``.
    traits : mapping
        Fields that the model's type fixes.

    Raises
    ------
    ArchitectureError
        Naming the keys that are missing, or are no whole numbers.
    """
    d_model = sizes["d_model"]
    fields: dict[str, Any]
    match kind:
        case "gated_delta":
            fields = _gated_delta(config)
        case "lightning":
            fields = _lightning(config, sizes)
        case "convolution":
            fields = {
                "inner": d_model,
                "kernel": _count(config, "conv_L_cache"),
                "bias": config.get("conv_bias", False),
                "convolution_bias": config.get("conv_bias", False),
            }
        case _:
            fields = _mamba(config, kind, d_model)
    fields |= {"kind": kind, "n_layers": n_layers} | dict(traits)
    return Recurrent(**fields)


def _mamba(config: Mapping[str, Any], kind: str, d_model: Any) -> dict[str, Any]:
    state = _count(config, "mamba_d_state", "ssm_state_size", "state_size")
    bias = _first(config, "mamba_proj_bias", "use_bias")
    fields: dict[str, Any] = {
        "state": state,
        "kernel": _count(config, "mamba_d_conv", "conv_kernel"),
        "convolution_bias": _first(config, "mamba_conv_bias", "use_conv_bias"),
        "bias": False if bias is None else bias,
    }
    expand = _first(config, "mamba_expand", "expand")
    if kind == "mamba":
        rank = _first(config, "mamba_dt_rank", "time_step_rank")
        if rank in (None, "auto") and is_count(d_model):
            rank = ceil(d_model / 16)
        inner = config.get("intermediate_size") if "state_size" in config else None
        return fields | {"inner": _expanded(inner, expand, d_model), "rank": rank}
    heads = _count(config, "mamba_n_heads", "mamba_num_heads", "num_heads")
    groups = _count(config, "mamba_n_groups", "n_groups")
    own = config.get("mamba_d_ssm")
    if own is None and "mamba_num_heads" in config:
        own = heads * _count(config, "mamba_head_dim")
    inner = _expanded(own, expand, d_model)
    return fields | {"inner": inner, "n_heads": heads, "n_groups": groups}


def _gated_delta(config: Mapping[str, Any]) -> dict[str, Any]:
    heads = _count(config, "linear_num_value_heads")
    return {
        "inner": heads * _count(config, "linear_value_head_dim"),
        "n_heads": heads,
        "state": _count(config, "linear_key_head_dim"),
        "n_groups": _count(config, "linear_num_key_heads"),
        "kernel": _count(config, "linear_conv_kernel_dim"),
    }


def _lightning(config: Mapping[str, Any], sizes: Mapping[str, Any]) -> dict[str, Any]:
    heads = sizes["n_heads"]
    head_dim = config.get("head_dim")
    if head_dim is None and is_count(heads) and is_count(sizes["d_model"]):
        head_dim = sizes["d_model"] // heads
    if not is_count(heads) or not is_count(head_dim):
        raise ArchitectureError(
            _("The heads of this configuration are not possible."),
            detail=f"heads = {heads!r}, head_dim = {head_dim!r}",
        )
    return {"inner": heads * head_dim, "n_heads": heads, "state": head_dim, "kernel": 0}


def _expanded(inner: Any, expand: Any, d_model: Any) -> Any:
    if inner is not None:
        return inner
    if not isinstance(expand, int | float) or not 0 < expand < 1000 or not is_count(d_model):
        raise ArchitectureError(
            _("This configuration lacks sizes that the counts need."),
            detail=_("missing: expand, or the inner width of the recurrent mixers"),
            hint=_("Paste the whole config.json."),
        )
    return int(expand * d_model)


def _first(config: Mapping[str, Any], *keys: str) -> Any:
    return next((config[key] for key in keys if config.get(key) is not None), None)


def _count(config: Mapping[str, Any], *keys: str) -> int:
    value = _first(config, *keys)
    if not is_count(value):
        raise ArchitectureError(
            _("This configuration lacks sizes that the counts need."),
            detail=_(
                "{keys} = {value!r}; a positive whole number is needed.",
                keys=" or ".join(keys),
                value=value,
            ),
            hint=_("Paste the whole config.json."),
        )
    return int(value)
