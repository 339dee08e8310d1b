"""Published tables by name: shipped, downloaded, mirrored; and what if they do not come."""

from __future__ import annotations

import functools
import http.server
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import requests

from isoflop import data
from isoflop.errors import CatalogError
from isoflop.fitting import FitOptions, fit
from isoflop.laws import load_laws, rebind
from isoflop.tables import (
    DATASET_ROLES,
    Dataset,
    DatasetRole,
    Progress,
    catalog,
    dataset_for_role,
    datasets_for,
    fetch,
    find_dataset,
    list_datasets,
    load_dataset,
)
from isoflop.tables.catalog import open_dataset
from isoflop.tables.fetch import fetch_what_can_be
from isoflop.tables.select import of_families

IDS = [dataset.id for dataset in list_datasets()]


def test_the_shipped_table_comes_first_and_needs_nothing() -> None:
    first = list_datasets()[0]
    assert first.id == "pile-cerebras-pythia"
    assert first.is_shipped
    assert first.is_here


@pytest.mark.parametrize("id", IDS)
def test_every_data_set_loads_from_the_mirror(id: str, mirror: Path) -> None:
    dataset = find_dataset(id)
    table = load_dataset(id)
    assert table.id == id
    assert len(table.included()) >= 15
    assert len(table.fingerprint) == 64
    assert table.provenance.source
    assert table.provenance.licence
    assert table.provenance.known_problems, "known_problems should say what to beware of"
    assert dataset.law
    response = dataset.response
    assert np.isfinite(table.values(response)).all()


@pytest.mark.parametrize("id", IDS)
def test_every_data_set_is_fitted_by_the_law_that_suits_it(id: str, mirror: Path) -> None:
    dataset = find_dataset(id)
    table = load_dataset(id)
    if dataset.law_family:
        table = of_families(table, [dataset.law_family])
    law = rebind(load_laws()[dataset.law], dict(dataset.law_inputs))
    result = fit(law, table, FitOptions())
    assert np.isfinite(result.theta).all()
    # The law explains most of what a constant leaves unexplained.
    target = table.values(law.response)
    assert result.residuals.std() < 0.75 * (np.log(target).std() if result.is_log else target.std())


@pytest.mark.parametrize("id", IDS)
def test_every_row_is_there_or_accounted_for(id: str, mirror: Path) -> None:
    result = open_dataset(id)
    assert not [q for q in result.mapping.questions if q.is_blocking]
    excluded = result.table.frame[~result.table.frame.index.isin(result.table.included().index)]
    assert len(excluded) <= 0.2 * len(result.table.frame)
    assert set(excluded.index) == {p.row for p in result.problems if p.excludes_row}


def test_pile_losses_are_the_published_figures() -> None:
    frame = load_dataset("pile-cerebras-pythia").frame
    assert frame.groupby("family").size().to_dict() == {"Cerebras-GPT": 7, "Pythia": 8}
    row = frame[frame["run_id"] == "Pythia 12b"].iloc[0]
    assert (row["params"], row["loss"], row["compute_flop"]) == (11846072320, 1.582, 2.4e22)
    cerebras = frame[frame["family"] == "Cerebras-GPT"]
    np.testing.assert_allclose(cerebras["tokens"] / cerebras["params"], 20, rtol=5e-3)
    ratio = frame["compute_flop"] / (6 * frame["params"] * frame["tokens"])
    assert ratio.between(1.1, 1.8).all()


def test_chinchilla_is_the_245_digitised_runs(mirror: Path) -> None:
    table = load_dataset("chinchilla")
    assert len(table.included()) == 245
    product = 6 * table.values("params") * table.values("tokens")
    np.testing.assert_allclose(product, table.values("compute_flop"), rtol=1e-12)
    assert table.provenance.derived_columns == {"tokens": "compute_flop / (6 * params)"}
    assert list(table.frame.columns) == ["params", "tokens", "compute_flop", "loss", "family"]


def test_gemstones_rows_know_their_run(mirror: Path) -> None:
    table = load_dataset("gemstones")
    assert len(table.frame) == 220
    assert table.frame["run_id"].nunique() == 22
    # Both embeddings of 50,304 entries are counted: 15 width**2 a layer and two gains.
    row = table.frame.iloc[0]
    expected = 2 * 50304 * 1024 + 28 * (15 * 1024**2 + 2 * 1024) + 1024
    assert row["params"] == expected


def test_sardana(mirror: Path) -> None:
    table = load_dataset("sardana")
    assert len(table.frame) == 47
    ratio = table.values("tokens") / table.values("params")
    assert (ratio.min(), ratio.max()) == (10, 10000)


