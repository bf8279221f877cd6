"""The file of a backup: a zip of parts with a manifest, followed by a seal.

The file is written as a stream under a temporary name, read back, and renamed if all digests are
right. The seal is its last line. Its SHA-256 detects truncation and accidental changes. Its HMAC
with the installation's secret detects forgery.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO, Any, Final, Protocol

from django.utils.crypto import salted_hmac

from training.errors import BackupFailed, BackupRefused

FORMAT: Final = 2
READ: Final = {1, FORMAT}  # 1 has no HMAC in its seal, and may hold django-q2's tables
MANIFEST = "manifest.json"
# The last line of the file. Format 1 has only the first digest.
SEAL = "\ninkloop backup, sha256 {}, hmac-sha256 {}\n"
SEALED: Final = re.compile(
    rb"\ninkloop backup, sha256 ([0-9a-f]{64})(?:, hmac-sha256 ([0-9a-f]{64}))?\n\Z"
)
LONGEST_SEAL: Final = 256  # bytes
SALT = "training.backup.archive.seal"
UNKEYED = "{} is sealed without a secret, as older backups are."
FOREIGN = "{} was not sealed with the SECRET_KEY of this installation (or its secret_key file)."
AT_ONCE = 1 << 20  # bytes
# Exceptions of zipfile for a file that is no zip, or is damaged.
BROKEN = (
    zipfile.BadZipFile, zlib.error, EOFError, OSError, KeyError, ValueError, NotImplementedError,
    RuntimeError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Part:
    name: str
    size: int  # bytes, unpacked
    sha256: str


@dataclass(slots=True)
class Manifest:
    """The contents of the archive and the database it was made from."""

    database: str  # Django's vendor
    made_at: str
    release: str
    migrations: list[list[str]]  # [app, name] of all applied migrations
    rows: dict[str, int] = field(default_factory=dict)  # by table
    columns: dict[str, list[str]] = field(default_factory=dict)  # by table
    parts: list[Part] = field(default_factory=list)
    schedules: dict[str, dict[str, Any]] = field(default_factory=dict)  # times, by name
    format: int = FORMAT

    @classmethod
    def from_json(cls, text: bytes) -> Manifest:
        body = json.loads(text)
        body["parts"] = [Part(**part) for part in body["parts"]]
        return cls(**body)


class Sink(Protocol):
    def write(self, content: bytes, /) -> int: ...


class Digesting:
    """A file wrapper that counts and digests what is written."""

    def __init__(self, file: Sink) -> None:
        self.file = file
        self.size = 0
        self.digest = hashlib.sha256()

    def write(self, content: bytes) -> int:
        self.size += len(content)
        self.digest.update(content)
        return self.file.write(content)


class Writer:
    """Writes parts into the archive, one after another."""

    def __init__(self, archive: zipfile.ZipFile, manifest: Manifest) -> None:
        self.archive = archive
        self.manifest = manifest

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[Digesting]:
        with self.archive.open(name, "w", force_zip64=True) as file:
            written = Digesting(file)
            yield written
        self.manifest.parts.append(Part(name, written.size, written.digest.hexdigest()))


def write(path: Path, manifest: Manifest, fill: Callable[[Writer], object]) -> Archive:
    """Write the archive and verify it; on failure, no file with this name is left."""
    if path.exists():
        raise BackupFailed(f"{path} is there already; a backup never replaces a file.")
    partial = path.with_name(f".{path.name}.partial")
    try:
        handle = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)  # holds accounts
    except OSError as refused:
        raise BackupFailed(f"{partial} cannot be written: {refused.strerror}.") from refused
    try:
        with os.fdopen(handle, "w+b") as file:
            pack(file, manifest, fill)
            seal(file)
            os.fsync(file.fileno())
        found = verified(partial)
        os.link(partial, path)  # unlike a rename, it never replaces a file
    except OSError as refused:
        raise BackupFailed(f"{path} cannot be written: {refused.strerror}.") from refused
    finally:
        partial.unlink()
    keep_name(path.parent)
    return replace(found, path=path)


def pack(file: IO[bytes], manifest: Manifest, fill: Callable[[Writer], object]) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        fill(Writer(archive, manifest))
        archive.writestr(MANIFEST, json.dumps(asdict(manifest), indent=1))


def seal(file: IO[bytes]) -> None:
    digest, keyed = hashlib.sha256(), seal_key()
    file.seek(0)
    while block := file.read(AT_ONCE):
        digest.update(block)
        keyed.update(block)
    file.write(SEAL.format(digest.hexdigest(), keyed.hexdigest()).encode())
    file.flush()


def seal_key() -> hmac.HMAC:
    """An HMAC with a key derived from SECRET_KEY for seals only."""
    return salted_hmac(SALT, b"", algorithm="sha256")


def digest_of(file: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while block := file.read(AT_ONCE):
        digest.update(block)
    return digest.hexdigest()


def keep_name(folder: Path) -> None:
    """Flush the folder, so that the new name survives a crash."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@dataclass(frozen=True, slots=True)
