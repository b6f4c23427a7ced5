"""The environment: every fault at once, secrets from files, what is made and kept."""

from __future__ import annotations

import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import pytest

from impact_app.config import Config, ConfigError, MailConfig, SaleorConfig, read_config
from impact_app.ledger.vault import Vault

ROOT = Path(__file__).resolve().parents[1]


def _faults(environ: Mapping[str, str]) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        read_config(environ)
    return raised.value.faults


@pytest.fixture
def base(tmp_path: Path) -> dict[str, str]:
    return {"INSTANCE_PATH": str(tmp_path / "instance")}


def test_nothing_set_is_a_working_configuration(base: dict[str, str], tmp_path: Path) -> None:
    config = read_config(base)
    instance = tmp_path / "instance"
    assert config == Config(
        secret_keys=((instance / "secret_key").read_text(),),
        app_url="http://localhost:5000",
        port=5000,
        database_url=f"sqlite:///{instance / 'impact.sqlite3'}",
        redis_url=f"unix://{instance / 'redis.sock'}",
        redis_embedded=True,
        instance_path=instance,
        shopify=None,
        saleor=SaleorConfig((), (), None, None),
        impact_api_url="https://api.impact.com",
        mail=None,
        webhook_origins=(),
        admin_password=(instance / "admin_password").read_text(),
        admin_password_is_new=True,
    )


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    empty, latin = tmp_path / "empty", tmp_path / "latin"
    empty.write_text("\n")
    latin.write_bytes(b"\xff\xfe")
    faults = _faults(
        {
            "INSTANCE_PATH": str(tmp_path),
            "SECRET_KEY": "too short",
            "APP_URL": "shop.example",
            "PORT": "65536",
            "DATABASE_URL": "mysql://user:hunter2@host/db",
            "REDIS_URL": "localhost:6379",
            "SHOPIFY_API_KEY": "key",
            "SHOPIFY_ADMIN_URL": "ftp://x",
            "IMPACT_API_URL": "http://[::1",
            "SHOPIFY_API_SECRET_FILE": str(empty),
            "SECRET_KEY_FALLBACKS_FILE": str(tmp_path / "missing"),
            "ADMIN_PASSWORD_FILE": str(latin),
        }
    )
    named = [
        *("SECRET_KEY is too short", "APP_URL must", "PORT must", "DATABASE_URL must", "REDIS_URL must"),
        *("SHOPIFY_API_KEY and SHOPIFY_API_SECRET go", "SHOPIFY_ADMIN_URL must", "IMPACT_API_URL must"),
        *("SHOPIFY_API_SECRET_FILE names", "SECRET_KEY_FALLBACKS_FILE names", "ADMIN_PASSWORD_FILE names"),
    ]
    for words in named:
        assert sum(fault.startswith(words) for fault in faults) == 1, words
    assert len(faults) == len(named) == 11
    assert "hunter2" not in str(faults)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("APP_URL", "https://"),
        ("APP_URL", "http://host:99999"),
        ("APP_URL", "http://host:port"),
        ("PORT", "0"),
        ("PORT", "-1"),
        ("PORT", "5000.0"),
        ("PORT", "\u0665\u0660\u0660\u0660"),
        ("DATABASE_URL", "sqlite:///"),
        ("DATABASE_URL", "sqlite:///:memory:"),
        ("DATABASE_URL", "postgresql://user:p:ss@ho:st:x/db"),
        ("REDIS_URL", "redis://host:sechs/0"),
        ("REDIS_URL", "http://host"),
    ],
)
def test_a_value_that_cannot_be_used_is_one_sentence(base: dict[str, str], name: str, value: str) -> None:
    (fault,) = _faults({**base, name: value})
    assert fault.startswith(name)
    assert fault.endswith(".")


def test_a_password_in_an_address_is_not_repeated(base: dict[str, str]) -> None:
    (fault,) = _faults({**base, "DATABASE_URL": "postgresql://user:hunter2@h:o:st/db"})
    assert "hunter2" not in fault


def test_a_secret_may_stand_in_a_file(base: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("a-secret-key-from-a-file\n")
    assert read_config({**base, "SECRET_KEY_FILE": str(file)}).secret_keys == ("a-secret-key-from-a-file",)


def test_a_name_and_its_file_together_are_a_fault(base: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("a-secret-key-from-a-file")
    both = {**base, "SECRET_KEY": "a-secret-key-from-here", "SECRET_KEY_FILE": str(file)}
    assert _faults(both) == ["SECRET_KEY and SECRET_KEY_FILE are both set: keep one."]


@pytest.mark.parametrize(
    "address", ["postgres://u:p@h/d", "postgresql://u:p@h/d", "postgresql+psycopg://u:p@h/d"]
)
def test_every_spelling_of_postgresql_takes_the_same_driver(base: dict[str, str], address: str) -> None:
    assert read_config({**base, "DATABASE_URL": address}).database_url == "postgresql+psycopg://u:p@h/d"


def test_slashes_at_the_end_of_addresses_are_cut_off(base: dict[str, str]) -> None:
    config = read_config({**base, "APP_URL": "https://a.example/", "IMPACT_API_URL": "http://b.example//"})
    assert (config.app_url, config.impact_api_url) == ("https://a.example", "http://b.example")


def test_shopify_takes_the_previous_secret_and_fills_its_address_in(base: dict[str, str]) -> None:
    keys = {"SHOPIFY_API_KEY": "id", "SHOPIFY_API_SECRET": "new", "SHOPIFY_API_SECRET_PREVIOUS": "old"}
    shopify = read_config({**base, **keys}).shopify
    assert shopify is not None
    assert shopify.secrets == ("new", "old")
    assert shopify.admin_base("a.myshopify.com") == "https://a.myshopify.com"


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("smtp+starttls://ann:p%40ss%3A%2F1@mail.test", ("mail.test", 587, "starttls", "ann", "p@ss:/1")),
        ("smtps://mail.test:4650", ("mail.test", 4650, "tls", "", "")),
        ("smtp://localhost", ("localhost", 25, "none", "", "")),
    ],
)
def test_a_mail_server_is_read_from_its_address(
    base: dict[str, str], tmp_path: Path, url: str, found: tuple[str, int, Literal["tls"], str, str]
) -> None:
    file = tmp_path / "smtp"
    file.write_text(f"{url}\n")
    mail = read_config({**base, "SMTP_URL_FILE": str(file), "MAIL_FROM": "Shop <a@shop.test>"}).mail
    assert mail == MailConfig(*found, "Shop <a@shop.test>")
    assert "p@ss" not in repr(mail)


