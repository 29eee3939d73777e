import re

import pytest
from tests.sesame.cli.test_cli import SECRET, Sesame, is_told_in_one_line, sesame  # noqa: F401 - a fixture

WHERE = ("--organisation", "theatre")
CREATE = ("keys", "create", *WHERE, "--contact", "TYD", "--point-of-sale", "TYD")
ID = re.compile(r"^[0-9a-f-]{36}")


class Keys:
    """``sesame keys`` on one database."""

    def __init__(self, sesame: Sesame, url: str) -> None:  # noqa: F811
        self._sesame = sesame
        self._url = url

    def run(self, *arguments: str) -> str:
        ended = self._sesame("keys", *arguments, database_url=self._url, secret_key=SECRET)
        assert (ended.code, ended.err) == (0, "")
        return ended.out

    def refused(self, *arguments: str) -> str:
        ended = self._sesame("keys", *arguments, database_url=self._url, secret_key=SECRET)
        assert is_told_in_one_line(ended)
        return ended.err

    def listed(self, *options: str) -> list[list[str]]:
        lines = self.run("list", *WHERE, *options).splitlines()
        return [re.split(r"  +", line) for line in lines[1:]]


@pytest.fixture
def keys(sesame: Sesame, loaded_url: str) -> Keys:  # noqa: F811
    return Keys(sesame, loaded_url)


def test_a_key_is_made_named_listed_and_revoked(keys: Keys) -> None:
    secret = keys.run(*CREATE[1:], "--name", "web shop").strip()
    assert secret.startswith("sesame.theatre.")
    ((key, contact, place, created, used, revoked, name),) = keys.listed()
    assert ID.match(key)
    assert (contact, place, used, revoked, name) == ("TYD", "TYD", "-", "-", "web shop")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d", created)
    assert keys.run("name", key, "mobile", *WHERE) == ""
    assert keys.run("revoke", key, *WHERE) == ""
    ((_, _, _, _, _, revoked, name),) = keys.listed()
    assert (name, revoked != "-") == ("mobile", True)
    assert secret not in keys.run("list", *WHERE)


def test_the_keys_of_one_contact_are_listed(keys: Keys) -> None:
    keys.run(*CREATE[1:])
    assert len(keys.listed("--contact", "TYD")) == 1
    assert keys.listed("--contact", "SECUTIX") == []


def test_what_is_not_there_is_told(keys: Keys) -> None:
    unknown = "00000000-0000-7000-8000-000000000000"
    assert unknown in keys.refused("revoke", unknown, *WHERE)
    assert unknown in keys.refused("name", unknown, "web", *WHERE)
    assert "nowhere" in keys.refused("list", "--organisation", "nowhere")


def test_a_key_is_revoked_once(keys: Keys) -> None:
    keys.run(*CREATE[1:])
    ((key, *_),) = keys.listed()
    keys.run("revoke", key, *WHERE)
    assert "already" in keys.refused("revoke", key, *WHERE)


@pytest.mark.parametrize(
    ("name", "why"), [("", "empty"), (" ", "empty"), ("x" * 101, "100"), ("two\nlines", "cannot be read")]
)
def test_a_name_that_cannot_be_one_is_refused(keys: Keys, name: str, why: str) -> None:
    assert why in keys.refused(*CREATE[1:], "--name", name)
    assert keys.listed() == []
