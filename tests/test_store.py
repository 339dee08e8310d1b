from __future__ import annotations

import contextlib
import hashlib
import math
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import pytest
import sqlalchemy as sa
from benchmarks.faults.postgres import Postgres

from isoflop.errors import AccessError, ConflictError, StoreError
from isoflop.people import LOCAL, VISITOR, Actor, Visibility
from isoflop.store import URL_SETTING, Documents, Store, patience
from isoflop.store import database as database_module
from isoflop.store import documents as documents_module
from isoflop.store.database import MIGRATIONS, REVISIONS
from isoflop.store.tables import METADATA

EDITOR = frozenset({"viewer", "editor"})
ANNA = Actor(id="browser:anna", name="Anna", roles=EDITOR)
BEN = Actor(id="browser:ben", name="Ben", roles=EDITOR)
LOOKER = Actor(id="browser:looker", name="Looker")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path / 'store.sqlite3'}"


@pytest.fixture
def whole(url: str) -> Iterator[Store]:
    opened = Store(url)
    yield opened
    opened.close()
    if url.startswith("postgresql"):  # the next test begins with an empty one
        _empty(url)


def _empty(url: str) -> None:
    engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        for name in sa.inspect(connection).get_table_names():
            connection.execute(sa.text(f'DROP TABLE "{name}"'))
    engine.dispose()


@pytest.fixture
def store(whole: Store) -> Documents:
    return whole.of(ANNA)


def test_a_document_comes_back_as_it_was(store: Documents) -> None:
    body = {"loss": 1.9, "tokens": 3e11, "label": "größer ≤ Ω 🚀", "grid": [1, None, {"x": True}]}
    before = datetime.now(UTC)
    saved = store.put("scenario", "seven billion", body)
    assert store.get("scenario", "seven billion") == saved
    assert saved.body == body
    assert before <= saved.created == saved.updated <= datetime.now(UTC)


def test_nothing_is_there_before_it_is_saved(store: Documents) -> None:
    assert store.get("scenario", "a") is None
    assert list(store.find("scenario")) == []
    with pytest.raises(AccessError, match="There is no such document"):
        store.delete("a")


def test_saving_again_replaces_the_body_and_keeps_the_creation_time(store: Documents) -> None:
    first = store.put("scenario", "a", {"x": 1})
    second = store.put("scenario", "a", {"x": 2})
    assert second.body == {"x": 2}
    assert second.created == first.created
    assert second.updated > first.updated
    assert list(store.find("scenario")) == [second]
    assert (first.version, second.version) == (1, 2)


def test_kinds_are_apart_and_the_last_change_comes_first(store: Documents) -> None:
    for key in ("a", "b", "c"):
        store.put("scenario", key, {})
    store.put("mapping", "a", {"other": 1})
    store.put("scenario", "a", {"changed": 1})
    assert [document.key for document in store.find("scenario")] == ["a", "c", "b"]
    store.delete(store.find("scenario").documents[0].id)
    assert [document.key for document in store.find("scenario")] == ["c", "b"]
    assert store.get("mapping", "a") is not None


def test_documents_survive_reopening(url: str, store: Documents) -> None:
    store.put("scenario", "kept", {"x": 1})
    again = Store(url)
    assert again.of(ANNA).find("scenario").documents[0].body == {"x": 1}
    again.close()


def test_quotes_and_semicolons_are_only_text(store: Documents) -> None:
    key = "'; DROP TABLE documents; --"
    store.put("scenario", key, {"x": 1})
    assert [document.key for document in store.find("scenario")] == [key]


def test_threads_may_share_a_store(store: Documents) -> None:
    def save(worker: int) -> None:
        for number in range(5):
            store.put("scenario", f"{number}", {"worker": worker})

    threads = [threading.Thread(target=save, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = store.find("scenario")
    assert len(found) == 5
    assert {document.version for document in found} == {4}  # no save was lost


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"x": math.nan}, "Out of range float values are not JSON compliant"),
        ({"x": math.inf}, "Out of range float values are not JSON compliant"),
        ({"x": {1, 2}}, "Object of type set is not JSON serializable"),
    ],
)
def test_what_json_cannot_hold_is_refused(
    store: Documents, body: dict[str, object], reason: str
) -> None:
    with pytest.raises(StoreError, match="a value is not JSON") as caught:
        store.put("scenario", "a", body)
    assert reason in caught.value.detail
    assert list(store.find("scenario")) == []


