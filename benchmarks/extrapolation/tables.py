"""Public tables beside the catalog's that predictions are tested on: fetched by hash, as those are.

What each file means is written here once: columns, units, families, and which rows are runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from isoflop.fitting.backtest import datasets
from isoflop.tables import Dataset, LossTable, Provenance, load_dataset
from isoflop.tables.fetch import fetch

RAW = "https://raw.githubusercontent.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file of a table.

    Parameters
    ----------
    name, path, sha256 : str
        As a mirror names it, where it lies below `RAW`, and its hash.
    """

    name: str
    path: str
    sha256: str

    def read(self) -> pd.DataFrame:
        """Return its rows, downloaded if they are not here."""
        found = Dataset(
            id=self.name,
            title=self.name,
            summary="",
            file=self.name,
            url=f"{RAW}/{self.path}",
            sha256=self.sha256,
            provenance=Provenance(title=self.name),
        )
        return pd.read_csv(fetch(found))


STEP_LAW = "step-law/steplaw/32a8f4cc50247695fb56cc6c9117abdf67c97763/data"
DENSE = File(
    name="steplaw_dense_lr_bs_loss.csv",
    path=f"{STEP_LAW}/dense_lr_bs_loss.csv",
    sha256="9e46181076c04d450294d75dfe6f72adc416e231e154a07b337e378f9410002c",
)
MIXTURE = File(
    name="steplaw_moe_lr_bs_loss.csv",
    path=f"{STEP_LAW}/moe_lr_bs_loss.csv",
    sha256="653d585244a7b227423007e8b796bc16d76f6d24eb87b1919b8f048a91897b92",
)
SWEEP = File(
    name="l2l_sweep.csv",
    path="KempnerInstitute/loss-to-loss-notebooks/457ce81a019019bc3981937c20a70c52f5fad436/data/"
    "sweep.csv",
    sha256="1a9fd71e3bd6ecf35bdd32b660a9b42dbb3b8635630b1a358633fa18d61fb13c",
)
COLPRET = "IBM/ColPret/16f23bbe054277ddc4afd07a972dd7cfbe3f48c3/aggregated_eval"
OPT = File(
    name="opt_trajectories.csv",
    path=f"{COLPRET}/opt_trajectories.csv",
    sha256="c3a53ccc7a412f0caff4179ce484acf1c2aab36b25677473658f094362449ff5",
)
VISION = File(
    name="revisiting_vision.csv",
    path=f"{COLPRET}/revisiting_vision.csv",
    sha256="23b00692d71e58aa5a2a941e831d57688e0977fdcf5f5125ff7b64283b5d9e83",
)


def _steplaw() -> pd.DataFrame:
    """Return the best trial of each size and data, dense and routed (arXiv 2503.04715)."""
    parts = []
    for family, file, size in (("dense", DENSE, "N"), ("routed", MIXTURE, "Na")):
        rows = file.read()
        best = rows.loc[rows.groupby(["N", "D"])["smooth loss"].idxmin()]
        found = {"params": best[size], "tokens": best["D"], "loss": best["smooth loss"]}
        parts.append(pd.DataFrame(found).assign(family=family))
    return pd.concat(parts)


def _loss_to_loss() -> pd.DataFrame:
    """Return runs on six corpora, all judged on C4 (arXiv 2411.12925)."""
    rows = SWEEP.read()
    names = {"data": "family", "eval/c4_val/CrossEntropyLoss": "loss"}
    return rows.rename(columns=names)[["params", "tokens", "loss", "family"]]


def _opt() -> pd.DataFrame:
    """Return perplexities along the training of OPT; tokens are written as their log10."""
    rows = OPT.read()
    size = rows["model_size"].str.extract(r"([\d.]+)([mMbB])")
    params = size[0].astype(float) * size[1].str.lower().map({"m": 1e6, "b": 1e9})
    tokens, loss = 10.0 ** rows["num_token"], np.log(rows["ppl"])
    return pd.DataFrame({"params": params, "tokens": tokens, "loss": loss})


def _vision() -> pd.DataFrame:
    """Return few-shot error against examples seen, by task and model (arXiv 2209.06640)."""
    rows = VISION.read()
    family = rows["Task"].str.cat(rows["Model"], ", ")
    return pd.DataFrame({"tokens": rows["Seen Examples"], "loss": rows["Loss"], "family": family})


OTHERS: Mapping[str, Callable[[], pd.DataFrame]] = {
    "steplaw": _steplaw,
    "loss-to-loss": _loss_to_loss,
    "opt-trajectories": _opt,
    "revisiting-vision": _vision,
}


KEPT_BACK = frozenset({"revisiting-vision"})
"""Error rates, not losses: bands are not meant for them, and how they do there is reported."""


def names() -> tuple[str, ...]:
    """Return the names of all tables that predictions are tested on."""
    return (*datasets(), *OTHERS)


def tables(asked: tuple[str, ...]) -> Iterator[LossTable]:
    """Yield tables by name."""
    for name in asked:
        yield _other(name) if name in OTHERS else load_dataset(name)


def _other(name: str) -> LossTable:
    frame = OTHERS[name]()
    frame = frame[np.isfinite(frame["loss"]) & (frame["loss"] > 0)]
    if "params" in frame:
        frame = frame.astype({"params": float, "tokens": float})  # whole numbers would overflow
        frame = frame.assign(compute_flop=6 * frame["params"] * frame["tokens"])
    frame = frame.set_axis(np.arange(1, len(frame) + 1))
    return LossTable(id=name, frame=frame, provenance=Provenance(title=name))