@pytest.mark.parametrize(
    ("url", "sender", "told"),
    [
        ("smtps://mail.test", "", "SMTP_URL and MAIL_FROM go together"),
        ("", "a@shop.test", "SMTP_URL and MAIL_FROM go together"),
        ("https://mail.test", "a@shop.test", "SMTP_URL has the form"),
        ("smtps://ann:hunter2@mail.test:port", "a@shop.test", "SMTP_URL has the form"),
        ("smtp://ann:hunter2@mail.test", "a@shop.test", "SMTP_URL would send its password in the clear"),
        ("smtps://mail.test", "nobody", "MAIL_FROM must be an address"),
    ],
)
def test_what_is_wrong_with_mail_is_told_without_the_password(
    base: dict[str, str], url: str, sender: str, told: str
) -> None:
    (fault,) = _faults({**base, "SMTP_URL": url, "MAIL_FROM": sender})
    assert fault.startswith(told)
    assert "hunter2" not in fault


def test_webhooks_may_be_allowed_by_origin(base: dict[str, str]) -> None:
    listed = {**base, "WEBHOOK_ALLOWED_ORIGINS": "http://127.0.0.1:9000/, https://Chat.internal"}
    assert read_config(listed).webhook_origins == ("http://127.0.0.1:9000", "https://chat.internal")
    (fault,) = _faults({**base, "WEBHOOK_ALLOWED_ORIGINS": "chat.internal"})
    assert fault.startswith("WEBHOOK_ALLOWED_ORIGINS takes origins")


# what is made and kept


def test_what_is_made_is_kept_for_its_owner_alone(base: dict[str, str], tmp_path: Path) -> None:
    first, second = read_config(base), read_config(base)
    assert first.secret_keys == second.secret_keys
    assert first.admin_password == second.admin_password
    assert len(first.secret_keys[0]) == 64
    instance = tmp_path / "instance"
    assert stat.S_IMODE(instance.stat().st_mode) == 0o700
    for name in ("secret_key", "admin_password"):
        assert stat.S_IMODE((instance / name).stat().st_mode) == 0o600
    assert sorted(file.name for file in instance.iterdir()) == ["admin_password", "secret_key"]


def test_processes_that_start_together_keep_the_same_secret(base: dict[str, str]) -> None:
    program = "from impact_app.config import read_config; print(read_config().secret_keys[0])"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program], env=base, cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    made = [process.communicate(timeout=30)[0] for process in started]
    assert [len(line) for line in made] == [65] * 4
    assert len(set(made)) == 1


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe\xff"], ids=["empty", "blank", "binary"])
def test_a_kept_secret_that_was_spoilt_is_a_fault(
    base: dict[str, str], tmp_path: Path, content: bytes
) -> None:
    """An empty key would encrypt with something that everybody knows."""
    read_config(base)
    (tmp_path / "instance" / "secret_key").write_bytes(content)
    (fault,) = _faults(base)
    assert str(tmp_path / "instance" / "secret_key") in fault


def test_an_instance_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    faults = _faults({"INSTANCE_PATH": str(tmp_path / "file" / "instance")})
    assert faults[0].startswith("INSTANCE_PATH")
    assert all(fault.endswith(".") for fault in faults)


def test_a_deep_instance_folder_still_has_a_socket(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100)
    first, second = (read_config({"INSTANCE_PATH": str(deep)}) for _ in range(2))
    assert len(first.redis_url) < 110
    assert first.redis_url == second.redis_url


# rotation


def test_older_keys_still_read_what_they_wrote(base: dict[str, str]) -> None:
    old = read_config({**base, "SECRET_KEY": "the-old-secret-key"})
    locked = Vault(old.secret_keys).lock("auth token")
    listed = "the-old-secret-key, another-old-secret-key\n"
    new = read_config({**base, "SECRET_KEY": "the-new-secret-key", "SECRET_KEY_FALLBACKS": listed})
    assert new.secret_keys == ("the-new-secret-key", "the-old-secret-key", "another-old-secret-key")
    assert Vault(new.secret_keys).unlock(locked) == "auth token"
