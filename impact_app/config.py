"""The environment, read once into one frozen `Config`, with every fault found at the same time."""

from __future__ import annotations

import os
import re
import secrets
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, unquote, urlsplit

from redis.connection import parse_url
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

#: Shopify's Admin API version for requests and webhooks alike; `shopify.app.toml` states the same one.
SHOPIFY_API_VERSION = "2026-10"

#: A unix socket's path may have at most this many bytes on Linux (108 with its end mark; macOS takes 104).
_SOCKET_PATH_LIMIT = 100


class ConfigError(Exception):
    """The environment cannot be used; `faults` holds one sentence for each thing to mend."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


@dataclass(frozen=True)
class ShopifyConfig:
    """The merchant's own app as registered with Shopify: credentials and where the Admin API lives."""

    api_key: str
    api_secret: str
    api_secret_previous: str | None
    admin_url: str

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets a signature may have been made with, the current one first."""
        return tuple(secret for secret in (self.api_secret, self.api_secret_previous) if secret)

    def admin_base(self, shop: str) -> str:
        """Where `shop`'s Admin API answers, without a slash at the end."""
        return self.admin_url.replace("{shop}", shop).rstrip("/")


@dataclass(frozen=True)
class SaleorConfig:
    """Which Saleors may install the app, and the secrets of webhooks that were made by hand.

    hosts        names such as `shop.example.com` or `*.saleor.cloud`: https, public addresses only
    origins      whole origins such as `http://127.0.0.1:8000`, taken as they are, private addresses too
    dashboards   origins of dashboards that stand elsewhere than the API they belong to
    """

    hosts: tuple[str, ...]
    origins: tuple[str, ...]
    webhook_secret: str | None
    webhook_secret_previous: str | None
    dashboards: tuple[str, ...] = ()

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets a signature of the older form may have been made with, the current one first."""
        return tuple(secret for secret in (self.webhook_secret, self.webhook_secret_previous) if secret)


@dataclass(frozen=True)
class MailConfig:
    """The mail server that alerts leave by, and whom they come from.

    security  "none", "starttls" (in the clear at first, then TLS), or "tls" (from the first byte)
    user      "": the server asks for none
    """

    host: str
    port: int
    security: Literal["none", "starttls", "tls"]
    user: str
    password: str = field(repr=False)
    sender: str


@dataclass(frozen=True)
class Config:
    """Everything the processes take from outside; what is not here is in the database."""

    secret_keys: tuple[str, ...]
    app_url: str
    port: int
    database_url: str
    redis_url: str
    redis_embedded: bool
    instance_path: Path
    shopify: ShopifyConfig | None
    saleor: SaleorConfig
    impact_api_url: str
    # None: no mail is sent
    mail: MailConfig | None
    # origins such as http://127.0.0.1:9000 that alerts may be posted to, private addresses too
    webhook_origins: tuple[str, ...]
    admin_password: str
    # the password was made just now, so that somebody must be told it
    admin_password_is_new: bool


_Report = Callable[[str], None]


class _Environment:
    """Reads names from the environment, taking a secret from the file that `NAME_FILE` points to."""

    def __init__(self, environ: Mapping[str, str], report: _Report) -> None:
        self._environ = environ
        self._report = report

    def text(self, name: str) -> str | None:
        """The value of `name`, or of the file named by `NAME_FILE`; None where neither is set."""
        value = self._environ.get(name, "").strip()
        path = self._environ.get(f"{name}_FILE", "").strip()
        if value and path:
            self._report(f"{name} and {name}_FILE are both set: keep one.")
        if path and not value:
            return self._file(name, path)
        return value or None

    def url(self, name: str, default: str) -> str:
        value = self.text(name) or default
        if not _is_http(value.replace("{shop}", "shop")):
            self._report(f"{name} must be an http:// or https:// address; it is {value!r}.")
        return value.rstrip("/")

    def port(self, name: str, default: int) -> int:
        value = self.text(name) or str(default)
        if value.isascii() and value.isdigit() and 0 < int(value) < 65536:
            return int(value)
        self._report(f"{name} must be a number from 1 to 65535; it is {value!r}.")
        return default

    def _file(self, name: str, path: str) -> str | None:
        try:
            value = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            self._report(f"{name}_FILE names {path}, which cannot be read: {error}.")
            return None
        if not value:
            self._report(f"{name}_FILE names {path}, which is empty.")
        return value or None


def _is_http(value: str) -> bool:
    try:
        parts = urlsplit(value)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False


def read_config(environ: Mapping[str, str] | None = None) -> Config:
    """Read the environment, making and keeping what may be made (the secret key, the admin password).

    Raises `ConfigError` with every fault at once.
    """
    faults: list[str] = []
    env = _Environment(os.environ if environ is None else environ, faults.append)
    instance = Path(env.text("INSTANCE_PATH") or "instance").absolute()
    _make_instance(instance, faults.append)
    redis_url = env.text("REDIS_URL")
    had_password = (instance / "admin_password").exists()
    config = Config(
        secret_keys=_secret_keys(env, instance, faults.append),
        app_url=env.url("APP_URL", "http://localhost:5000"),
        port=env.port("PORT", 5000),
        database_url=_database_url(env, instance, faults.append),
        redis_url=_redis_url(redis_url, instance, faults.append),
        redis_embedded=redis_url is None,
        instance_path=instance,
        shopify=_shopify(env, faults.append),
        saleor=_saleor(env, faults.append),
        impact_api_url=env.url("IMPACT_API_URL", "https://api.impact.com"),
        mail=_mail(env, faults.append),
        webhook_origins=_webhook_origins(env, faults.append),
        admin_password=_admin_password(env, instance, faults.append),
        admin_password_is_new=not had_password and (instance / "admin_password").exists(),
    )
    if faults:
        raise ConfigError(faults)
    return config


def _make_instance(path: Path, report: _Report) -> None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        report(f"INSTANCE_PATH {path} cannot be made: {error.strerror}.")


def _secret_keys(env: _Environment, instance: Path, report: _Report) -> tuple[str, ...]:
    current = env.text("SECRET_KEY")
    if current and len(current) < 16:
        report("SECRET_KEY is too short: use at least 16 characters, e.g. from `openssl rand -hex 32`.")
    older = (env.text("SECRET_KEY_FALLBACKS") or "").replace("\n", ",").split(",")
    key = current or _kept(instance / "secret_key", lambda: secrets.token_hex(32), report)
    return (key, *(part.strip() for part in older if part.strip()))


def _database_url(env: _Environment, instance: Path, report: _Report) -> str:
    value = env.text("DATABASE_URL") or f"sqlite:///{instance / 'impact.sqlite3'}"
    if value.startswith(("postgres://", "postgresql://")):
        value = "postgresql+psycopg://" + value.split("://", 1)[1]
    if not value.startswith(("sqlite:///", "postgresql+psycopg://")):
        kind = value.split(":", 1)[0]
        report(f"DATABASE_URL must begin with sqlite:/// or postgresql+psycopg://; it begins with {kind!r}.")
        return value
    # What cannot be read is not repeated: it may hold a password.
    try:
        database = make_url(value).database
    except (ArgumentError, ValueError):
        report("DATABASE_URL cannot be read: signs such as @ / : in a password are written as %40 %2F %3A.")
        return value
    if value.startswith("sqlite:") and (not database or database == ":memory:"):
        report("DATABASE_URL must name a file, as in sqlite:////srv/impact.sqlite3: memory forgets.")
    return value


def _redis_url(value: str | None, instance: Path, report: _Report) -> str:
    if value is None:
        return f"unix://{embedded_redis_socket(instance)}"
    if not value.startswith(("redis://", "rediss://", "unix://")):
        report("REDIS_URL must begin with redis://, rediss:// or unix://.")
        return value
    try:
        parse_url(value)  # type: ignore[no-untyped-call]
    except ValueError:
        report("REDIS_URL cannot be read: it has the form redis://[:password@]host:port/number.")
    return value


def embedded_redis_socket(instance: Path) -> Path:
    """Where the embedded Redis listens: the instance folder, or a short private place if that is too deep."""
    socket = instance / "redis.sock"
    if len(os.fsencode(socket)) <= _SOCKET_PATH_LIMIT:
        return socket
    name = f"impact-{os.getuid()}-{abs(hash_of(str(instance))):x}"
    return Path(tempfile.gettempdir()) / name / "redis.sock"


def hash_of(text: str) -> int:
    """A number for `text` that is the same in every process (Python's own `hash` is not)."""
    return int.from_bytes(text.encode(), "big") % (2**61 - 1)


def _shopify(env: _Environment, report: _Report) -> ShopifyConfig | None:
    key, secret = env.text("SHOPIFY_API_KEY"), env.text("SHOPIFY_API_SECRET")
    if (key is None) != (secret is None):
        report(
            "SHOPIFY_API_KEY and SHOPIFY_API_SECRET go together: set both, or neither to switch Shopify off."
        )
    admin_url = env.url("SHOPIFY_ADMIN_URL", "https://{shop}")
    if not key or not secret:
        return None
    return ShopifyConfig(key, secret, env.text("SHOPIFY_API_SECRET_PREVIOUS"), admin_url)


_HOST = re.compile(r"(\*\.)?[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:[0-9]{1,5})?", re.ASCII)


def _saleor(env: _Environment, report: _Report) -> SaleorConfig:
    entries = _listed(env.text("SALEOR_ALLOWED_HOSTS"))
    dashboards = _listed(env.text("SALEOR_DASHBOARD_ORIGINS"))
    origins = tuple(entry for entry in entries if "://" in entry)
    hosts = tuple(entry for entry in entries if "://" not in entry)
    wrong = [entry for entry in origins if not _is_origin(entry)]
    wrong += [entry for entry in hosts if not _HOST.fullmatch(entry)]
    for entry in wrong:
        report(
            "SALEOR_ALLOWED_HOSTS takes hosts such as shop.example.com or *.saleor.cloud, and origins such "
            f"as http://127.0.0.1:8000, with commas between; one is {entry!r}."
        )
    for entry in (one for one in dashboards if not _is_origin(one)):
        report(
            "SALEOR_DASHBOARD_ORIGINS takes origins such as https://dashboard.example.com with commas "
            f"between; one is {entry!r}."
        )
    return SaleorConfig(
        hosts,
        origins,
        env.text("SALEOR_WEBHOOK_SECRET"),
        env.text("SALEOR_WEBHOOK_SECRET_PREVIOUS"),
        tuple(dashboards),
    )


_SCHEMES: dict[str, tuple[Literal["none", "starttls", "tls"], int]] = {
    "smtp": ("none", 25),
    "smtp+starttls": ("starttls", 587),
    "smtps": ("tls", 465),
}
_SENDER = re.compile(r"[^\s<>@]+@[^\s<>@]+|[^\r\n<>@]*<[^\s<>@]+@[^\s<>@]+>")


def _mail(env: _Environment, report: _Report) -> MailConfig | None:
    url, sender = env.text("SMTP_URL"), env.text("MAIL_FROM")
    if (url is None) != (sender is None):
        report("SMTP_URL and MAIL_FROM go together: set both, or neither to send no mail.")
    if sender is not None and not _SENDER.fullmatch(sender):
        report(f"MAIL_FROM must be an address, as in alerts@example.com; it is {sender!r}.")
    parts = None if url is None else _smtp(url, report)
    if parts is None or sender is None:
        return None
    security, usual = _SCHEMES[parts.scheme]
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return MailConfig(parts.hostname or "", parts.port or usual, security, user, password, sender)


def _smtp(url: str, report: _Report) -> SplitResult | None:
    """The parts of SMTP_URL; what is wrong is told without the value, which may hold a password."""
    try:
        parts = urlsplit(url)
        is_read = parts.scheme in _SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_read = False
    if not is_read or parts.path.strip("/") or parts.query:
        report(
            "SMTP_URL has the form smtp+starttls://user:password@host:587, or smtps:// or smtp://; signs "
            "such as @ / : in a password are written as %40 %2F %3A."
        )
        return None
    if parts.scheme == "smtp" and parts.password and parts.hostname not in {"localhost", "127.0.0.1", "::1"}:
        report("SMTP_URL would send its password in the clear: use smtp+starttls:// or smtps://.")
    return parts


def _webhook_origins(env: _Environment, report: _Report) -> tuple[str, ...]:
    entries = tuple(_listed(env.text("WEBHOOK_ALLOWED_ORIGINS")))
    for entry in entries:
        if not _is_origin(entry):
            report(
                "WEBHOOK_ALLOWED_ORIGINS takes origins such as http://127.0.0.1:9000, with commas between; "
                f"one is {entry!r}."
            )
    return entries


def _listed(text: str | None) -> list[str]:
    """What stands between commas or blanks, in small letters and without a slash at the end."""
    return [entry.rstrip("/") for entry in re.split(r"[,\s]+", (text or "").lower()) if entry]


def _is_origin(value: str) -> bool:
    """Whether `value` is scheme, host and port, and nothing behind them."""
    return _is_http(value) and value == "{0.scheme}://{0.netloc}".format(urlsplit(value)) and "@" not in value


def _admin_password(env: _Environment, instance: Path, report: _Report) -> str:
    return env.text("ADMIN_PASSWORD") or _kept(
        instance / "admin_password", lambda: secrets.token_urlsafe(15), report
    )


def _kept(path: Path, make: Callable[[], str], report: _Report) -> str:
    """What `path` holds, made at the first start; two processes that start together keep the same one."""
    try:
        if not path.exists():
            draft = path.with_name(f"{path.name}.{os.getpid()}")
            draft.touch(mode=0o600)
            draft.write_text(make(), encoding="utf-8")
            _link_once(draft, path)
        value = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        report(f"{path} cannot be made or read: {error}.")
        return ""
    if not value:
        report(f"{path} is empty: restore what it held, or delete it to have a new one made.")
    return value


def _link_once(draft: Path, path: Path) -> None:
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
