import pytest

from isoflop.training.estimates import START_S, estimate_cpu_s, estimate_wall_s
from isoflop.training.ladder import PRESETS


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_presets_take_the_time_they_say(name):
    """On two cores: half a minute, five minutes, three minutes, within a factor of 1.5."""
    said_s = {"quick": 30, "standard": 300, "families": 180}[name]
    configs = PRESETS[name].grid.configs()
    assert said_s / 1.5 < sum(map(estimate_cpu_s, configs)) / 2 < said_s * 1.5
    assert len({config.width for config in configs}) >= 4
    assert len(configs[0].token_budgets) >= 4


def test_an_estimate_includes_the_start(tiny):
    assert estimate_wall_s([tiny()], n_workers=2) > START_S
    both = estimate_wall_s([tiny(), tiny(seed=1)], n_workers=2)
    assert both == pytest.approx(estimate_wall_s([tiny()], n_workers=1))
