"""Settings from the environment: typed, read once in each process, never changed."""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from sesame.errors import CommandError
from sesame.privacy import make_private

_PREFIX = "SESAME_"
_SECRET_LENGTH = 32


def _asyncpg_url(secret: SecretStr) -> SecretStr:
    """The URL that hosting providers hand out, in the form that this program's driver takes."""
    try:
        url = make_url(secret.get_secret_value())
    except (ArgumentError, ValueError):
        raise ValueError("is not a URL; expected postgresql://USER:PASSWORD@HOST:PORT/DATABASE") from None
    if url.drivername not in ("postgres", "postgresql", "postgresql+asyncpg"):
        raise ValueError(f"names a database other than PostgreSQL ({url.drivername}); expected postgresql://…")
    if not url.database:
        raise ValueError("names no database; expected postgresql://USER:PASSWORD@HOST:PORT/DATABASE")
    return SecretStr(_with_driver(url).render_as_string(hide_password=False))


def _with_driver(url: URL) -> URL:
    options = dict(url.query)
    if "sslmode" in options:  # libpq's name for what asyncpg calls ssl
        options["ssl"] = options.pop("sslmode")
    return url.set(drivername="postgresql+asyncpg", query=options)


def _smtp_url(secret: SecretStr) -> SecretStr:
    parts = _parts(secret)
    if parts is None or parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise ValueError("is not a mail server; expected smtp://USER:PASSWORD@HOST:PORT or smtps://…")
    return secret


def _redis_url(secret: SecretStr) -> SecretStr:
    parts = _parts(secret)
    schemes = {"valkey": "redis", "valkeys": "rediss", "redis": "redis", "rediss": "rediss", "unix": "unix"}
    if parts is None or parts.scheme not in schemes or not (parts.hostname or (parts.scheme == "unix" and parts.path)):
        raise ValueError("is not a Redis or Valkey server; expected redis://:PASSWORD@HOST:PORT or rediss://…")
    return SecretStr(parts._replace(scheme=schemes[parts.scheme]).geturl())


def _parts(secret: SecretStr) -> SplitResult | None:
    """None where it cannot be read as a URL, as with a password whose @, : or / is not encoded."""
    try:
        parts = urlsplit(secret.get_secret_value())
        _ = parts.port
    except ValueError:
        return None
    return parts


def _web_address(address: str) -> str:
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("is not a web address; expected https://HOST")
    return address.rstrip("/")


def _long_enough(secret: SecretStr) -> SecretStr:
    if len(secret.get_secret_value()) < _SECRET_LENGTH:
        raise ValueError(f"is shorter than {_SECRET_LENGTH} characters; make one with: openssl rand -base64 32")
    return secret


def _absolute(folder: Path) -> Path:
    return folder.expanduser().resolve()