def test_unknown_name_lists_the_known() -> None:
    with pytest.raises(CatalogError) as caught:
        load_dataset("mnist")
    assert caught.value.summary == "There is no data set called 'mnist'."
    assert "chinchilla" in caught.value.detail


# --- The mirror ---


def test_a_mirror_without_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOFLOP_DATA_MIRROR", str(tmp_path))
    with pytest.raises(CatalogError) as caught:
        load_dataset("chinchilla")
    assert caught.value.summary == "The mirror has no file for Chinchilla, 245 digitised runs."
    assert "epoch_chinchilla_svg_extracted_data.csv" in caught.value.detail


def test_a_mirror_with_another_file(
    tmp_path: Path, mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = find_dataset("chinchilla").file
    (tmp_path / name).write_bytes((mirror / name).read_bytes() + b"\n")
    monkeypatch.setenv("ISOFLOP_DATA_MIRROR", str(tmp_path))
    with pytest.raises(CatalogError, match="is not the one expected"):
        load_dataset("chinchilla")


# --- Downloads, from a server on this machine ---


@pytest.fixture
def server(shared: Path, tmp_path: Path) -> Iterator[str]:
    """Serve the data set files and return the address."""
    folder = tmp_path / "served"
    folder.mkdir()
    shutil.copy(shared / "datasets" / find_dataset("chinchilla").file, folder)
    (folder / "wrong.csv").write_text("N,D,loss\n")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_address[1]}"
        httpd.shutdown()
        thread.join()


def served(url: str) -> Dataset:
    return replace(find_dataset("chinchilla"), url=url)


def test_a_download_reports_progress_and_is_kept(server: str) -> None:
    dataset = served(f"{server}/{find_dataset('chinchilla').file}")
    assert not dataset.is_here
    seen: list[tuple[float, str]] = []
    path = fetch.fetch(dataset, lambda share, text: seen.append((share, text)))
    assert dataset.is_here
    assert path.stat().st_size == 23224
    assert seen[-1] == (1.0, "Downloading Chinchilla, 245 digitised runs")
    unreachable = replace(dataset, url="http://127.0.0.1:9/never-asked")
    assert fetch.fetch(unreachable) == path


def test_a_cancelled_download_leaves_nothing(server: str) -> None:
    class Cancelled(Exception):
        pass

    def cancel(share: float, text: str) -> None:
        raise Cancelled

    dataset = served(f"{server}/{find_dataset('chinchilla').file}")
    with pytest.raises(Cancelled):
        fetch.fetch(dataset, cancel)
    assert not dataset.is_here


def test_a_download_of_another_content_is_refused_and_not_kept(server: str) -> None:
    dataset = served(f"{server}/wrong.csv")
    with pytest.raises(CatalogError) as caught:
        fetch.fetch(dataset)
    assert "is not the file expected" in caught.value.summary
    assert not dataset.is_here


def test_a_server_that_says_no(server: str) -> None:
    with pytest.raises(CatalogError) as caught:
        fetch.fetch(served(f"{server}/absent.csv"))
    assert "The server answered 404" in caught.value.detail


def test_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*args: object, **options: object) -> None:
        raise requests.ConnectionError("no route")

    # A real refused connection leaks its socket in urllib3, which fails a later test.
    monkeypatch.setattr(requests, "get", unreachable)
    with pytest.raises(CatalogError) as caught:
        fetch.fetch(served("https://example.invalid/runs.csv"))
    assert caught.value.summary == "Chinchilla, 245 digitised runs could not be downloaded."
    assert "ISOFLOP_DATA_MIRROR" in caught.value.hint


# --- Entries ---


