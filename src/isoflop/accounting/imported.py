"""A model shape that was read from somewhere, with its count and what was assumed."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from isoflop.accounting.architecture import Architecture
from isoflop.accounting.counts import ParameterCount
from isoflop.accounting.flop import count_flop
from isoflop.language import lazy_gettext as _
from isoflop.text import aligned, as_html
from isoflop.units import format_quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedModel:
    """A model shape read from a configuration, or of a released model.

    Parameters
    ----------
    architecture : Architecture
    parameters : ParameterCount
    model_type : str
        As the configuration gives it; a released model's family.
    max_context : int
        Longest sequence that the model takes, in tokens.
    notes : tuple of str
        What was assumed, or is not counted.
    """

    architecture: Architecture
    parameters: ParameterCount
    model_type: str
    max_context: int
    notes: tuple[str, ...]

    def summary(self) -> str:
        """Return shape, parameters by component, FLOP and cache as text, and every note."""
        shape, counts = self.architecture, self.parameters
        flop = count_flop(shape, convention="matmul", causal=True)
        rows = [
            (
                "layers",
                _(
                    "{n_layers:,} of width {d_model:,}",
                    n_layers=shape.n_layers,
                    d_model=shape.d_model,
                ),
            ),
            ("parameters", f"{counts.total:,}"),
            *([("active", f"{counts.active:,}")] if shape.is_moe else []),
            (_("without embeddings"), f"{counts.nonembedding:,}"),
            *((f"  {name.replace('_', ' ')}", f"{n:,}") for name, n in counts.by_component.items()),
            (
                "training",
                _(
                    "{training_flop} per token",
                    training_flop=format_quantity(flop.training_flop, "flop"),
                ),
            ),
            (_("longest sequence"), _("{max_context:,} tokens", max_context=self.max_context)),
        ]
        return "\n".join([f"{shape.name} ({self.model_type})", aligned(rows), *self.notes])

    def __str__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        counts = self.parameters
        frame = pd.DataFrame(
            {"parameters": counts.by_component, "active": counts.active_by_component}
        )
        return as_html(self.architecture.name, frame, *self.notes)
