import os
from pathlib import Path

import pytest

from sesame.errors import CommandError
from sesame.settings import Settings, data_folder, secret_key

SECRET = "a secret of thirty-two characters"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    for variable in [name for name in os.environ if name.startswith("SESAME_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("SESAME_DATA_DIR", str(tmp_path / "data"))
    return monkeypatch


@pytest.mark.parametrize(
    ("given", "understood"),
    [
        ("postgresql://u:p@h:1/d", "postgresql+asyncpg://u:p@h:1/d"),
        ("postgres://u:p@h/d", "postgresql+asyncpg://u:p@h/d"),
        ("postgresql+asyncpg://h/d", "postgresql+asyncpg://h/d"),
        ("postgres://h/d?sslmode=require", "postgresql+asyncpg://h/d?ssl=require"),
        ("postgres://u:p%40ss@h/d", "postgresql+asyncpg://u:p%40ss@h/d"),
    ],
)
def test_plain_database_urls_are_understood(environment: pytest.MonkeyPatch, given: str, understood: str) -> None:
    environment.setenv("SESAME_DATABASE_URL", given)
    url = Settings.read().database_url
    assert url is not None
    assert url.get_secret_value() == understood


@pytest.mark.parametrize(
    ("given", "understood"),
    [("redis://:p@h:1/2", "redis://:p@h:1/2"), ("valkey://h", "redis://h"), ("valkeys://h", "rediss://h")],
)
def test_the_address_of_valkey_is_understood_as_that_of_redis(
    environment: pytest.MonkeyPatch, given: str, understood: str
) -> None:
    environment.setenv("SESAME_REDIS_URL", given)
    url = Settings.read().redis_url
    assert url is not None
    assert url.get_secret_value() == understood


def test_an_empty_variable_counts_as_unset(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SESAME_DATABASE_URL", "")
    assert Settings.read().database_url is None


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SESAME_DATABASE_URL", "mysql://h/d"),
        ("SESAME_DATABASE_URL", "nonsense"),
        ("SESAME_DATABASE_URL", "postgres://h"),
        ("SESAME_SMTP_URL", "mail.example.org"),
        ("SESAME_REDIS_URL", "http://h"),
        ("SESAME_REDIS_URL", "redis://"),
        ("SESAME_REDIS_URL", "redis://:p/ss:word@h"),
        ("SESAME_SMTP_URL", "smtp://ada:p/ss@h:25"),
        ("SESAME_SECRET_KEY", "short"),
        ("SESAME_PUBLIC_URL", "example.org"),
        ("SESAME_POOL_SIZE", "0"),
        ("SESAME_LOG_LEVEL", "loud"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(environment: pytest.MonkeyPatch, variable: str, value: str) -> None:
    environment.setenv(variable, value)
    with pytest.raises(CommandError) as refused:
        Settings.read()
    (line,) = refused.value.lines
    assert line.startswith(f"{variable}: ")
    assert "\n" not in line


def test_a_wrong_secret_is_not_repeated(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SESAME_SECRET_KEY", "hush")
    environment.setenv("SESAME_DATABASE_URL", "mysql://u:hush@h/d")
    environment.setenv("SESAME_REDIS_URL", "redis://:hush/hush:hush@h")
    environment.setenv("SESAME_SMTP_URL", "smtp://u:hush/hush@h")
    with pytest.raises(CommandError) as refused:
        Settings.read()
    assert "hush" not in str(refused.value)


def test_every_wrong_setting_is_told_at_once(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SESAME_SECRET_KEY", "short")
    environment.setenv("SESAME_POOL_SIZE", "many")
    with pytest.raises(CommandError) as refused:
        Settings.read()
    assert len(refused.value.lines) == 2


def test_listed_settings_hide_secrets_in_urls_too(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SESAME_DATABASE_URL", "postgres://user:hush1@h/d?password=hush2")
    environment.setenv("SESAME_SMTP_URL", "smtp://user:hush3@mail:25")
    environment.setenv("SESAME_SECRET_KEY", "hush4" * 10)
    listed = {variable: value for variable, value, _ in Settings.read().listed()}
    assert "user:***@h/d" in listed["SESAME_DATABASE_URL"]
    assert listed["SESAME_SMTP_URL"] == "smtp://user:***@mail:25"
    assert "hush" not in str(listed)


def test_secrets_are_known_as_they_are_and_as_a_url_writes_them(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SESAME_DATABASE_URL", "postgres://user:p%40ss@h/d?sslpassword=hush1")
    environment.setenv("SESAME_SMTP_URL", "smtp://user:hush2@mail:25")
    environment.setenv("SESAME_REDIS_URL", "redis://h")
    environment.setenv("SESAME_SECRET_KEY", SECRET)
    assert Settings.read().secrets() == {"p@ss", "p%40ss", "hush1", "hush2", SECRET}


def test_settings_do_not_show_secrets_when_printed(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SESAME_DATABASE_URL", "postgres://user:hush@h/d")
    assert "hush" not in repr(Settings.read())


def test_a_secret_key_is_made_once_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    first = secret_key(Settings.read())
    assert secret_key(Settings.read()) == first
    assert len(first) >= 32
    assert (tmp_path / "data/secret.key").stat().st_mode & 0o777 == 0o600


def test_a_given_secret_key_is_taken(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SESAME_SECRET_KEY", SECRET)
    assert secret_key(Settings.read()) == SECRET


def test_a_database_elsewhere_needs_a_given_secret_key(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SESAME_DATABASE_URL", "postgres://h/d")
    with pytest.raises(CommandError, match="SESAME_SECRET_KEY is needed"):
        secret_key(Settings.read())


def test_a_data_folder_that_cannot_be_made_is_told(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    environment.setenv("SESAME_DATA_DIR", str(tmp_path / "file/data"))
    with pytest.raises(CommandError, match="cannot be written"):
        data_folder(Settings.read())