@pytest.mark.parametrize("key", ["", "  ", "x" * 201, "a\0b"])
def test_unusable_keys_are_refused(store: Documents, key: str) -> None:
    with pytest.raises(StoreError, match="This key cannot name a document"):
        store.put("scenario", key, {})
    with pytest.raises(StoreError, match="This kind cannot name a document"):
        store.put("k" * 41, "a", {})


def test_the_setting_names_the_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "team.sqlite3"
    monkeypatch.setenv(URL_SETTING, f"sqlite:///{path}")
    Store().of(LOCAL).put("scenario", "a", {})
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
    monkeypatch.setattr(
        "isoflop.store.database.user_data_path", lambda *_, **__: blocker / "isoflop"
    )
    with pytest.raises(StoreError, match="folder for saved documents cannot be made") as caught:
        Store()
    assert "Not a directory" in caught.value.detail


# --- Whose it is ----------------------------------------------------------------------------------


def test_what_one_saves_nobody_else_sees(whole: Store, store: Documents) -> None:
    saved = store.put("scenario", "a", {"x": 1})
    for other in (BEN, LOOKER, VISITOR, LOCAL):
        theirs = whole.of(other)
        assert theirs.get("scenario", "a") is None
        assert len(theirs.find("scenario")) == 0
        with pytest.raises(AccessError, match="There is no such document, or it is not shared"):
            theirs.open(saved.id)
        with pytest.raises(AccessError, match="There is no such document, or it is not shared"):
            theirs.versions(saved.id)


def test_two_people_may_use_the_same_name(whole: Store, store: Documents) -> None:
    store.put("scenario", "a", {"x": 1})
    whole.of(BEN).put("scenario", "a", {"x": 2})
    found = store.get("scenario", "a")
    assert found is not None
    assert (found.body, found.owner_name) == ({"x": 1}, "Anna")