class Archive:
    """A verified archive."""

    path: Path
    manifest: Manifest
    sha256: str  # of the file
    doubt: str = ""  # why it may be forged; empty if sealed with our secret

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[IO[bytes]]:
        with zipfile.ZipFile(self.path) as archive, archive.open(name) as file:
            yield file


def verified(path: Path, *, trusted: bool = False) -> Archive:
    """Read the whole file; raises BackupRefused if it was changed.

    A file not sealed with our secret may be forged: its contents are read only if `trusted`.
    """
    try:
        sha256, doubt = check_seal(path)
        if doubt and not trusted:
            raise BackupRefused(
                f"{doubt} Whoever wrote it decides which accounts there are after a restore, and "
                "all else. If you know that nobody has changed it, restore it with --trust."
            )
        with zipfile.ZipFile(path) as archive:
            manifest = read_manifest(archive, path)
            check_parts(archive, manifest, path)
    except BROKEN as broken:
        raise BackupRefused(f"{path.name} is no backup of Inkloop, or is damaged.") from broken
    return Archive(path, manifest, sha256, doubt)


def check_seal(path: Path) -> tuple[str, str]:
    """The digest of the whole file, and why it may be forged, or an empty text."""
    whole, before_seal, keyed = hashlib.sha256(), hashlib.sha256(), seal_key()
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - LONGEST_SEAL))
        found = SEALED.search(file.read())
        if found is None:
            raise BackupRefused(f"{path.name} is no backup of Inkloop, or its end is missing.")
        file.seek(0)
        left = size - len(found[0])
        while left > 0 and (block := file.read(min(AT_ONCE, left))):
            for digest in (whole, before_seal, keyed):
                digest.update(block)
            left -= len(block)
    whole.update(found[0])
    if found[1] != before_seal.hexdigest().encode():
        raise BackupRefused(f"{path.name} was changed since it was made: its digest differs.")
    if found[2] is None:
        return whole.hexdigest(), UNKEYED.format(path.name)
    if not hmac.compare_digest(found[2], keyed.hexdigest().encode()):
        return whole.hexdigest(), FOREIGN.format(path.name)
    return whole.hexdigest(), ""


def read_manifest(archive: zipfile.ZipFile, path: Path) -> Manifest:
    text = archive.read(MANIFEST)
    made_as = json.loads(text).get("format")
    if made_as not in READ:
        raise BackupRefused(
            f"{path.name} has format {made_as}; this release reads formats 1 and {FORMAT}."
        )
    try:
        return Manifest.from_json(text)
    except TypeError as other:
        raise BackupRefused(f"The manifest of {path.name} is not one of this release.") from other


def check_parts(archive: zipfile.ZipFile, manifest: Manifest, path: Path) -> None:
    expected = {part.name for part in manifest.parts} | {MANIFEST}
    if set(archive.namelist()) != expected or len(archive.namelist()) != len(expected):
        raise BackupRefused(f"{path.name} does not hold what its manifest says.")
    for part in manifest.parts:
        with archive.open(part.name) as file:
            digest = digest_of(file)
        if digest != part.sha256:
            raise BackupRefused(f"{part.name} in {path.name} was changed: its digest differs.")


def summary(archive: Archive) -> dict[str, Any]:
    return {
        "file": str(archive.path),
        "bytes": archive.path.stat().st_size,
        "sha256": archive.sha256,
        "made_at": archive.manifest.made_at,
        "database": archive.manifest.database,
        "rows": archive.manifest.rows,
    }
