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
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from io import BufferedWriter
from pathlib import Path
from typing import IO, Any, Final

from django.utils.crypto import salted_hmac

from training.errors import BackupFailed, BackupRefused

# Format 1 has no HMAC in its seal, and may hold django-q2's tables. Formats 1 and 2 hold SQLite's
# file or PostgreSQL's own text; format 3 holds lines that either database reads.
FORMAT: Final = 3
MANIFEST = "manifest.json"
TABLE_PART = "tables/{}.jsonl"
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
    RuntimeError, TypeError,
)  # fmt: skip

Tables = Iterable[tuple[str, Iterable[bytes]]]  # names and lines


@dataclass(slots=True)
class Manifest:
    """The contents of the archive and the database it was made from."""

    database: str  # Django's vendor
    made_at: str
    release: str
    migrations: list[list[str]]  # [app, name] of all applied migrations
    rows: dict[str, int] = field(default_factory=dict)  # by table
    columns: dict[str, list[str]] = field(default_factory=dict)  # by table
    last_keys: dict[str, int] = field(default_factory=dict)  # the last key given out, by table
    parts: dict[str, str] = field(default_factory=dict)  # the SHA-256, by name
    schedules: dict[str, dict[str, Any]] = field(default_factory=dict)  # times, by name
    format: int = FORMAT

    @classmethod
    def from_json(cls, text: bytes) -> Manifest:
        body = json.loads(text)
        if isinstance(body["parts"], list):  # as formats 1 and 2 have them
            body["parts"] = {part["name"]: part["sha256"] for part in body["parts"]}
        return cls(**body)


def write_archive(path: Path, manifest: Manifest, tables: Tables) -> VerifiedArchive:
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
            pack(file, manifest, tables)
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


def pack(packed: IO[bytes], manifest: Manifest, tables: Tables) -> None:
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for table, lines in tables:
            name, digest, rows = TABLE_PART.format(table), hashlib.sha256(), 0
            part = archive.open(name, "w", force_zip64=True)
            with BufferedWriter(part, AT_ONCE) as file:
                for line in lines:
                    file.write(line)
                    digest.update(line)
                    rows += 1
            manifest.rows[table], manifest.parts[name] = rows, digest.hexdigest()
        archive.writestr(MANIFEST, json.dumps(asdict(manifest), indent=1))


def seal(file: IO[bytes]) -> None:
    digest, keyed = digests_of(file, file.seek(0, os.SEEK_END))
    file.write(SEAL.format(digest.hexdigest(), keyed.hexdigest()).encode())
    file.flush()


def digests_of(file: IO[bytes], length: int) -> tuple[Any, hmac.HMAC]:
    """The SHA-256 of so many bytes, and their HMAC with a key from SECRET_KEY for seals only."""
    digest, keyed = hashlib.sha256(), salted_hmac(SALT, b"", algorithm="sha256")
    file.seek(0)
    while length > 0 and (block := file.read(min(AT_ONCE, length))):
        digest.update(block)
        keyed.update(block)
        length -= len(block)
    return digest, keyed


def keep_name(folder: Path) -> None:
    """Flush the folder, so that the new name survives a crash."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@dataclass(frozen=True, slots=True)
class VerifiedArchive:
    """A verified archive."""

    path: Path
    manifest: Manifest
    sha256: str  # of the file
    doubt: str = ""  # why it may be forged; empty if sealed with our secret

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[IO[bytes]]:
        with zipfile.ZipFile(self.path) as archive, archive.open(name) as file:
            yield file


def verified(path: Path, *, trusted: bool = False) -> VerifiedArchive:
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
    return VerifiedArchive(path, manifest, sha256, doubt)


def check_seal(path: Path) -> tuple[str, str]:
    """The digest of the whole file, and why it may be forged, or an empty text."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - LONGEST_SEAL))
        found = SEALED.search(file.read())
        if found is None:
            raise BackupRefused(f"{path.name} is no backup of Inkloop, or its end is missing.")
        digest, keyed = digests_of(file, size - len(found[0]))
    if found[1] != digest.hexdigest().encode():
        raise BackupRefused(f"{path.name} was changed since it was made: its digest differs.")
    digest.update(found[0])
    if found[2] is None:
        return digest.hexdigest(), UNKEYED.format(path.name)
    if not hmac.compare_digest(found[2], keyed.hexdigest().encode()):
        return digest.hexdigest(), FOREIGN.format(path.name)
    return digest.hexdigest(), ""


def read_manifest(archive: zipfile.ZipFile, path: Path) -> Manifest:
    text = archive.read(MANIFEST)
    made_as = json.loads(text).get("format")
    if made_as not in range(1, FORMAT + 1):
        raise BackupRefused(
            f"{path.name} has format {made_as}; this release reads formats 1 to {FORMAT}."
        )
    return Manifest.from_json(text)


def check_parts(archive: zipfile.ZipFile, manifest: Manifest, path: Path) -> None:
    if sorted(archive.namelist()) != sorted([*manifest.parts, MANIFEST]):
        raise BackupRefused(f"{path.name} does not hold what its manifest says.")
    for name, sha256 in manifest.parts.items():
        with archive.open(name) as file:
            found = hashlib.file_digest(file, "sha256")  # type: ignore[arg-type]
            if found.hexdigest() != sha256:
                raise BackupRefused(f"{name} in {path.name} was changed: its digest differs.")


def summary(archive: VerifiedArchive) -> dict[str, Any]:
    return {
        "file": str(archive.path),
        "bytes": archive.path.stat().st_size,
        "sha256": archive.sha256,
        "made_at": archive.manifest.made_at,
        "database": archive.manifest.database,
        "rows": archive.manifest.rows,
    }
