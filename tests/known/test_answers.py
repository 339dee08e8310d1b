"""Laws on public tables whose best objective several starts of another solver agree on."""

import csv
from pathlib import Path

import pandas as pd
import pytest

from isoflop.fitting import FitOptions, fit
from isoflop.laws import typed_law
from isoflop.tables.schema import LossTable, Provenance

pytestmark = pytest.mark.slow

IDS = (
    "skaling_chinchilla240",
    "lr_batch_bowl_steplaw",
    "parscale_pile",
    "exp_mixing_github",
    "joint_mixture_dmsl_github",
    "chinchilla_l2l_smollm",
    "olmo_step1_arc_easy",
    "overfit_penalty_datablations",
    "annealing_tissue_100M",
)


def read_answer(folder: Path, name: str) -> dict[str, str]:
    with (folder / "answers.tsv").open() as file:
        return next(row for row in csv.DictReader(file, delimiter="\t") if row["id"] == name)


@pytest.mark.parametrize("name", IDS)
def test_best_known_objective(shared, name):
    folder = shared / "known-answers"
    answer = read_answer(folder, name)
    frame = pd.read_csv(folder / answer["case_file"])
    table = LossTable(id=name, frame=frame, provenance=Provenance(title=name))
    law = typed_law(answer["law"], list(frame.columns))
    objective = "huber_log" if "log pred" in answer["objective"] else "huber"
    result = fit(law, table, FitOptions(objective=objective, huber_delta=float(answer["delta"])))
    # The best known are given to 12 digits.
    assert result.objective_value <= float(answer["objective_value"]) * (1 + 1e-10)
    assert result.certificate.gradient_norm < 1e-9
