"""Strict readers of environment variables: a bad value is an error that names its variable."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.core.exceptions import ImproperlyConfigured

BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
ASKED: set[str] = set()  # every variable that was read; the doctor finds misspelled ones by it


def text(name: str, default: str = "") -> str:
    ASKED.add(name)
    return os.environ.get(name, default).strip()


def choice(name: str, *, default: str, of: tuple[str, ...]) -> str:
    given = text(name) or default
    if given not in of:
        raise ImproperlyConfigured(f"{name} must be {' or '.join(of)}, not {given!r}.")
    return given


def flag(name: str, *, default: bool) -> bool:
    given = text(name)
    if not given:
        return default
    if given.lower() not in BOOLEANS:
        raise ImproperlyConfigured(f"{name} must be true or false, not {given!r}.")
    return BOOLEANS[given.lower()]


def whole(name: str, *, default: int, least: int, most: int) -> int:
    given = text(name)
    if not given:
        return default
    if not given.isascii() or not given.isdigit() or not least <= int(given) <= most:
        raise ImproperlyConfigured(
            f"{name} must be a whole number from {least} to {most}, not {given!r}."
        )
    return int(given)


def token(name: str) -> str:
    """A secret that programs send to us; empty if unset."""
    given = text(name)
    if given and (len(given) < 20 or not given.isascii() or " " in given):
        raise ImproperlyConfigured(f"{name} must be at least 20 characters without blanks.")
    return given


def fraction(name: str, *, default: float) -> float:
    given = text(name)
    if not given:
        return default
    try:
        value = float(given)
    except ValueError:
        value = -1.0
    if not 0.0 <= value <= 1.0:  # also false for NaN
        raise ImproperlyConfigured(f"{name} must be a number from 0 to 1, not {given!r}.")
    return value


def weights(name: str, *, default: dict[str, int]) -> dict[str, int]:
    """Weights such as audit=50, review=0; those that are not named keep their default."""
    found = dict(default)
    for given in words(name):
        key, _, value = (part.strip() for part in given.partition("="))
        if key not in default or not value.isascii() or not value.isdigit() or len(value) > 6:
            raise ImproperlyConfigured(
                f"{name} must be whole numbers such as {next(iter(default))}=30, for some of "
                f"{', '.join(default)}, separated by commas, not {given!r}."
            )
        found[key] = int(value)
    if not any(found.values()):
        raise ImproperlyConfigured(f"{name} must leave at least one number above 0.")
    return found


def words(name: str) -> list[str]:
    return [word.strip() for word in text(name).split(",") if word.strip()]


def hosts(name: str, *, default: list[str]) -> list[str]:
    given = words(name) or default
    for host in given:
        if "/" in host or " " in host or host == "*":
            raise ImproperlyConfigured(
                f"{name} must be host names separated by commas, not {host!r}."
            )
    return given


def origins(name: str) -> list[str]:
    given = words(name)
    for origin in given:
        parts = urlsplit(origin)
        if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path:
            raise ImproperlyConfigured(
                f"{name} must be origins such as https://digits.example.org, not {origin!r}."
            )
    return given


def zone(name: str, *, default: str) -> str:
    given = text(name, default) or default
    try:
        ZoneInfo(given)
    except (ZoneInfoNotFoundError, ValueError, OSError) as unknown:
        raise ImproperlyConfigured(f"{name} must name a time zone, not {given!r}.") from unknown
    return given


def folder(name: str, *, default: Path) -> Path:
    """An absolute folder, created if it does not exist."""
    path = Path(text(name) or default).expanduser().resolve()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as refused:
        raise ImproperlyConfigured(f"{name}: cannot make the folder {path}: {refused}.") from None
    return path


def folder_or_none(name: str) -> Path | None:
    """An absolute folder that need not exist; None if unset."""
    given = text(name)
    return Path(given).expanduser().resolve() if given else None


def database(name: str, *, default: Path) -> dict[str, Any]:
    """Django's settings for postgres://user:password@host:port/name, or for SQLite when unset."""
    given = text(name)
    if not given:
        return sqlite(default)
    parts = urlsplit(given)
    if parts.scheme == "sqlite" and parts.path.strip("/"):
        return sqlite(Path(unquote(parts.path)))
    if parts.scheme not in {"postgres", "postgresql"}:
        raise ImproperlyConfigured(
            f"{name} must look like postgres://user:password@host:5432/name or sqlite:///file; "
            f"its scheme is {parts.scheme!r}."
        )
    return postgresql(name, parts)


