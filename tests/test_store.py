from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from isoflop.errors import StoreError
from isoflop.store import URL_SETTING, Store


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path / 'store.sqlite3'}"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = Store(url)
    yield opened
    for kind in ("scenario", "mapping"):
        for document in opened.find(kind):
            opened.delete(kind, document.key)
    opened.close()


def test_a_document_comes_back_as_it_was(store: Store) -> None:
    body = {"loss": 1.9, "tokens": 3e11, "label": "größer ≤ Ω 🚀", "grid": [1, None, {"x": True}]}
    before = datetime.now(UTC)
    saved = store.put("scenario", "seven billion", body)
    assert store.get("scenario", "seven billion") == saved
    assert saved.body == body
    assert before <= saved.created == saved.updated <= datetime.now(UTC)


def test_nothing_is_there_before_it_is_saved(store: Store) -> None:
    assert store.get("scenario", "a") is None
    assert store.find("scenario") == []
    assert store.delete("scenario", "a") is False


def test_saving_again_replaces_the_body_and_keeps_the_creation_time(store: Store) -> None:
    first = store.put("scenario", "a", {"x": 1})
    second = store.put("scenario", "a", {"x": 2})
    assert second.body == {"x": 2}
    assert second.created == first.created
    assert second.updated > first.updated
    assert store.find("scenario") == [second]


def test_kinds_are_apart_and_the_last_change_comes_first(store: Store) -> None:
    for key in ("a", "b", "c"):
        store.put("scenario", key, {})
    store.put("mapping", "a", {"other": 1})
    store.put("scenario", "a", {"changed": 1})
    assert [document.key for document in store.find("scenario")] == ["a", "c", "b"]
    assert store.delete("scenario", "a") is True
    assert [document.key for document in store.find("scenario")] == ["c", "b"]
    assert store.get("mapping", "a") is not None


def test_documents_survive_reopening(url: str, store: Store) -> None:
    store.put("scenario", "kept", {"x": 1})
    again = Store(url)
    assert again.find("scenario")[0].body == {"x": 1}
    again.close()


def test_quotes_and_semicolons_are_only_text(store: Store) -> None:
    key = "'; DROP TABLE documents; --"
    store.put("scenario", key, {"x": 1})
    assert [document.key for document in store.find("scenario")] == [key]


def test_threads_may_share_a_store(store: Store) -> None:
    def save(worker: int) -> None:
        for number in range(5):
            store.put("scenario", f"{number}", {"worker": worker})

    threads = [threading.Thread(target=save, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.find("scenario")) == 5


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"x": math.nan}, "Out of range float values are not JSON compliant"),
        ({"x": math.inf}, "Out of range float values are not JSON compliant"),
        ({"x": {1, 2}}, "Object of type set is not JSON serializable"),
    ],
)
def test_what_json_cannot_hold_is_refused(
    store: Store, body: dict[str, object], reason: str
) -> None:
    with pytest.raises(StoreError, match="a value is not JSON") as caught:
        store.put("scenario", "a", body)
    assert reason in caught.value.detail
    assert store.find("scenario") == []


@pytest.mark.parametrize("key", ["", "  ", "x" * 201, "a\0b"])
def test_unusable_keys_are_refused(store: Store, key: str) -> None:
    with pytest.raises(StoreError, match="This key cannot name a document"):
        store.put("scenario", key, {})
    with pytest.raises(StoreError, match="This kind cannot name a document"):
        store.put("k" * 41, "a", {})


def test_the_setting_names_the_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "team.sqlite3"
    monkeypatch.setenv(URL_SETTING, f"sqlite:///{path}")
    Store().put("scenario", "a", {})
    assert path.is_file()


def test_the_default_is_a_file_in_the_data_folder() -> None:
    store = Store()
    assert store.location.endswith("isoflop/isoflop.sqlite3")
    assert store.location.startswith(f"sqlite:///{Path.home()}")


@pytest.mark.parametrize(
    ("url", "summary"),
    [
        ("no url at all", "The database URL is malformed."),
        ("mysql://user:secret@host/name", "The database mysql is not supported."),
    ],
)
def test_other_urls_are_refused_without_showing_them(url: str, summary: str) -> None:
    with pytest.raises(StoreError) as caught:
        Store(url)
    assert caught.value.summary == summary
    assert URL_SETTING in caught.value.hint
    assert "secret" not in str(caught.value)


def test_a_missing_folder_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be opened") as caught:
        Store(f"sqlite:///{tmp_path / 'absent' / 'store.sqlite3'}")
    assert "unable to open database file" in caught.value.detail


def test_a_file_that_is_no_database_is_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, though long enough to be taken for one" * 20)
    with pytest.raises(StoreError, match="cannot be opened") as caught:
        Store(f"sqlite:///{path}")
    assert "file is not a database" in caught.value.detail


def test_a_server_that_is_down_is_a_clear_error_without_the_password() -> None:
    with pytest.raises(StoreError, match="cannot be opened") as caught:
        Store("postgresql://user:secret@127.0.0.1:1/name")
    assert "127.0.0.1:1" in caught.value.detail
    assert "secret" not in str(caught.value)


def test_a_data_folder_that_cannot_be_made_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocker = tmp_path / "file"
    blocker.touch()
    monkeypatch.setattr("isoflop.store.user_data_path", lambda *_, **__: blocker / "isoflop")
    with pytest.raises(StoreError, match="folder for saved documents cannot be made") as caught:
        Store()
    assert "Not a directory" in caught.value.detail
