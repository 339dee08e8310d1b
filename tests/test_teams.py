"""Teams: what they own, what is shared with them, who comes in, and what each role may do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from isoflop.errors import AccessError, ConflictError, StoreError
from isoflop.people import LOCAL, VISITOR, Actor, Membership, Role, by_header, by_login
from isoflop.store import Documents, Store
from isoflop.store import documents as documents_module
from isoflop.store import teams as teams_module

EDITOR = frozenset({"viewer", "editor"})
ANNA, BEN, CARL, DORA, EVE = (
    Actor(id=f"browser:{name.lower()}", name=name, roles=EDITOR)
    for name in ("Anna", "Ben", "Carl", "Dora", "Eve")
)
LOOKER = Actor(id="browser:looker", name="Looker")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(f"sqlite:///{tmp_path / 'store.sqlite3'}")
    yield opened
    opened.close()


@pytest.fixture
def team(store: Store) -> str:
    """Anna's; Ben edits there, and Carl looks. Dora and Eve do not belong to it."""
    founded = store.teams_of(ANNA).found("Vision").team
    join(store, founded, BEN, "editor")
    join(store, founded, CARL, "viewer")
    return founded


def join(store: Store, team: str, person: Actor, role: Role) -> None:
    store.teams_of(person).join(store.teams_of(ANNA).invite(team, role).code)


def content(store: Store) -> dict[str, list[tuple[object, ...]]]:
    """Return every row of the database."""

    def ask(connection: sa.Connection) -> dict[str, list[tuple[object, ...]]]:
        names = sorted(sa.inspect(connection).get_table_names())
        return {
            name: [tuple(r) for r in connection.execute(sa.text(f'SELECT * FROM "{name}"'))]
            for name in names
        }

    return store._database.run("No.", ask)


# --- What a team owns, and what is shared with it -------------------------------------------------


def test_what_a_team_owns_its_members_see_and_its_editors_change(store: Store, team: str) -> None:
    saved = store.of(BEN).put("scenario", "a", {"x": 1}, owner=team)
    assert (saved.owner, saved.owner_name, saved.author_name) == (team, "Vision", "Ben")
    for person, can_write in ((ANNA, True), (BEN, True), (CARL, False)):
        theirs = store.of(person)
        assert [one.id for one in theirs.find("scenario")] == [saved.id]
        assert theirs.open(saved.id).can_write is can_write
        assert theirs.name(saved) == "a (Vision)"
    for person in (DORA, LOCAL, VISITOR):
        assert len(store.of(person).find("scenario")) == 0
        with pytest.raises(AccessError, match="There is no such document"):
            store.of(person).open(saved.id)
    assert store.of(ANNA).change(saved.id, {"x": 2}).author_name == "Anna"
    assert store.of(BEN).rename(saved.id, "b").key == "b"
    # The team has one of that name, and so may each of its members.
    assert store.of(BEN).put("scenario", "b", {"x": 3}).owner == BEN.id
    assert store.of(ANNA).put("scenario", "b", {"x": 3}, owner=team).version == 3


