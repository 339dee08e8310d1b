"""The Workspaces page: what is saved, and what can be done with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest
from tests.pages.helpers import SHIPPED, TIMEOUT_S, button, healthy, open_page, press, text

from isoflop import people
from isoflop.people import LOCAL, Actor
from isoflop.store import Store
from isoflop.ui import documents, jobs, server, shell, visitor
from isoflop.ui.workspaces import session
from isoflop.workspace import KIND, Workspace, from_zip, to_body, to_zip

ANNA = Actor(id="browser:anna", name="Anna", roles=frozenset({"viewer", "editor"}))
LOOKER = Actor(id="browser:looker", name="Looker")
VIEWS = {"reality": {"run": ("llama-2-70b",)}, "plan": {"count": ("64",), "time": ("9 days",)}}
SAVED = Workspace(page="reality", views=VIEWS, note="why *this* one")


@pytest.fixture(autouse=True)
def store() -> Iterator[Store]:
    documents.store.clear()
    documents.forget_person()  # outside a page, the last test's is still known
    opened = Store()
    yield opened
    opened.close()


def as_person(actor: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visitor, "actor", lambda: actor)


def save(store: Store, actor: Actor = LOCAL, name: str = "first") -> str:
    return store.of(actor).put(KIND, name, to_body(SAVED)).id


def open_main(**address: str) -> AppTest:
    at = AppTest.from_file(str(server.MAIN_SCRIPT), default_timeout=TIMEOUT_S)
    for name, value in address.items():
        at.query_params[name] = value
    return at.run()


def test_an_empty_session_and_store_say_what_to_do() -> None:
    at = healthy(open_page("workspaces"))
    assert "choose a table, a fit or a plan on another page" in text(at.caption)
    assert "Nothing is saved yet" in text(at.caption)


def test_a_saved_workspace_shows_its_note_and_contents(store: Store) -> None:
    save(store)
    at = healthy(open_page("workspaces"))
    assert "why *this* one" in text(at.markdown)
    assert "Views of Reality check, Plan." in text(at.caption)
    assert "Version 1, saved by this machine" in text(at.caption)


def test_a_link_brings_the_view_and_leaves_nothing_of_itself_in_the_address(store: Store) -> None:
    at = open_main(w=save(store), v="plan")
    assert not at.exception
    assert at.query_params["count"] in ("64", ["64"])
    assert "w" not in at.query_params
    held: session.Opened = at.session_state["workspace"]
    assert (held.name, held.version, held.can_write) == ("first", 1, True)


def test_a_link_starts_nothing_heavy(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """To open a workspace is to open an address: what takes long waits for a click."""
    asked_for = SHIPPED | {"bootstrap": "13"}  # of a fit that no other test leaves results of
    view = {
        name: value if isinstance(value, list) else [value] for name, value in asked_for.items()
    }
    workspace = Workspace(page="fit", views={"fit": {k: tuple(v) for k, v in view.items()}})
    asked: list[str] = []
    key = jobs.KeptByJob._key  # what other tests left of this fit is not found
    monkeypatch.setattr(jobs.KeptByJob, "_key", lambda self, *given: "anew." + key(self, *given))
    monkeypatch.setattr(jobs, "CHEAP_S", -1.0)
    monkeypatch.setattr(jobs.work, "submit", lambda *given, **_: asked.append(str(given[0])))
    at = open_main(w=store.of(LOCAL).put(KIND, "heavy", to_body(workspace)).id)
    assert not at.exception
    assert at.query_params["table"] in (SHIPPED["table"], [SHIPPED["table"]])
    assert "Compute" in {entry.label for entry in at.button}
    assert asked == []


def test_another_version_says_that_defaults_may_differ(store: Store) -> None:
    body = to_body(SAVED) | {"isoflop": "0.0.1"}
    at = open_main(w=store.of(LOCAL).put(KIND, "old", body).id)
    assert "was saved by Isoflop 0.0.1" in text(at.warning)


def test_a_link_to_what_is_not_shared_shows_nothing_else(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    document_id = save(store, ANNA)
    for asked in (document_id, "no such", "'; DROP TABLE documents; --"):
        at = open_main(w=asked)
        assert not at.exception
        assert "There is no such document" in text(at.error)
        assert not at.metric


def test_a_link_to_large_tables_waits_for_a_click(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "ASK_ABOVE_BYTES", -1)
    at = open_main(w=save(store))
    assert "which take a while to read" in text(at.markdown)
    assert "w" in at.query_params
    at = button(at, "Open it").click().run()
    assert "w" not in at.query_params


def test_versions_are_restored_and_deletions_taken_back(store: Store) -> None:
    document_id = save(store)
    store.of(LOCAL).change(document_id, to_body(Workspace(page="fit", views={}, note="later")))
    at = healthy(open_page("workspaces"))
    assert "later" in text(at.markdown)
    at = healthy(press(at, "Restore"))
    assert "why *this* one" in text(at.markdown)
    at = healthy(press(at, "Delete"))
    assert len(store.of(LOCAL).find(KIND)) == 0
    at = healthy(press(at, "Undo"))
    assert [document.id for document in store.of(LOCAL).find(KIND)] == [document_id]
    healthy(press(at, "Duplicate"))
    assert len(store.of(LOCAL).find(KIND)) == 2


def test_the_second_of_two_writers_is_told(store: Store) -> None:
    document_id = save(store)
    at = healthy(open_page("workspaces"))
    store.of(LOCAL).change(document_id, to_body(SAVED))
    store.of(LOCAL).change(document_id, to_body(SAVED))
    at.session_state["workspace"] = session.Opened(
        id=document_id, name="first", note="", version=1, can_write=True
    )
    at.session_state["views"] = VIEWS
    at.run()
    at.text_input[0].set_value("first")
    at = button(at, "Save").click().run()
    assert "saved 'first' after you opened it" in text(at.error)
    assert store.of(LOCAL).open(document_id).version == 3


def test_a_viewer_sees_what_is_shared_and_has_nothing_to_press(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.of(ANNA).share(save(store, ANNA), "everyone")
    as_person(LOOKER, monkeypatch)
    at = healthy(open_page("workspaces"))
    assert "first (Anna)" in text(at.markdown)
    labels = {entry.label for entry in at.button}
    assert not labels & {"Delete", "Duplicate", "Rename it", "Restore", "Save", "Save as new"}
    at.session_state["views"] = VIEWS
    at.run()
    assert "you are a viewer here" in text(at.caption)


def test_a_person_takes_a_name_that_others_read(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_person(ANNA, monkeypatch)
    store.of(ANNA).share(save(store, ANNA), "everyone")
    at = healthy(open_page("workspaces"))
    at.text_input(key="workspaces.name").set_value("Anna of accounting")
    healthy(press(at, "Take this name"))
    as_person(LOOKER, monkeypatch)
    assert "first (Anna of accounting)" in text(healthy(open_page("workspaces")).markdown)


def test_whoever_has_not_signed_in_sees_no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visitor, "is_login_configured", lambda: True)
    monkeypatch.setattr(shell.st, "user", SimpleNamespace(is_logged_in=False))
    at = open_main(table="chinchilla")
    assert not at.exception
    assert [entry.label for entry in at.button] == ["Sign in"]
    assert not at.metric


def test_a_read_only_server_says_so(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    save(store)
    documents.store.clear()
    monkeypatch.setenv("ISOFLOP_READ_ONLY", "1")
    at = open_page("workspaces")
    at.session_state["views"] = VIEWS
    healthy(at.run())
    assert "This server is read-only" in text(at.caption)
    assert not {"Delete", "Duplicate"} & {entry.label for entry in at.button}


def test_an_export_is_imported_elsewhere(store: Store) -> None:
    at = open_page("workspaces")
    content = to_zip("from afar", SAVED, {})
    assert from_zip(content)[0] == "from afar"
    at.file_uploader(key="workspaces.import").upload("x.zip", content, "application/zip")
    at = healthy(at.run())
    assert "from afar: Views of Reality check, Plan." in text(at.caption)
    healthy(press(at, "Import it"))
    (document,) = store.of(LOCAL).find(KIND)
    assert (document.key, document.body["note"]) == ("from afar", SAVED.note)


def test_a_file_that_is_no_export_is_refused(store: Store) -> None:
    at = open_page("workspaces")
    at.file_uploader(key="workspaces.import").upload("x.zip", b"PK junk", "application/zip")
    at = at.run()
    assert "This is not a workspace that can be opened." in text(at.error)


def test_imports_are_off_with_uploads(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOFLOP_UPLOADS", "off")
    at = healthy(open_page("workspaces"))
    assert "Imports are off on this server (ISOFLOP_UPLOADS)." in text(at.caption)
    assert not at.file_uploader


def test_a_page_that_believes_nobody_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOFLOP_IDENTITY", "header")
    people.cookie_secret.cache_clear()
    monkeypatch.setattr(visitor, "is_login_configured", lambda: False)
    monkeypatch.setattr(
        visitor, "actor", lambda: people.of_request({"X-Forwarded-User": "a"}, {}, None)
    )
    at = open_main()
    assert "anyone could send such a header" in text(at.error)
    assert not at.metric


def test_files_of_a_workspace_are_named_after_it() -> None:
    from isoflop.ui.workspaces.page import _file_stem

    assert _file_stem("../a b/c: größer") == "---a-b-c--größer"
    assert Path(_file_stem("../..")).name == _file_stem("../..")


# --- Teams, and what one uses ---------------------------------------------------------------------

BEN = Actor(id="browser:ben", name="Ben", roles=frozenset({"viewer", "editor"}))


def found(monkeypatch: pytest.MonkeyPatch, name: str = "Vision") -> tuple[AppTest, str]:
    """Let Anna found a team; return her page and the team's id."""
    as_person(ANNA, monkeypatch)
    at = healthy(open_page("workspaces"))
    at.text_input(key="teams.name").set_value(name)
    at = healthy(press(at, "Create team"))
    (team,) = documents.person().teams
    return at, team.team