class Settings(BaseSettings):
    """Each field is the environment variable of its name in capitals, after ``SESAME_``."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, env_ignore_empty=True, frozen=True, hide_input_in_errors=True, validate_default=True
    )

    database_url: Annotated[SecretStr, AfterValidator(_asyncpg_url)] | None = Field(
        default=None, description="PostgreSQL to use; unset: an embedded one inside the data folder"
    )
    redis_url: Annotated[SecretStr, AfterValidator(_redis_url)] | None = Field(
        default=None, description="Redis or Valkey that tells processes what changed; unset: PostgreSQL does"
    )
    data_dir: Annotated[Path, AfterValidator(_absolute)] = Field(
        default=Path(".sesame"), description="the data folder: embedded PostgreSQL, secret key, outbox"
    )
    smtp_url: Annotated[SecretStr, AfterValidator(_smtp_url)] | None = Field(
        default=None, description="mail server; unset: mails are written to the data folder's outbox"
    )
    secret_key: Annotated[SecretStr, AfterValidator(_long_enough)] | None = Field(
        default=None, description="signs tokens and links; unset with the embedded PostgreSQL: made and kept there"
    )
    public_url: Annotated[str, AfterValidator(_web_address)] = Field(
        default="http://127.0.0.1:8000", description="where clients reach this server; starts the links in mails"
    )
    pool_size: int = Field(default=10, ge=1, le=1000, description="database connections of each server process")
    catalogue_parts: int = Field(
        default=250_000,
        ge=1,
        description="offers, products, performances and rate tables that a process keeps of all organisations together",
    )
    queue_seconds: int = Field(
        default=300, ge=1, description="/ready says degraded once a job of the queue has been due for longer"
    )
    queries_at_once: int | None = Field(
        default=None,
        ge=1,
        description="queries that a server process executes at once; unset: SESAME_POOL_SIZE",
    )
    mutations_at_once: int | None = Field(
        default=None, ge=1, description="mutations that it executes at once; unset: 3 times SESAME_POOL_SIZE"
    )
    operations_waiting: int = Field(
        default=30, ge=0, description="queries, and mutations, that wait for a place; what comes beyond is refused"
    )
    waiting_milliseconds: int = Field(
        default=60, ge=1, le=10_000, description="how long they wait at the most before they are refused"
    )
    subscriptions: int = Field(default=20_000, ge=1, description="subscriptions of a server process in all")
    http_connections: int = Field(default=2_000, ge=10, description="HTTP connections of a server process")
    websockets: int = Field(
        default=12_000, ge=10, description="WebSockets and event streams of a server process, beside those"
    )
    connections_per_address: int = Field(
        default=1_000,
        ge=1,
        description="of each of these two kinds, from one client's address; any number from FORWARDED_ALLOW_IPS",
    )
    anonymous_websockets: int = Field(
        default=500, ge=1, description="WebSockets of a server process that have not shown good credentials"
    )
    keep_alive_seconds: float = Field(
        default=65, gt=0, le=3600, description="how long an HTTP connection may be idle: longer than a proxy keeps it"
    )
    drain_pause_seconds: float = Field(
        default=1, ge=0, le=300, description="on SIGTERM, between /ready saying 503 and the last connection taken"
    )
    drain_seconds: float = Field(
        default=20, gt=0, le=600, description="on SIGTERM, until the end in all, whoever still waits for an answer"
    )
    client_baskets: int = Field(
        default=100,
        ge=1,
        description="baskets that a customer (a contact, or a network address) may have open at a shop",
    )
    client_tickets: int = Field(default=400, ge=1, description="tickets in all of these baskets together")
    shop_baskets: int = Field(
        default=10_000, ge=1, description="baskets that all customers of a shop, or of a partner, may have open at once"
    )
    shop_tickets: int = Field(default=40_000, ge=1, description="tickets in all of these baskets together")
    executor: Literal["plan", "graphql-core"] = Field(
        default="plan", description="what executes documents: a plan kept for each, or graphql-core step by step"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="least severe log lines that are written"
    )

    @classmethod
    def read(cls) -> Self:
        """Raises CommandError with one line for each variable that is wrong."""
        try:
            return cls()
        except ValidationError as error:
            raise CommandError(
                *(
                    f"{_PREFIX}{str(problem['loc'][0]).upper()}: {problem['msg'].removeprefix('Value error, ')}."
                    for problem in error.errors()
                )
            ) from None

    @property
    def outbox(self) -> Path:
        """Where mails are written while no mail server is set."""
        return self.data_dir / "outbox"

    def secrets(self) -> frozenset[str]:
        """What no log may hold: keys and passwords, as they are and as a URL writes them."""
        values = (getattr(self, name) for name in type(self).model_fields)
        secrets = [value.get_secret_value() for value in values if isinstance(value, SecretStr)]
        return frozenset(each for secret in secrets for each in _secrets_in(secret))

    def listed(self) -> Iterator[tuple[str, str, str]]:
        """Each setting's variable, value and meaning, with secrets hidden, in URLs too."""
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            yield f"{_PREFIX}{name.upper()}", _readable(value), field.description or ""


def _readable(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, SecretStr):
        return str(value)
    secret = value.get_secret_value()
    return shown(secret) if "://" in secret else "***"


def _secrets_in(secret: str) -> Iterator[str]:
    if "://" not in secret:
        yield secret
        return
    parts = urlsplit(secret)
    in_query = [value for name, value in parse_qsl(parts.query) if "password" in name]
    for password in (parts.password, *in_query):
        if password:
            yield from (password, unquote(password))


def shown(url: str) -> str:
    """The URL without its password."""
    parts = make_url(url)
    hidden = {name: "hidden" for name in parts.query if "password" in name}
    return parts.update_query_dict(hidden).render_as_string(hide_password=True)


def data_folder(settings: Settings) -> Path:
    """The data folder, made where it is missing, and its owner's alone. Raises CommandError where that cannot be."""
    folder = settings.data_dir
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        reason = None if os.access(folder, os.W_OK | os.X_OK) else "Permission denied"
    except OSError as error:
        reason = error.strerror
    if reason:
        raise CommandError(
            f"The data folder {folder} cannot be written ({reason}): name another one with {_PREFIX}DATA_DIR."
        )
    make_private(folder)
    return folder


def secret_key(settings: Settings) -> str:
    """The key that signs tokens and links.

    Made and kept in the data folder, readable by its owner alone, where it is unset and the database is embedded. A
    database elsewhere is shared with other machines, which must all sign alike: raises CommandError.
    """
    if settings.secret_key is not None:
        return settings.secret_key.get_secret_value()
    if settings.database_url is not None:
        raise CommandError(
            f"{_PREFIX}SECRET_KEY is needed beside {_PREFIX}DATABASE_URL: set it to the same value for every process, "
            "for instance the output of: openssl rand -base64 32"
        )
    return kept_secret(data_folder(settings) / "secret.key")


def kept_secret(path: Path) -> str:
    """The secret in the file, made at first; of several processes that make it at once, one wins and all agree."""
    if not path.exists():
        fresh = path.with_name(f"{path.name}.{os.getpid()}")
        fresh.touch(mode=0o600, exist_ok=False)
        fresh.write_text(secrets.token_urlsafe(_SECRET_LENGTH), encoding="ascii")
        try:
            os.link(fresh, path)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_text(encoding="ascii")
