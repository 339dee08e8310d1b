"""The catalog of accelerators."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any

from isoflop.data import read_toml, require_keys
from isoflop.errors import CatalogError
from isoflop.language import joined, listed
from isoflop.language import lazy_gettext as _
from isoflop.language import lazy_ngettext as n_
from isoflop.once import once
from isoflop.planning.types import DTYPES, Accelerator

ACCELERATORS_FILE = "accelerators.toml"
DEFAULT_ACCELERATOR = "h100-sxm"
"""What a run is planned on where nothing is said."""

_REQUIRED = frozenset(
    {
        "label", "vendor", "kind", "year", "peak_tflop_per_s", "memory_gb", "bandwidth_tb_per_s",
        "source", "retrieved",
    }
)  # fmt: skip
_OPTIONAL = frozenset(
    {
        "measured_matmul_tflop_per_s", "interconnect", "interconnect_gb_per_s", "power_w",
        "price_usd_per_hour", "price_range_usd_per_hour", "price_date", "price_source",
        "unverified", "note",
    }
)  # fmt: skip
_FORMER = frozenset({"default_mfu", "mfu_evidence"})
"""Written by versions that took the utilisation from here; read over."""


@once
def load_accelerators() -> Mapping[str, Accelerator]:
    """Return every accelerator that ships, by key.

    Raises
    ------
    CatalogError
        If the data file is malformed.
    """
    entries = read_toml(ACCELERATORS_FILE)
    return MappingProxyType({key: parse_accelerator(key, entry) for key, entry in entries.items()})


def find_accelerator(key: str, known: Mapping[str, Accelerator] | None = None) -> Accelerator:
    """Return one accelerator by its key, whatever the case and punctuation.

    Parameters
    ----------
    key : str
    known : mapping of str to Accelerator, optional
        Where to look; what ships, by default.

    Raises
    ------
    CatalogError
        If there is none of that key.
    """
    accelerators = load_accelerators() if known is None else known
    if key in accelerators:
        return accelerators[key]
    typed = _letters(key)
    if alike := [name for name in accelerators if _letters(name) == typed]:
        return accelerators[alike[0]]
    near = [name for name in accelerators if typed and typed in _letters(name)]
    near = near or get_close_matches(key.lower(), accelerators, n=3, cutoff=0.5)
    raise CatalogError(
        _("There is no accelerator {key!r}.", key=key),
        detail=_("Did you mean {near}?", near=listed(near, last="or"))
        if near
        else _("Known: {accelerators}.", accelerators=", ".join(sorted(accelerators))),
        hint=_("Choose one of `isoflop accelerators`, or describe your own in a TOML file."),
    )


def _letters(name: str) -> str:
    """Return a name without case and punctuation, in which people differ."""
    return "".join(c for c in name.lower() if c.isalnum())


def read_accelerator(path: Path) -> Accelerator:
    """Read the accelerator that a TOML file describes, as an entry of the catalog does.

    Raises
    ------
    CatalogError
        If it cannot be read, holds none or several, or a figure is not plausible.
    """
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise CatalogError(
            _("The accelerator {path} cannot be read.", path=path),
            detail=reason,
            hint=_("Give a TOML file with one table, as data/accelerators.toml has them."),
        ) from None
    tables = [(key, entry) for key, entry in entries.items() if isinstance(entry, dict)]
    if len(tables) != 1 or len(entries) != 1:
        raise CatalogError(
            _("{path} does not describe one accelerator.", path=path),
            detail=_("It has {tables}.", tables=n_("{n:,} table", "{n:,} tables", len(tables))),
            hint=_("Give it one table, such as [my-gpu], with what data/accelerators.toml has."),
        )
    return parse_accelerator(*tables[0])


def parse_accelerator(key: str, entry: dict[str, Any]) -> Accelerator:
    """Turn one entry, in the units of the data file, into an accelerator in canonical units.

    Raises
    ------
    CatalogError
        If a key is missing or unknown, or a figure is not plausible.
    """
    where = _("{key} of {accelerators_file}", key=key, accelerators_file=ACCELERATORS_FILE)
    require_keys(entry, where=where, required=_REQUIRED, optional=_OPTIONAL | _FORMER)
    tera, giga = 1e12, 1e9
    price_range = entry.get("price_range_usd_per_hour")
    accelerator = Accelerator(
        key=key,
        label=entry["label"],
        vendor=entry["vendor"],
        kind=entry["kind"],
        year=entry["year"],
        peak_flop_per_s=MappingProxyType(
            {dtype: value * tera for dtype, value in entry["peak_tflop_per_s"].items()}
        ),
        measured_matmul_flop_per_s=_scaled(entry, "measured_matmul_tflop_per_s", tera),
        memory_bytes=entry["memory_gb"] * giga,
        bandwidth_byte_per_s=entry["bandwidth_tb_per_s"] * tera,
        interconnect=entry.get("interconnect", ""),
        interconnect_byte_per_s=_scaled(entry, "interconnect_gb_per_s", giga),
        power_w=_scaled(entry, "power_w", 1.0),
        price_usd_per_hour=_scaled(entry, "price_usd_per_hour", 1.0),
        price_range_usd_per_hour=(price_range[0], price_range[1]) if price_range else None,
        price_date=entry.get("price_date", ""),
        price_source=entry.get("price_source", ""),
        source=entry["source"],
        retrieved=entry["retrieved"],
        unverified=tuple(entry.get("unverified", ())),
        note=entry.get("note", ""),
    )
    problems = _problems(accelerator)
    if problems:
        raise CatalogError(
            _("The accelerator {where} is malformed.", where=where), detail=joined("\n", problems)
        )
    return accelerator


def describe_accelerator(accelerator: Accelerator) -> dict[str, Any]:
    """Return an accelerator as an entry of the data file, which `parse_accelerator` reads back."""
    tera, giga = 1e12, 1e9
    described = {
        "label": accelerator.label,
        "vendor": accelerator.vendor,
        "kind": accelerator.kind,
        "year": accelerator.year,
        "peak_tflop_per_s": {
            dtype: _shortened(peak / tera) for dtype, peak in accelerator.peak_flop_per_s.items()
        },
        "measured_matmul_tflop_per_s": _divided(accelerator.measured_matmul_flop_per_s, tera),
        "memory_gb": _shortened(accelerator.memory_bytes / giga),
        "bandwidth_tb_per_s": _shortened(accelerator.bandwidth_byte_per_s / tera),
        "interconnect": accelerator.interconnect,
        "interconnect_gb_per_s": _divided(accelerator.interconnect_byte_per_s, giga),
        "power_w": accelerator.power_w,
        "price_usd_per_hour": accelerator.price_usd_per_hour,
        "price_range_usd_per_hour": accelerator.price_range_usd_per_hour
        and list(accelerator.price_range_usd_per_hour),
        "price_date": accelerator.price_date,
        "price_source": accelerator.price_source,
        "source": accelerator.source,
        "retrieved": accelerator.retrieved,
        "unverified": list(accelerator.unverified),
        "note": accelerator.note,
    }
    return {name: value for name, value in described.items() if value is not None}


def _divided(value: float | None, factor: float) -> float | None:
    return None if value is None else _shortened(value / factor)


def _shortened(value: float) -> float:
    """Undo the rounding of a change of unit and back."""
    return float(f"{value:.12g}")


def _scaled(entry: dict[str, Any], name: str, factor: float) -> float | None:
    """Return an optional figure in canonical units."""
    value = entry.get(name)
    return None if value is None else value * factor


def _problems(accelerator: Accelerator) -> list[str]:
    """Say everything about an accelerator that cannot be right."""
    problems = []
    unknown = sorted(accelerator.peak_flop_per_s.keys() - DTYPES)
    if unknown:
        problems.append(_("Unknown dtypes: {unknown}.", unknown=", ".join(unknown)))
    if not accelerator.peak_flop_per_s.keys() & {"bf16", "fp16", "fp32"}:
        problems.append(_("It needs a dense BF16, FP16 or FP32 peak."))
        return problems
    figures = {
        "memory": accelerator.memory_bytes,
        "bandwidth": accelerator.bandwidth_byte_per_s,
        "interconnect": accelerator.interconnect_byte_per_s,
        "power": accelerator.power_w,
        _("measured matmul rate"): accelerator.measured_matmul_flop_per_s,
    } | {
        _("{dtype} peak", dtype=dtype): value
        for dtype, value in accelerator.peak_flop_per_s.items()
    }
    problems += [
        _("The {name} must be positive, got {value:g}.", name=name, value=value)
        for name, value in figures.items()
        if value is not None and value <= 0
    ]
    if accelerator.mfu_ceiling > 1:
        problems.append(_("The measured matmul rate exceeds the dense peak: is the peak sparse?"))
    price, bounds = accelerator.price_usd_per_hour, accelerator.price_range_usd_per_hour
    if price is not None and price < 0:
        problems.append(_("The price must be zero or more, got {price:g}.", price=price))
    if price is not None and bounds is not None and not bounds[0] <= price <= bounds[1]:
        problems.append(
            _(
                "The price {price:g} lies outside its range {lower:g} to {upper:g}.",
                price=price,
                lower=bounds[0],
                upper=bounds[1],
            )
        )
    return problems
