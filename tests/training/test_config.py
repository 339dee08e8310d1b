import pytest

from isoflop.errors import TrainingError
from isoflop.training.config import FAMILIES, FAMILY_DEFAULTS, RunConfig, epoch_notice


def config(**changes):
    fields = {"family": "lstm", "width": 32, "depth": 1, "token_budgets": (65_536, 131_072)}
    return RunConfig(**(fields | changes))


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_has_defaults_and_survives_json(family):
    made = config(family=family, depth=FAMILY_DEFAULTS[family].depth)
    assert RunConfig.from_dict(made.to_dict()) == made


@pytest.mark.parametrize("found", [5, 0.5, None, True, [], "name"])
def test_what_is_no_configuration_is_refused(found: object) -> None:
    with pytest.raises(TrainingError, match="unknown or missing fields"):
        RunConfig.from_dict(found)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"family": "transformer", "width": 100}, "cannot be split into 4 heads of even size"),
        ({"family": "transformer", "width": 17}, "cannot be split into 1 heads of even size"),
        ({"family": "mamba"}, "family is 'mamba': it must be one of dense, rnn"),
        ({"width": 0}, "width is 0: it must lie between 4 and 4096"),
        ({"token_budgets": ()}, "the smallest budget must be at least one step, 512 tokens"),
        ({"token_budgets": (100,)}, "the smallest budget must be at least one step"),
        ({"token_budgets": (131_072, 65_536)}, "token_budgets must ascend"),
        ({"token_budgets": (65_536, 65_600)}, "token_budgets must ascend by at least one step"),
        ({"learning_rate": 0.0}, "Learning rate: a number above 0 and at most 10 is needed"),
        ({"learning_rate": float("nan")}, "Learning rate: a number .* is needed, got nan"),
        ({"decay_fraction": float("nan")}, "Decay: a share from 0.05 to 1 is needed, got nan"),
        ({"memory_limit_bytes": 1}, "Memory limit: a whole number .* is needed, got 1"),
        ({"context": 128.5}, "Context: a whole number from 8 to 4096 is needed, got 128.5"),
        ({"device": "tpu"}, "Device: tpu is none of auto, cpu, cuda, mps"),
    ],
)
def test_what_does_not_work_is_named(changes, text):
    with pytest.raises(TrainingError, match=text):
        config(**changes)


def test_every_problem_is_listed_at_once():
    with pytest.raises(TrainingError) as caught:
        config(width=1, depth=0, batch_size=0)
    assert all(name in caught.value.detail for name in ("width", "depth", "Batch"))


@pytest.mark.parametrize("text", ["{", '{"family": "lstm"}', '{"surprise": 1}'])
def test_damaged_configurations_are_refused(text):
    with pytest.raises(TrainingError):
        RunConfig.from_json(text)


def test_a_budget_beyond_an_epoch_is_warned_of():
    made = config(token_budgets=(65_536, 1_048_576))
    assert epoch_notice(made, n_train_tokens=2_000_000) is None
    notice = epoch_notice(made, n_train_tokens=500_000)
    assert notice.code == "budget-beyond-epoch"
    assert "2.1 times" in notice.text
