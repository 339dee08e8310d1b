"""Who asks, found by each of the ways that the settings offer, and whom nobody is taken for."""

from __future__ import annotations

from pathlib import Path

import pytest

from isoflop import people
from isoflop.errors import AccessError, SettingError
from isoflop.people import LOCAL, SECRET_HEADER, VISITOR, by_cookie, by_header, by_login, of_request

SECRET = "a secret of this test"
PROXY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def cookies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOFLOP_IDENTITY", "cookie")


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOFLOP_IDENTITY", "header")
    monkeypatch.setenv("ISOFLOP_PROXY_SECRET", PROXY)


def test_a_cookie_is_the_same_person_at_every_visit_and_each_browser_another() -> None:
    name = people.cookie_name(SECRET)
    first, second = people.new_cookie(SECRET), people.new_cookie(SECRET)
    found = by_cookie({name: first}, SECRET)
    assert found is not None
    assert found == by_cookie({name: first}, SECRET) != by_cookie({name: second}, SECRET)
    assert found.can_write
    assert not found.is_owner


@pytest.mark.parametrize("change", ["person", "signature", "secret", "none"])
def test_a_cookie_that_we_did_not_sign_is_nobody(change: str) -> None:
    person, _, signature = people.new_cookie(SECRET).partition(".")
    value = {
        "person": f"x{person[1:] if person[0] != 'x' else 'y' + person[1:]}.{signature}",
        "signature": f"{person}.{'0' * 64}",
        "secret": people.new_cookie("another"),
        "none": person,
    }[change]
    assert by_cookie({people.cookie_name(SECRET): value}, SECRET) is None


def test_a_cookie_with_letters_beyond_ascii_is_nobody() -> None:
    assert by_cookie({people.cookie_name(SECRET): "é.é"}, SECRET) is None


@pytest.mark.usefixtures("cookies")
def test_whoever_sends_no_cookie_may_look_and_not_write() -> None:
    assert of_request({}, {}, secret=SECRET) is VISITOR
    with pytest.raises(AccessError, match="does not know who you are"):
        VISITOR.require_writing("save a scenario")


@pytest.mark.usefixtures("proxy")
def test_a_proxys_header_counts_only_with_its_secret() -> None:
    named = {"X-Forwarded-User": "anna@example.org"}
    assert by_header(named, "10.0.0.1") is None
    assert by_header({**named, SECRET_HEADER: PROXY[:-1]}, "10.0.0.1") is None
    found = by_header({**named, SECRET_HEADER: PROXY}, "10.0.0.1")
    assert found is not None
    assert (found.id, found.name) == ("proxy:anna@example.org", "anna@example.org")
    assert of_request({SECRET_HEADER: PROXY}, {}) is VISITOR


def test_a_proxys_header_counts_only_from_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOFLOP_TRUSTED_PROXIES", "10.0.0.2, 192.168.7.0/24, fd00::/8")
    named = {"X-Forwarded-User": "anna"}
    assert [
        by_header(named, peer) is not None
        for peer in ("10.0.0.2", "192.168.7.9", "fd00::1", "10.0.0.3", None, "nonsense")
    ] == [True, True, True, False, False, False]


@pytest.mark.parametrize(
    ("secret", "proxies", "said"),
    [
        ("", "", "anyone could send such a header"),
        ("short", "", "5 characters, which can be guessed"),
        ("", "my proxy", "holds what is no address"),
    ],
)
def test_a_header_that_nothing_vouches_for_is_refused(
    secret: str, proxies: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISOFLOP_PROXY_SECRET", secret)
    monkeypatch.setenv("ISOFLOP_TRUSTED_PROXIES", proxies)
    with pytest.raises(SettingError, match=said):
        by_header({"X-Forwarded-User": "anna"}, "10.0.0.2")


@pytest.mark.usefixtures("proxy")
@pytest.mark.parametrize("named", ["", "  ", "a\nb", "x" * 121])
def test_a_name_that_names_nobody_is_nobody(named: str) -> None:
    assert by_header({"X-Forwarded-User": named, SECRET_HEADER: PROXY}, None) is None


def test_a_login_is_known_by_issuer_and_subject_and_not_by_its_name() -> None:
    claims = {"iss": "https://id.example.org", "sub": "7", "name": "Anna", "email": "a@example.org"}
    assert by_login(claims).id == by_login({**claims, "name": "Bea", "email": "b@example.org"}).id
    assert by_login(claims).id != by_login({**claims, "iss": "https://other.example.org"}).id


def test_roles_come_from_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOFLOP_EDITORS", "anna@example.org, proxy:bob")
    monkeypatch.setenv("ISOFLOP_OWNERS", "Root@Example.org")
    monkeypatch.setenv("ISOFLOP_PROXY_SECRET", PROXY)

    def named(name: str) -> people.Actor:
        found = by_header({"X-Forwarded-User": name, SECRET_HEADER: PROXY}, None)
        assert found is not None
        return found

    assert named("Anna@example.org").can_write
    assert named("bob").can_write
    assert named("root@example.org").is_owner
    assert not named("carl").can_write
    with pytest.raises(AccessError, match="you are a viewer here"):
        named("carl").require_writing("train")
    unverified = {"iss": "i", "sub": "1", "email": "anna@example.org", "email_verified": False}
    assert not by_login(unverified).can_write
    assert by_login({**unverified, "email_verified": True}).can_write


@pytest.mark.usefixtures("proxy")
def test_nobody_becomes_the_person_of_this_machine_by_its_name() -> None:
    found = by_header({"X-Forwarded-User": "local", SECRET_HEADER: PROXY}, None)
    assert found is not None
    assert found.id != LOCAL.id
    assert not found.is_owner


def test_a_read_only_server_lets_nobody_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOFLOP_READ_ONLY", "1")
    with pytest.raises(AccessError, match="read-only: you cannot save"):
        LOCAL.require_writing("save")


def test_the_secret_is_made_once_and_kept_from_others(tmp_path: Path) -> None:
    people.cookie_secret.cache_clear()
    made = people.cookie_secret(tmp_path)
    people.cookie_secret.cache_clear()
    assert people.cookie_secret(tmp_path) == made
    assert (tmp_path / people.SECRET_FILE).stat().st_mode & 0o077 == 0
    assert len(list(tmp_path.iterdir())) == 1


def test_a_secret_that_is_set_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(people.SECRET_VARIABLE, SECRET)
    people.cookie_secret.cache_clear()
    assert people.cookie_secret(tmp_path) == SECRET
    people.cookie_secret.cache_clear()


def test_a_setting_that_has_no_such_value_says_which_it_may_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ISOFLOP_IDENTITY", "cookies")
    with pytest.raises(SettingError, match="'cookies', which it cannot be") as caught:
        of_request({}, {}, secret=SECRET)
    assert caught.value.hint == "Set it to cookie or header or local, or leave it out."