Write = Callable[[Documents, str, str], object]
WRITES: dict[str, Write] = {
    "change": lambda mine, id, team: mine.change(id, {"x": 2}),
    "delete": lambda mine, id, team: mine.delete(id),
    "restore": lambda mine, id, team: mine.restore(id, 1),
    "rename": lambda mine, id, team: mine.rename(id, "b"),
    "share": lambda mine, id, team: mine.share(id, "everyone", "editor"),
    "give": lambda mine, id, team: mine.give(id, mine.actor.id),
    "undelete": lambda mine, id, team: mine.undelete(id),
    "put": lambda mine, id, team: mine.put("scenario", "a", {"x": 2}, owner=team),
    "put new": lambda mine, id, team: mine.put("scenario", "new", {"x": 2}, owner=team),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize("how", ["owned", "shared"])
def test_a_viewer_of_a_team_and_who_does_not_belong_to_it_write_nothing(
    store: Store, team: str, write: Write, how: str
) -> None:
    mine = store.of(ANNA)
    mine.put("scenario", "a", {"x": 0}, owner=team)
    saved = mine.put("scenario", "a", {"x": 1}, owner=team)
    if how == "shared":
        saved = mine.put("scenario", "mine", {"x": 1})
        mine.change(saved.id, {"x": 2})
        mine.share(saved.id, "team", "editor", team=team)
    for other in (DORA, LOOKER, VISITOR, LOCAL):
        store.of(other).find("scenario")
    before = content(store)
    for other in (CARL, DORA, LOOKER, VISITOR, LOCAL):
        with pytest.raises(AccessError):
            write(store.of(other), saved.id, team)
    assert content(store) == before


def test_what_is_shared_with_a_team_is_seen_by_it_alone(store: Store, team: str) -> None:
    mine = store.of(ANNA)
    saved = mine.put("workspace", "a", {"x": 1})
    assert len(store.of(BEN).find("workspace")) == 0
    shared = mine.share(saved.id, "team", team=team)
    assert (shared.visibility, shared.role, shared.team) == ("team", "viewer", team)
    for person in (BEN, CARL):
        assert not store.of(person).open(saved.id).can_write
    assert len(store.of(DORA).find("workspace")) == 0
    mine.share(saved.id, "team", "editor", team=team)
    assert store.of(BEN).change(saved.id, {"x": 2}, expected=1).version == 2
    assert not store.of(CARL).open(saved.id).can_write
    with pytest.raises(AccessError, match="belongs to somebody else"):
        store.of(BEN).share(saved.id, "everyone")
    assert mine.share(saved.id, "private").team == ""
    assert len(store.of(BEN).find("workspace")) == 0


def test_one_shares_with_ones_own_teams_and_gives_to_them(store: Store, team: str) -> None:
    theirs = store.of(DORA)
    saved = theirs.put("scenario", "a", {"x": 1})
    with pytest.raises(AccessError, match="a team that you do not belong to"):
        theirs.share(saved.id, "team", team=team)
    with pytest.raises(AccessError, match="you do not edit what is the team's"):
        theirs.give(saved.id, team)
    given = store.of(BEN).put("scenario", "a", {"x": 1})
    store.of(BEN).share(given.id, "everyone", "editor")
    given = store.of(BEN).give(given.id, team)
    assert (given.owner, given.visibility, given.role) == (team, "private", "viewer")
    assert store.of(ANNA).give(given.id, ANNA.id).owner == ANNA.id  # and may be taken back
    with pytest.raises(AccessError, match="There is no such document"):
        store.of(BEN).open(given.id)
    with pytest.raises(AccessError, match="you do not edit what is the team's"):
        store.of(ANNA).give(given.id, BEN.id)  # nobody is given what they did not ask for


def test_the_second_of_two_writers_of_a_team_is_told(store: Store, team: str) -> None:
    saved = store.of(ANNA).put("scenario", "a", {"x": 0}, owner=team)
    store.of(BEN).change(saved.id, {"x": 1}, expected=saved.version)
    with pytest.raises(ConflictError, match="Ben saved 'a' after you opened it"):
        store.of(ANNA).change(saved.id, {"x": 2}, expected=saved.version)
    with pytest.raises(ConflictError, match="You saw none of this name; version 2"):
        store.of(ANNA).put("scenario", "a", {"x": 2}, owner=team, expected=0)


def test_what_a_team_deleted_its_editors_take_back(store: Store, team: str) -> None:
    saved = store.of(ANNA).put("scenario", "a", {"x": 0}, owner=team)
    store.of(BEN).delete(saved.id)
    assert [one.id for one in store.of(ANNA).find("scenario", deleted=True)] == [saved.id]
    assert len(store.of(CARL).find("scenario", deleted=True)) == 0
    assert store.of(BEN).undelete(saved.id).body == {"x": 0}


def test_a_team_has_the_room_of_a_person(
    store: Store, team: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISOFLOP_MAX_STORED_MB", "0.001")
    store.of(BEN).put("scenario", "a", {"x": "y" * 700}, owner=team)
    own = store.of(BEN).put("scenario", "a", {"x": "y" * 700})
    assert store.of(BEN).room().share == pytest.approx(0.709)
    assert store.of(CARL).room(team).used_bytes["documents"] == 709
    for save in (
        lambda: store.of(ANNA).put("scenario", "b", {"x": "y" * 700}, owner=team),
        lambda: store.of(BEN).rename(own.id, "b") and store.of(BEN).give(own.id, team),
    ):
        with pytest.raises(StoreError, match="no room for this: a person or a team"):
            save()
    with pytest.raises(AccessError):
        store.of(DORA).room(team)


# --- Who belongs to a team ------------------------------------------------------------------------


def test_a_link_lets_others_in_by_the_role_that_it_names(store: Store, team: str) -> None:
    asked = store.teams_of(ANNA).invite(team, "viewer")
    seen = store.teams_of(DORA).look_at(asked.code)
    assert (seen.name, seen.role, seen.author_name) == ("Vision", "viewer", "Anna")
    assert store.teams_of(DORA).mine() == ()  # to look joins nothing
    assert store.teams_of(DORA).join(asked.code) == Membership(
        team=team, name="Vision", role="viewer"
    )
    assert [(one.name, one.role) for one in store.teams_of(DORA).members(team)] == [
        ("Anna", "owner"), ("Ben", "editor"), ("Carl", "viewer"), ("Dora", "viewer"),
    ]  # fmt: skip
    assert store.teams_of(BEN).join(asked.code).role == "editor"  # nobody loses by a link
    better = store.teams_of(ANNA).invite(team, "editor")
    assert store.teams_of(DORA).join(better.code).role == "editor"
    assert store.of(DORA).person().owns == (DORA.id, team)


def test_a_link_that_ended_was_renewed_or_taken_back_leads_nowhere(
    store: Store, team: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    teams = store.teams_of(ANNA)
    first = teams.invite(team, "editor")
    second = teams.invite(team, "editor")
    viewers = teams.invite(team, "viewer")
    assert {one.code for one in teams.invitations(team)} == {second.code, viewers.code}
    teams.withdraw(team, "viewer")
    monkeypatch.setattr(teams_module, "INVITED_FOR", timedelta(seconds=-1))
    for code in (first.code, viewers.code, "", "' OR 1=1 --"):
        with pytest.raises(AccessError, match="This invitation leads nowhere"):
            store.teams_of(DORA).join(code)
    with pytest.raises(AccessError, match="leads nowhere, or no more"):
        teams.invite(team, "editor")  # for no time at all
    assert store.teams_of(DORA).mine() == ()


OWNERS: dict[str, Callable[[teams_module.Teams, str], object]] = {
    "rename": lambda teams, team: teams.rename(team, "Ours"),
    "set_role": lambda teams, team: teams.set_role(team, teams.actor.id, "owner"),
    "remove": lambda teams, team: teams.remove(team, ANNA.id),
    "delete": lambda teams, team: teams.delete(team),
    "undelete": lambda teams, team: teams.undelete(team),
    "invite": lambda teams, team: teams.invite(team, "owner"),
    "invitations": lambda teams, team: teams.invitations(team),
    "withdraw": lambda teams, team: teams.withdraw(team, "editor"),
}


@pytest.mark.parametrize("act", OWNERS.values(), ids=OWNERS)
def test_only_its_owners_say_who_belongs_to_a_team(
    store: Store, team: str, act: Callable[[teams_module.Teams, str], object]
) -> None:
    before = content(store)
    for person in (BEN, CARL, DORA, LOOKER, VISITOR, LOCAL):
        with pytest.raises(AccessError):
            act(store.teams_of(person), team)
    for person in (DORA, VISITOR):
        with pytest.raises(AccessError, match="There is no such team"):
            store.teams_of(person).members(team)
    assert content(store) == before


def test_whoever_may_only_look_here_founds_and_joins_nothing(store: Store, team: str) -> None:
    code = store.teams_of(ANNA).invite(team, "editor").code
    before = content(store)
    for person in (LOOKER, VISITOR):
        for act in (lambda teams: teams.found("Ours"), lambda teams: teams.join(code)):
            with pytest.raises(AccessError):
                act(store.teams_of(person))
    assert content(store) == before


def test_a_member_that_is_taken_out_sees_nothing_from_then_on(store: Store, team: str) -> None:
    theirs = store.of(BEN)
    saved = theirs.put("scenario", "a", {"x": 1}, owner=team)
    store.teams_of(ANNA).set_role(team, BEN.id, "viewer")
    with pytest.raises(AccessError, match="shared with you to look at"):
        theirs.change(saved.id, {"x": 2})
    store.teams_of(ANNA).remove(team, BEN.id)
    with pytest.raises(AccessError, match="There is no such document"):
        theirs.open(saved.id)
    assert store.of(ANNA).open(saved.id).body == {"x": 1}  # what was the team's stays there


def test_somebody_owns_a_team_at_all_times(store: Store, team: str) -> None:
    teams = store.teams_of(ANNA)
    for leave in (
        lambda: teams.remove(team, ANNA.id),
        lambda: teams.set_role(team, ANNA.id, "editor"),
    ):
        with pytest.raises(StoreError, match="Nobody would own the team any more"):
            leave()
    teams.set_role(team, BEN.id, "owner")
    teams.remove(team, ANNA.id)
    assert store.teams_of(ANNA).mine() == ()
    assert store.teams_of(CARL).remove(team, CARL.id) is None  # whoever looks may leave


def test_a_deleted_team_is_nobodys_until_it_is_taken_back(
    store: Store, team: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = store.of(BEN).put("scenario", "a", {"x": 1}, owner=team)
    code = store.teams_of(ANNA).invite(team, "editor").code
    store.teams_of(ANNA).delete(team)
    assert len(store.of(BEN).find("scenario")) == 0
    with pytest.raises(AccessError):
        store.of(BEN).change(saved.id, {"x": 2})
    with pytest.raises(AccessError, match="leads nowhere"):
        store.teams_of(DORA).join(code)
    assert store.teams_of(BEN).deleted() == ()
    assert [one.name for one in store.teams_of(ANNA).deleted()] == ["Vision"]
    store.teams_of(ANNA).undelete(team)
    assert store.of(CARL).open(saved.id).body == {"x": 1}
    store.teams_of(ANNA).delete(team)
    monkeypatch.setattr(documents_module, "KEEP_DELETED", timedelta(0))
    Store(store.location).close()
    found = content(store)
    assert [found[name] for name in ("teams", "members", "invitations", "documents")] == [[]] * 4


def test_a_person_owns_so_many_teams(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOFLOP_MAX_TEAMS", "2")
    for name in ("One", "Two"):
        store.teams_of(ANNA).found(name)
    with pytest.raises(StoreError, match="A person may own 2 teams here"):
        store.teams_of(ANNA).found("Three")
    for name in ("", "x" * 41, "a\u202eb"):
        with pytest.raises(StoreError, match="no name that others can read"):
            store.teams_of(BEN).found(name)
    assert [one.name for one in store.teams_of(ANNA).mine()] == ["One", "Two"]


def test_a_full_team_takes_nobody_in(
    store: Store, team: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(teams_module, "MAX_MEMBERS", 3)
    with pytest.raises(StoreError, match="The team has 3 members, as many as it may"):
        join(store, team, DORA, "viewer")


def test_of_several_owners_who_leave_at_once_one_stays(postgres_url: str) -> None:
    import threading

    store = Store(postgres_url)
    team = store.teams_of(ANNA).found("Vision").team
    owners = [ANNA, BEN, CARL, DORA]
    for person in owners[1:]:
        join(store, team, person, "owner")
    said: list[str] = []

    def leave(person: Actor) -> None:
        try:
            store.teams_of(person).remove(team, person.id)
            said.append("left")
        except StoreError:
            said.append("stays")

    threads = [threading.Thread(target=leave, args=(person,)) for person in owners]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == ["left", "left", "left", "stays"]
    with store._database._engine.begin() as connection:
        for name in sa.inspect(connection).get_table_names():
            connection.execute(sa.text(f'DROP TABLE "{name}"'))
    store.close()


# --- Teams that a login or a proxy names ----------------------------------------------------------

PROXY = "0123456789abcdef0123456789abcdef"


def named(name: str, groups: str) -> Actor:
    headers = {"X-Forwarded-User": name, "X-Groups": groups, "X-Isoflop-Proxy-Secret": PROXY}
    found = by_header(headers, None)
    assert found is not None
    return found


def test_a_proxys_groups_are_teams_once_a_header_is_named(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISOFLOP_PROXY_SECRET", PROXY)
    assert named("anna", "vision").teams == ()  # a proxy that strips no such header gives nothing
    monkeypatch.setenv("ISOFLOP_TEAMS_HEADER", "X-Groups")
    anna, carl = named("anna", "vision, , speech"), named("carl", "vision:viewer,text:viewer,text")
    assert [(one.name, one.role) for one in anna.teams] == [
        ("speech", "editor"), ("vision", "editor"),
    ]  # fmt: skip
    assert [(one.name, one.role) for one in carl.teams] == [
        ("text", "editor"), ("vision", "viewer"),
    ]  # fmt: skip
    saved = store.of(anna).put("scenario", "a", {"x": 1}, owner="group:vision")
    assert saved.owner_name == "vision"
    assert not store.of(carl).open(saved.id).can_write
    with pytest.raises(AccessError, match="you do not edit what is the team's"):
        store.of(carl).put("scenario", "b", {}, owner="group:vision")
    with pytest.raises(AccessError):
        store.of(named("eve", "speech")).open(saved.id)
    with pytest.raises(AccessError):  # whoever is no longer named is out
        store.of(named("anna", "speech")).open(saved.id)


@pytest.mark.parametrize(
    ("claim", "teams"),
    [
        (["vision", "speech:viewer"], ["speech", "vision"]),
        ("vision", ["vision"]),
        (None, []),
        ({"vision": True}, []),
        ([7, "", "a\nb", "x" * 200], ["7"]),
        ([f"{n:03}" for n in range(90)], [f"{n:03}" for n in range(50)]),
    ],
)
def test_a_logins_groups_are_teams(claim: object, teams: list[str]) -> None:
    found = by_login({"iss": "i", "sub": "1", "groups": claim})
    assert [one.name for one in found.teams] == teams


def test_a_founded_team_is_none_that_a_proxy_names(store: Store, team: str) -> None:
    saved = store.of(ANNA).put("scenario", "a", {"x": 1}, owner=team)
    for name in (team, team.removeprefix("team:"), "Vision"):
        guessed = replace(by_login({"iss": "i", "sub": "1", "groups": [name]}))
        with pytest.raises(AccessError):
            store.of(guessed).open(saved.id)