def postgresql(name: str, parts: SplitResult) -> dict[str, Any]:
    try:
        port = parts.port
    except ValueError:
        raise ImproperlyConfigured(
            f"The port in {name} must be a number from 0 to 65535."
        ) from None
    if not parts.path.strip("/"):
        raise ImproperlyConfigured(f"{name} must end in the name of a database.")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.strip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or ""),
        "PORT": str(port or ""),
        # Not a pool: after a fork, two processes would use one of its sockets.
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "connect_timeout": 5,
            **UNREACHABLE,
            "options": " ".join(f"-c {asked}={value}" for asked, value in session().items()),
            **dict(parse_qsl(parts.query, keep_blank_values=True)),
        },
    }


# An unreachable server neither refuses nor answers. Without these timeouts a request would wait for
# it for 15 minutes. In seconds; the last one in milliseconds.
UNREACHABLE = {
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


def session() -> dict[str, float | str]:
    """PostgreSQL's settings for each connection."""
    patience = whole("LOCK_TIMEOUT", default=0, least=0, most=3600)
    return {
        # The default of 4 is for spinning disks. With it, PostgreSQL reads whole tables where an
        # index is faster: a look-up of 10,000 labels of 700,000 takes five times as long.
        "random_page_cost": 1.1,
        # The same timeouts for the server: it frees the locks of an unreachable client after 11
        # seconds. Its default is two hours.
        "tcp_keepalives_idle": UNREACHABLE["keepalives_idle"],
        "tcp_keepalives_interval": UNREACHABLE["keepalives_interval"],
        "tcp_keepalives_count": UNREACHABLE["keepalives_count"],
        "lock_timeout": f"{patience}s",
    }


def sqlite(path: Path) -> dict[str, Any]:
    """With WAL, readers do not wait for the writer; with IMMEDIATE, writers wait and do not fail.

    synchronous=NORMAL loses nothing if our processes crash. After a power cut the last commits may
    be lost, but the file is intact. FULL flushes the disk at each commit.
    """
    durability = text("SQLITE_SYNCHRONOUS", "NORMAL").upper()
    if durability not in {"NORMAL", "FULL"}:
        raise ImproperlyConfigured(
            f"SQLITE_SYNCHRONOUS must be NORMAL or FULL, not {durability!r}."
        )
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": (
                f"PRAGMA journal_mode=WAL;PRAGMA synchronous={durability};"
                "PRAGMA temp_store=MEMORY;PRAGMA mmap_size=134217728;"
                "PRAGMA journal_size_limit=67108864;PRAGMA cache_size=-20000;"
            ),
        },
        # A file, not memory: processes and threads of a test must share it.
        "TEST": {"NAME": path.with_name("test.sqlite3")},
    }


def mail_settings(name: str) -> dict[str, Any]:
    """Django's settings for smtp://user:password@host:587 (STARTTLS) or smtps:// (TLS)."""
    given = text(name)
    if not given:
        return {"EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend"}
    parts = urlsplit(given)
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
        raise ImproperlyConfigured(f"{name} must look like smtp://user:password@host:587.")
    return {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": parts.port or (465 if parts.scheme == "smtps" else 587),
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_SSL": parts.scheme == "smtps",
        "EMAIL_USE_TLS": parts.scheme == "smtp",
        "EMAIL_TIMEOUT": 10,
    }


def secret(name: str, *, kept_in: Path) -> str:
    """The given secret, or one that the first start generates in a file of mode 600."""
    ASKED.add(name)
    if name in os.environ:
        given = text(name)
        if len(given) < 50 or len(set(given)) < 8:
            raise ImproperlyConfigured(
                f"{name} must be at least 50 characters that nobody can guess; "
                "leave it unset to have one made."
            )
        return given
    try:
        return kept_in.read_text().strip()
    except FileNotFoundError:
        return make_secret(kept_in)


def make_secret(path: Path) -> str:
    from django.core.management.utils import get_random_secret_key

    made = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(get_random_secret_key() + get_random_secret_key() + "\n")
    try:
        os.link(made, path)  # fails if another process was first; all read the first one's secret
    except FileExistsError:
        pass
    finally:
        made.unlink()
    return path.read_text().strip()