def test_a_team_is_founded_joined_by_a_link_and_left(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    at, team = found(monkeypatch)
    assert "Vision: you are an owner." in text(at.markdown).replace("*", "")
    at = healthy(press(at, "Invite editors"))
    (invited,) = store.teams_of(ANNA).invitations(team)
    assert f"workspaces?join={invited.code}" in text(at.code)
    as_person(BEN, monkeypatch)
    other = healthy(open_page("workspaces", join=invited.code))
    assert "Anna invites you to the team **Vision**, as an editor." in text(other.markdown)
    assert store.teams_of(BEN).mine() == ()  # to open the link joins nothing
    other = healthy(press(other, "Join"))
    assert "join" not in other.query_params
    assert [one.role for one in store.teams_of(BEN).mine()] == ["editor"]
    assert not {"Invite editors", "Delete the team"} & {entry.label for entry in other.button}
    as_person(ANNA, monkeypatch)
    at = healthy(at.run())
    role = at.selectbox(key=f"teams.role.{team}.{BEN.id}")
    healthy(role.set_value("viewer").run())
    assert [one.role for one in store.teams_of(BEN).mine()] == ["viewer"]
    at = press(at, "Leave the team")
    assert "Nobody would own the team any more" in text(at.error)
    at = healthy(press(at, "Delete the team"))
    assert store.teams_of(BEN).mine() == ()
    healthy(press(at, "Undo"))
    as_person(BEN, monkeypatch)
    healthy(press(other.run(), "Leave the team"))
    assert store.teams_of(BEN).mine() == ()


def test_an_invitation_that_leads_nowhere_says_so_and_the_page_goes_on(store: Store) -> None:
    save(store)
    at = open_page("workspaces", join="nonsense")
    assert "This invitation leads nowhere" in text(at.error)
    assert "why *this* one" in text(at.markdown)


def test_whoever_may_only_look_is_told_that_they_join_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, team = found(monkeypatch)
    code = store.teams_of(ANNA).invite(team, "editor").code
    as_person(LOOKER, monkeypatch)
    at = healthy(open_page("workspaces", join=code))
    assert "You cannot join a team: you are a viewer here." in text(at.caption)
    assert not {"Join", "Create team"} & {entry.label for entry in at.button}


def test_a_workspace_is_saved_for_a_team_given_to_it_and_shared_with_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    at, team = found(monkeypatch)
    at.session_state["views"] = VIEWS
    at.run()
    at.text_input[0].set_value("ours")
    at.selectbox(key="workspaces.owner").set_value(team)
    at = healthy(button(at, "Save").click().run())
    (saved,) = store.of(ANNA).find(KIND)
    assert (saved.owner, saved.owner_name) == (team, "Vision")
    shared = at.selectbox(key=f"share.{saved.id}")
    assert shared.options == [
        "Only me", "Anyone with the link can view", "Everyone here can view",
        "Everyone here can edit", "Owned by Vision",
    ]  # fmt: skip
    healthy(shared.set_value((ANNA.id, "private", "viewer", "")).run())
    assert store.of(ANNA).open(saved.id).owner == ANNA.id
    shared = at.selectbox(key=f"share.{saved.id}")
    healthy(shared.set_value((ANNA.id, "team", "viewer", team)).run())
    assert store.of(ANNA).open(saved.id).team == team
    healthy(at.selectbox(key=f"share.{saved.id}").set_value((team, "private", "viewer", "")).run())
    assert store.of(ANNA).open(saved.id).owner == team


def test_an_editor_who_may_not_rename_saves_nothing_under_another_name(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    document_id = save(store, ANNA)
    store.of(ANNA).share(document_id, "everyone", "editor")
    as_person(BEN, monkeypatch)
    at = open_page("workspaces")
    at.session_state["workspace"] = session.Opened(
        id=document_id, name="first", note="", version=1, can_write=True
    )
    at.session_state["views"] = VIEWS
    at.run()
    at.text_input[0].set_value("second")
    at = button(at, "Save").click().run()
    assert "You cannot rename this: it belongs to somebody else." in text(at.error)
    assert store.of(ANNA).open(document_id).version == 1


def test_the_page_shows_what_one_uses_of_what_one_may(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_person(ANNA, monkeypatch)
    save(store, ANNA)
    at = healthy(open_page("workspaces"))
    assert [bar.proto.text.replace("\\", "") for bar in at.get("progress")] == [
        f"{store.of(ANNA).stored_bytes():.0f} B of 500 MB stored, earlier versions and what "
        "was deleted within 30 days included",
        "0 of 60 training runs at once",
        "0 of 600 CPU minutes of training within a day",
    ]
    as_person(LOCAL, monkeypatch)
    at = healthy(open_page("workspaces"))
    assert "You run this server: nothing is limited." in text(at.caption)