Write = Callable[[Documents, str], object]
WRITES: dict[str, Write] = {
    "change": lambda documents, id: documents.change(id, {"x": 2}),
    "delete": lambda documents, id: documents.delete(id),
    "restore": lambda documents, id: documents.restore(id, 1),
    "rename": lambda documents, id: documents.rename(id, "b"),
    "share": lambda documents, id: documents.share(id, "everyone", "editor"),
    "undelete": lambda documents, id: documents.undelete(id),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize("visibility", ["private", "link", "everyone"])
def test_only_its_owner_writes_what_is_shared_to_be_seen(
    whole: Store, store: Documents, visibility: Visibility, write: Write
) -> None:
    store.put("scenario", "a", {"x": 0})
    saved = store.share(store.put("scenario", "a", {"x": 1}).id, visibility)
    for other in (BEN, LOOKER, VISITOR, LOCAL):
        with pytest.raises(AccessError):
            write(whole.of(other), saved.id)
    assert store.open(saved.id) == saved
    assert [v.number for v in store.versions(saved.id)] == [2, 1]


def test_what_everyone_may_edit_editors_change_and_viewers_do_not(
    whole: Store, store: Documents
) -> None:
    saved = store.share(store.put("scenario", "a", {"x": 1}).id, "everyone", "editor")
    changed = whole.of(BEN).change(saved.id, {"x": 2})
    assert (changed.owner_name, changed.author_name, changed.version) == ("Anna", "Ben", 2)
    assert changed.can_write
    for looker in (LOOKER, VISITOR):
        theirs = whole.of(looker)
        assert not theirs.open(saved.id).can_write
        for write in (WRITES["change"], WRITES["delete"], WRITES["restore"]):
            with pytest.raises(AccessError):
                write(theirs, saved.id)
        with pytest.raises(AccessError):
            theirs.put("scenario", "b", {})
        with pytest.raises(AccessError):
            theirs.duplicate(saved.id)
    with pytest.raises(AccessError, match="belongs to somebody else"):
        whole.of(BEN).rename(saved.id, "b")


def test_a_link_opens_what_is_shared_by_it_and_lists_nothing(
    whole: Store, store: Documents
) -> None:
    saved = store.share(store.put("workspace", "a", {"x": 1}).id, "link", "editor")
    theirs = whole.of(LOOKER)
    assert theirs.open(saved.id).body == {"x": 1}
    assert not whole.of(BEN).open(saved.id).can_write  # a link shows and changes nothing
    assert len(theirs.find("workspace")) == 0
    store.share(saved.id, "private")
    with pytest.raises(AccessError):
        theirs.open(saved.id)


def test_a_browser_names_itself_and_a_login_does_not(whole: Store, store: Documents) -> None:
    saved = store.share(store.put("scenario", "a", {}).id, "everyone")
    store.call_me("  Anna   from upstairs ")
    theirs = whole.of(BEN)
    assert theirs.open(saved.id).owner_name == theirs.name_of(ANNA.id) == "Anna from upstairs"
    store.put("scenario", "a", {})  # what the browser says of itself does not undo it
    assert theirs.open(saved.id).author_name == "Anna from upstairs"
    for name in ("", "  ", "x" * 41, "a\u202eb"):
        with pytest.raises(StoreError, match="no name that others can read"):
            store.call_me(name)
    signed_in = Actor(id="login:1", name="Carl", roles=EDITOR)
    with pytest.raises(AccessError, match="that of your login"):
        whole.of(signed_in).call_me("Anna")
    with pytest.raises(AccessError, match="you are a viewer"):
        whole.of(LOOKER).call_me("Anna")
    assert theirs.name_of("browser:nobody") == "somebody"


def test_a_copy_of_what_is_shared_is_ones_own(whole: Store, store: Documents) -> None:
    content = b"a table"
    sha256 = hashlib.sha256(content).hexdigest()
    saved = store.put("workspace", "a", {"x": 1}, attachments={sha256: content})
    store.share(saved.id, "everyone")
    theirs = whole.of(BEN)
    copied = theirs.duplicate(saved.id)
    assert (copied.owner, copied.key, copied.visibility) == (BEN.id, "a (copy)", "private")
    assert theirs.duplicate(saved.id).key == "a (copy) (2)"
    store.delete(saved.id)
    assert theirs.attachment(copied.id, sha256) == content


def test_files_are_given_to_those_who_see_their_document(whole: Store, store: Documents) -> None:
    content = b"a table"
    sha256 = hashlib.sha256(content).hexdigest()
    saved = store.put("workspace", "a", {}, attachments={sha256: content})
    with pytest.raises(AccessError):
        whole.of(BEN).attachment(saved.id, sha256)
    # Whoever knows a file's hash alone does not get it by a document of one's own.
    own = whole.of(BEN).put("workspace", "mine", {"table": sha256})
    with pytest.raises(StoreError, match="missing or damaged"):
        whole.of(BEN).attachment(own.id, sha256)


def test_a_read_only_server_changes_nothing(
    url: str, store: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = store.put("scenario", "a", {"x": 1})
    monkeypatch.setenv("ISOFLOP_READ_ONLY", "1")
    reader = Store(url)
    assert reader.of(ANNA).open(saved.id).body == {"x": 1}
    for write in WRITES.values():
        with pytest.raises(AccessError, match="read-only"):
            write(reader.of(ANNA), saved.id)
    with pytest.raises(StoreError, match=r"readonly|read-only"):  # the database itself refuses, too
        reader._database.run("No.", lambda c: c.execute(sa.text("DELETE FROM documents")))
    reader.close()


def test_a_read_only_server_without_a_database_makes_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISOFLOP_READ_ONLY", "1")
    opened = Store(f"sqlite:///{tmp_path / 'absent.sqlite3'}")
    assert len(opened.of(LOCAL).find("scenario")) == 0
    assert list(tmp_path.iterdir()) == []
    opened.close()


# --- Versions, and two writers --------------------------------------------------------------------


def test_every_version_can_be_restored_and_nothing_is_lost_by_it(store: Documents) -> None:
    for x in range(3):
        saved = store.put("scenario", "a", {"x": x})
    restored = store.restore(saved.id, 1)
    assert (restored.body, restored.version) == ({"x": 0}, 4)
    assert [version.number for version in store.versions(saved.id)] == [4, 3, 2, 1]
    assert store.restore(saved.id, 3).body == {"x": 2}
    with pytest.raises(StoreError, match="There is no version 17"):
        store.restore(saved.id, 17)


def test_the_second_of_two_writers_is_told_and_neither_loses_anything(
    whole: Store, store: Documents
) -> None:
    opened = store.share(store.put("workspace", "a", {"x": 0}).id, "everyone", "editor")
    whole.of(BEN).change(opened.id, {"x": "Ben's"}, expected=opened.version)
    for save in (
        lambda: store.change(opened.id, {"x": "Anna's"}, expected=opened.version),
        lambda: store.put("workspace", "a", {"x": "Anna's"}, expected=opened.version),
        lambda: store.restore(opened.id, 1, expected=opened.version),
    ):
        with pytest.raises(ConflictError, match="Ben saved 'a' after you opened it") as caught:
            save()
    assert "Nothing is lost" in caught.value.hint
    now = store.open(opened.id)
    assert now.body == {"x": "Ben's"}
    assert store.change(opened.id, {"x": "Anna's"}, expected=now.version).version == 3


def test_of_writers_at_once_one_wins_and_the_others_are_told(store: Documents) -> None:
    opened = store.put("workspace", "a", {"x": 0})
    said: list[str] = []

    def save(number: int) -> None:
        try:
            store.change(opened.id, {"x": number}, expected=opened.version)
            said.append("saved")
        except ConflictError:
            said.append("told")

    threads = [threading.Thread(target=save, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == ["saved", "told", "told", "told"]


def test_only_so_many_versions_are_kept(store: Documents, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents_module, "MAX_VERSIONS", 3)
    for x in range(6):
        saved = store.put("scenario", "a", {"x": x})
    assert [version.number for version in store.versions(saved.id)] == [6, 5, 4, 3]


def test_a_deletion_can_be_taken_back_until_it_is_old(
    url: str, store: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = store.put("scenario", "a", {"x": 1})
    store.delete(saved.id)
    assert len(store.find("scenario")) == 0
    assert [document.id for document in store.find("scenario", deleted=True)] == [saved.id]
    assert store.undelete(saved.id) == saved
    store.delete(saved.id)
    other = store.put("scenario", "a", {"x": 2})  # its name is free
    with pytest.raises(StoreError, match="another has its name by now"):
        store.undelete(saved.id)
    store.delete(other.id)
    monkeypatch.setattr(documents_module, "KEEP_DELETED", timedelta(0))
    Store(url).close()
    assert len(store.find("scenario", deleted=True)) == 0


def test_a_name_that_is_taken_is_said(store: Documents) -> None:
    store.put("scenario", "a", {})
    saved = store.put("scenario", "b", {})
    assert store.rename(saved.id, "c").key == "c"
    with pytest.raises(StoreError, match="another has this name"):
        store.rename(saved.id, "a")


def test_what_a_person_stores_is_limited(
    whole: Store, store: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISOFLOP_MAX_STORED_MB", "0.001")
    store.put("scenario", "a", {"x": "y" * 400})
    with pytest.raises(
        StoreError, match="no room for this: a person or a team may store 0 MB"
    ) as caught:
        store.put("scenario", "a", {"x": "y" * 700})  # the version before counts, too
    assert "ISOFLOP_MAX_STORED_MB" in caught.value.hint
    found = store.get("scenario", "a")
    assert found is not None
    assert found.version == 1
    assert 400 < store.stored_bytes() < 500
    whole.of(BEN).put("scenario", "a", {"x": "y" * 700})
    whole.of(LOCAL).put("scenario", "a", {"x": "y" * 5000})


# --- What cannot be read, and what is of another time ---------------------------------------------


def test_a_listing_leaves_out_and_names_what_cannot_be_read(whole: Store, store: Documents) -> None:
    store.put("scenario", "good", {"x": 1})
    for key, body in (("cut", '{"x": '), ("list", "[1]"), ("deep", "[" * 100_000)):
        broken = store.put("scenario", key, {})
        statement = sa.text("UPDATE documents SET body = :body WHERE id = :id")
        whole._database.run(
            "No.",
            lambda c, s=statement, v={"body": body, "id": broken.id}: c.execute(s, v),
            writes=True,
        )
    found = store.find("scenario")
    assert [document.key for document in found] == ["good"]
    assert sorted(found.unreadable) == ["cut", "deep", "list"]
    with pytest.raises(StoreError, match="The saved scenario 'deep' cannot be read"):
        store.get("scenario", "deep")


OLD_TABLE = """CREATE TABLE documents (kind VARCHAR(40) NOT NULL, key VARCHAR(200) NOT NULL,
body TEXT NOT NULL, created VARCHAR(32) NOT NULL, updated VARCHAR(32) NOT NULL,
PRIMARY KEY (kind, key))"""
"""As the first version of the package made it."""


def test_documents_of_the_first_version_are_everyones_as_before(url: str) -> None:
    engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        connection.execute(sa.text(OLD_TABLE))
        row = {"kind": "scenario", "key": "old", "body": '{"label": "größer"}'}
        times = {"created": "2026-01-02T03:04:05.000006+00:00"}
        times["updated"] = "2026-02-03T04:05:06.000007+00:00"
        insert = "INSERT INTO documents VALUES (:kind, :key, :body, :created, :updated)"
        connection.execute(sa.text(insert), row | times)
    engine.dispose()
    opened = Store(url)
    try:
        (found,) = opened.of(ANNA).find("scenario")
        assert (found.owner, found.owner_name, found.key) == ("local", "this machine", "old")
        assert found.body == {"label": "größer"}
        assert found.updated == datetime(2026, 2, 3, 4, 5, 6, 7, UTC)
        assert opened.of(BEN).change(found.id, {"label": "changed"}).version == 2
        assert [version.number for version in opened.of(ANNA).versions(found.id)] == [2, 1]
        assert not opened.of(LOOKER).open(found.id).can_write
    finally:
        opened.close()
        if url.startswith("postgresql"):
            _empty(url)


def test_the_migrations_make_the_tables_of_the_code(url: str, whole: Store) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with whole._database._engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []


def test_the_list_of_revisions_is_that_of_the_migrations() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    scripts = ScriptDirectory.from_config(config)
    assert tuple(script.revision for script in scripts.walk_revisions())[::-1] == REVISIONS


def test_a_newer_database_is_refused_and_left_as_it_is(url: str, store: Documents) -> None:
    saved = store.put("scenario", "a", {})
    number = sa.text("UPDATE alembic_version SET version_num = :number")
    store._database.run("No.", lambda c: c.execute(number, {"number": "9999"}), writes=True)
    with pytest.raises(StoreError, match="A newer version of Isoflop has made this") as caught:
        Store(url)
    assert "revision 9999; this version knows up to" in caught.value.detail
    store._database.run("No.", lambda c: c.execute(number, {"number": REVISIONS[-1]}), writes=True)
    assert store.open(saved.id) == saved


def test_several_may_open_an_empty_database_at_once(url: str) -> None:
    failures: list[BaseException] = []

    def open_it() -> None:
        try:
            Store(url).close()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if url.startswith("postgresql"):
        _empty(url)
    assert not failures


# --- Trouble --------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite3"


def test_a_deleted_file_is_noticed_and_one_put_back_is_used(file: Path) -> None:
    opened = Store(f"sqlite:///{file}")
    mine = opened.of(ANNA)
    saved = mine.put("scenario", "a", {"x": 1})
    backup = file.with_name("backup.sqlite3")
    with sqlite3.connect(file) as source, sqlite3.connect(backup) as target:
        source.backup(target)
    source.close()
    target.close()
    for path in file.parent.glob("store.sqlite3*"):
        path.unlink()
    with pytest.raises(StoreError, match="The database of saved documents is gone"):
        mine.put("scenario", "b", {})
    assert not file.exists()
    backup.replace(file)
    assert mine.open(saved.id) == saved
    opened.close()


def test_a_locked_file_is_tried_again(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "CONNECT_TIMEOUT_S", 0)
    opened = Store(f"sqlite:///{file}")
    mine = opened.of(ANNA)
    blocker = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    blocker.execute("BEGIN IMMEDIATE")
    waits: list[float] = []

    def let_go(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            blocker.execute("ROLLBACK")

    monkeypatch.setattr(database_module.time, "sleep", let_go)
    assert mine.put("scenario", "a", {"x": 1}).version == 1
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="The document was not saved") as caught:
        mine.put("scenario", "a", {"x": 2})
    assert "database is locked" in caught.value.detail
    blocker.close()
    opened.close()


def test_a_server_that_stands_still_is_given_up_and_then_left_alone(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "ANSWER_S", 0.2)
    monkeypatch.setattr(patience, "LONG_S", 0.1)
    monkeypatch.setattr(patience, "ASK_AGAIN_S", 2.0)
    monkeypatch.setattr(database_module, "CONNECT_TIMEOUT_S", 2)
    opened = Store(postgres.url)
    mine = opened.of(ANNA)
    saved = mine.put("scenario", "a", {"x": 1})
    postgres.freeze()
    try:
        with pytest.raises(StoreError, match="cannot be read") as caught:
            mine.open(saved.id)
        assert "timeout" in caught.value.detail
        with pytest.raises(StoreError, match="cannot be opened") as caught:
            Store(postgres.url)  # it knows, without asking
        assert "is asked again in a moment" in caught.value.detail
    finally:
        postgres.thaw()
    for _ in range(1000):  # no restart
        with contextlib.suppress(StoreError):
            assert mine.open(saved.id) == saved
            break
        time.sleep(0.01)
    else:
        pytest.fail("it is not asked again")
    opened.close()
    _empty(postgres.url)


def test_a_server_that_stops_in_a_statement_is_given_up(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "GRACE_S", 0.2)
    monkeypatch.setattr(database_module, "STATEMENT_TIMEOUT_S", 0.4)
    monkeypatch.setattr(database_module, "CONNECT_TIMEOUT_S", 2)
    opened = Store(postgres.url)

    def work(connection: sa.Connection) -> None:
        postgres.freeze()
        connection.execute(sa.text("SELECT 1"))

    try:
        with pytest.raises(StoreError, match="Not done"):
            opened._database.run("Not done.", work)
    finally:
        postgres.thaw()
    opened.close()
    patience.silence_of(opened._database._url).over()
    _empty(postgres.url)


def test_of_requests_to_a_silent_database_one_at_a_time_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_s = 100.0
    monkeypatch.setattr(patience.time, "monotonic", lambda: now_s)
    silence = patience.Silence()
    assert not silence.lasts()
    silence.failed_after(0.5)  # refused at once: asking costs nothing
    assert not silence.lasts()
    silence.failed_after(3)
    assert silence.lasts()
    now_s += patience.ASK_AGAIN_S
    assert [silence.lasts(), silence.lasts()] == [False, True]
    silence.over()
    assert not silence.lasts()


def test_saving_again_what_was_saved_is_no_conflict(whole: Store, store: Documents) -> None:
    """As after a commit whose word was lost with the connection."""
    first = store.put("scenario", "a", {"x": 1})
    second = store.change(first.id, {"x": 2}, expected=1)
    assert store.change(first.id, {"x": 2}, expected=1) == second
    store.share(first.id, "everyone", "editor")
    with pytest.raises(ConflictError):
        whole.of(BEN).change(first.id, {"x": 2}, expected=1)


def test_setting_the_clock_turns_no_time_back_and_removes_nothing(
    url: str, store: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = store.put("scenario", "a", {"x": 1})
    gone = store.put("scenario", "b", {})
    store.delete(gone.id)

    class Clock(datetime):
        ahead = timedelta(days=-900)

        @classmethod
        def now(cls, zone: tzinfo | None = None) -> datetime:
            return datetime.now(zone) + cls.ahead

    monkeypatch.setattr(documents_module, "datetime", Clock)
    again = store.put("scenario", "a", {"x": 2})
    assert again.updated >= saved.updated
    assert [version.number for version in store.versions(saved.id)] == [2, 1]
    Clock.ahead = timedelta(days=900)
    Store(url).close()
    assert store.undelete(gone.id).key == "b"


def test_a_statement_that_takes_too_long_is_ended(
    url: str, whole: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "STATEMENT_TIMEOUT_S", 0.2)
    slow = Store(url)
    query = (
        "SELECT pg_sleep(60)"
        if url.startswith("postgresql")
        else "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    )
    with pytest.raises(StoreError, match="Too slow"):
        slow._database.run("Too slow.", lambda c: c.execute(sa.text(query)))
    slow.close()