@pytest.fixture
def own_catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return the file of a copy of a shipped entry, to be spoilt."""
    folder = tmp_path / "datasets" / "pile-cerebras-pythia"
    shutil.copytree(data.data_root() / "datasets" / "pile-cerebras-pythia", folder)
    monkeypatch.setattr(data, "data_root", lambda: tmp_path)
    monkeypatch.setattr(catalog, "data_root", lambda: tmp_path)
    list_datasets.cache_clear()
    yield folder / "dataset.toml"
    list_datasets.cache_clear()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("licence =", "license =", "missing: licence; unknown: licence_zh, license"),
        ('"nats/token"', '"nats"', "loss_unit 'nats' is unknown"),
        ('"total"', '"all"', "param_convention 'all' is unknown"),
        ('file = "table.csv"', 'file = "t.csv"\nurl = "https://x"', "url and sha256 go together"),
        (
            'title = "',
            'columns = { loss = "looss" }\ntitle = "',
            "'looss' is neither a canonical column nor the header 'loss'",
        ),
    ],
)
def test_a_malformed_entry_names_its_fault(
    own_catalog: Path, old: str, new: str, message: str
) -> None:
    text = own_catalog.read_text()
    assert old in text
    own_catalog.write_text(text.replace(old, new, 1))
    with pytest.raises(CatalogError) as caught:
        list_datasets()
    assert message in caught.value.detail


def test_repeated_data_knows_its_unique_tokens(mirror: Path) -> None:
    frame = load_dataset("datablations").frame
    row = frame[frame["run_id"] == "{'name': '2b855b4b'}"].iloc[0]
    assert row["unique_tokens"] == pytest.approx(4e9, rel=1e-9)


def test_a_row_known_to_be_wrong_is_left_out_with_its_reason(mirror: Path) -> None:
    frame = load_dataset("datablations").frame
    out = frame[frame["is_excluded"]]
    assert out["run_id"].tolist() == ["{'name': '2b855b1b25'}"]
    assert out["exclusion_reason"].iloc[0].startswith("epochs contradict")


def test_observational_scores_are_explained_by_compute(mirror: Path) -> None:
    table = load_dataset("observational")
    assert table.values("accuracy").tolist() == table.values("HellaSwag").tolist()
    assert len(table.frame) == 148
    assert len(table.included()) == 123


def test_revisited_curves_are_20_families(mirror: Path) -> None:
    table = load_dataset("revisiting-language")
    assert table.frame["family"].nunique() == 20
    assert table.loss_unit == "unknown"


# --- What data sets are for ---


def test_data_sets_of_a_role_come_in_the_order_of_the_catalog() -> None:
    found = [dataset.id for dataset in datasets_for("reference-loss")]
    assert found == ["chinchilla", "gemstones", "datablations"]
    assert found == [id for id in IDS if id in found]


@pytest.mark.parametrize("role", DATASET_ROLES)
def test_every_role_has_a_data_set_and_one_alone_where_it_says_so(role: DatasetRole) -> None:
    assert datasets_for(role)
    if DATASET_ROLES[role].endswith("One."):
        assert role in dataset_for_role(role).roles


def test_roles_of_none_or_of_several_data_sets_are_refused() -> None:
    with pytest.raises(CatalogError, match="No data set of the catalog has the role 'judge'"):
        datasets_for("judge")  # type: ignore[arg-type]  # what a misspelled role gives
    with pytest.raises(CatalogError, match="is for one data set; 3 have it"):
        dataset_for_role("reference-loss")


def test_a_data_set_with_an_unknown_role_is_refused() -> None:
    dataset = replace(find_dataset("chinchilla"), roles=("judge",))  # type: ignore[arg-type]  # so
    with pytest.raises(CatalogError) as caught:
        catalog._check_entry(dataset, "x")
    assert caught.value.detail == "unknown roles: judge"


# --- What set-up fetches --------------------------------------------------------------------------


def test_what_a_mirror_has_is_here_and_nothing_is_fetched(mirror: Path) -> None:
    asked = [entry for entry in list_datasets() if not entry.is_shipped]
    assert all(entry.is_here for entry in asked)
    assert fetch_what_can_be(asked) == asked


def test_without_a_network_set_up_goes_on_at_the_first_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried = []

    def fails(dataset: Dataset, progress: Progress, *, timeout_s: float) -> Path:
        tried.append((dataset.id, timeout_s))
        raise CatalogError("No network.")

    monkeypatch.setattr("isoflop.tables.fetch.fetch", fails)
    asked = [entry for entry in list_datasets() if not entry.is_shipped]
    assert fetch_what_can_be(asked) == []
    assert tried == [(asked[0].id, 3.0)]


def test_a_server_that_never_answers_does_not_hold_set_up_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ends = threading.Event()
    tried: list[threading.Thread] = []

    def waits(dataset: Dataset, progress: Progress, *, timeout_s: float) -> None:
        tried.append(threading.current_thread())
        ends.wait()

    monkeypatch.setattr("isoflop.tables.fetch.MOST_WAIT_S", 0.01)
    monkeypatch.setattr("isoflop.tables.fetch.fetch", waits)
    asked = [entry for entry in list_datasets() if not entry.is_shipped]
    assert len(asked) > 1
    assert fetch_what_can_be(asked) == []
    ends.set()
    for thread in tried:
        thread.join()
    assert len(tried) <= 1, "what was given up was downloaded afterwards"
