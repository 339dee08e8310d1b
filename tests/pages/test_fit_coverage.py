"""What the Fit page says of how often bands hold the truth."""

from isoflop.fitting.coverage import TARGETS, Coverage, load_coverage
from isoflop.ui.fit_coverage import sentence


def measured(*shares: float, new: float | None = 0.9) -> tuple[Coverage, ...]:
    return tuple(
        Coverage(
            setting="15 rows, 1% noise",
            n_rows=15,
            n_runs=15,
            objective="huber_log",
            band="bootstrap of rows",
            target=target,
            n_tables=1000,
            n_without_band=0,
            coverage=share,
            relative_width=0.01,
            prediction_coverage=new,
        )
        for target, share in zip(TARGETS, shares, strict=True)
    )


def test_the_sentence_names_setting_shares_and_shortfall() -> None:
    said = sentence(measured(0.9, 0.85, 0.95))
    assert "15 rows, 1% noise (1,000 tables" in said
    assert "90% inside the data" in said
    assert "Off nominal: too narrow by 5 points at ten times" in said
    assert "too wide by 5 points at a thousand times." in said
    assert "prediction band held a new run's loss in 90% to 90%" in said


def test_a_calibrated_band_is_said_to_be() -> None:
    said = sentence(measured(0.9, 0.89, 0.915, new=None))
    assert "as it should be" in said
    assert "prediction" not in said


def test_every_shipped_measurement_has_a_sentence() -> None:
    rows = load_coverage()
    for kind in {(row.setting, row.objective, row.band) for row in rows}:
        same = tuple(row for row in rows if (row.setting, row.objective, row.band) == kind)
        assert [row.target for row in same] == list(TARGETS)
        assert kind[0] in sentence(same)


def test_an_unmeasured_band_says_so() -> None:
    assert "was not measured by simulation" in sentence(())
