"""Zip archives: written as a stream, and read as untrusted input."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import IO, Any, BinaryIO, Final, NamedTuple

from labeling.files.formats.rows import BadFile

PIECE: Final = 1 << 20  # bytes per piece
DIRECTORY_BYTES: Final = 300  # per member in the directory, estimated high

# What the zip and deflate readers raise on broken files.
BROKEN: Final = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError)
END: Final = struct.Struct("<4s4H2LH")  # end of central directory record
END_64: Final = struct.Struct("<4sQ2H2L4Q")
LOCATOR_64: Final = 20  # bytes between these two records
COMMENT: Final = 0xFFFF  # bytes; the longest comment at the end
HIDDEN: Final = ("__MACOSX", ".")  # name prefixes of files that systems add


# -- out ------------------------------------------------------------------------------------------


class Member(NamedTuple):
    name: str
    content: Iterable[bytes]
    is_packed: bool = True  # deflated; PNG images are compressed already


class Sink(io.RawIOBase):
    """A write buffer that is emptied piece by piece."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.length = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        part = bytes(data)
        self.parts.append(part)
        self.length += len(part)
        return len(part)

    def take(self) -> bytes:
        taken, self.parts, self.length = b"".join(self.parts), [], 0
        return taken


def streamed(members: Iterable[Member]) -> Iterator[bytes]:
    """Yield a zip of these members; only its directory stays in memory, 1 kB for each member."""
    sink = Sink()
    with zipfile.ZipFile(sink, "w") as archive:
        for member in members:
            info = zipfile.ZipInfo(member.name)  # dated 1980: equal labels give equal bytes
            info.compress_type = zipfile.ZIP_DEFLATED if member.is_packed else zipfile.ZIP_STORED
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            with archive.open(info, "w", force_zip64=member.is_packed) as opened:
                for part in member.content:
                    opened.write(part)
                    if sink.length >= PIECE:
                        yield sink.take()
            if sink.length >= PIECE:
                yield sink.take()
    yield sink.take()


def pieces_of(file: BinaryIO) -> Iterator[bytes]:
    """Yield a whole file from its beginning, piece by piece."""
    file.seek(0)
    while piece := file.read(PIECE):
        yield piece


# -- in -------------------------------------------------------------------------------------------


class Limits(NamedTuple):
    """How much of an archive is read."""

    members: int
    bytes: int  # unpacked, of all members together


WIDE: Final = Limits(members=2_000_000, bytes=8 << 30)


class UnsafeMember(Exception):
    """A member that is refused, and why."""


class Archive:
    """An untrusted zip. Nothing is unpacked to disk, and the sizes it states are not trusted."""

    def __init__(self, file: BinaryIO, limits: Limits = WIDE) -> None:
        check_directory(file, limits.members)
        try:
            self._zip = zipfile.ZipFile(file)
        except BROKEN as broken:
            raise BadFile("The zip is damaged and cannot be read.") from broken
        self.left = limits.bytes

    @property
    def names(self) -> list[str]:
        """Names of its files, without folders and hidden system files."""
        return [
            info.filename
            for info in self._zip.infolist()
            if not info.is_dir() and not is_hidden(info.filename)
        ]

    def read(self, name: str, *, most: int) -> bytes:
        """Return a member's bytes, cut to `most` + 1, which shows that it is too long."""
        with self.open(name) as member:
            try:
                content = member.read(most + 1)
            except BROKEN as broken:
                raise UnsafeMember("it is damaged and cannot be read") from broken
        self.spend(len(content))
        return content

    def open(self, name: str) -> IO[bytes]:
        info = self._zip.getinfo(name)
        check_member(info)
        try:
            return self._zip.open(info)
        except BROKEN as broken:
            raise UnsafeMember("it is damaged and cannot be read") from broken

    def spend(self, count: int) -> None:
        """Count unpacked bytes and stop at the limit: a small zip can unpack to terabytes."""
        self.left -= count
        if self.left < 0:
            raise BadFile("The rest of the zip unpacks to more than is accepted.")


def check_directory(file: BinaryIO, most_members: int) -> None:
    """Refuse too many members by the size of the directory, before it is read."""
    size = directory_size(file)
    if size is None:
        raise BadFile("The zip is damaged: it has no directory.")
    if size > most_members * DIRECTORY_BYTES:
        raise BadFile(f"The zip holds more than the {most_members:,} files accepted here.")


def directory_size(file: BinaryIO) -> int | None:
    """Return the stated size in bytes of the zip's directory; `zipfile` uses the same number."""
    length = file.seek(0, io.SEEK_END)
    file.seek(max(0, length - END.size - COMMENT - END_64.size - LOCATOR_64))
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < END.size:
        return None
    size: int = END.unpack_from(tail, at)[5]
    at_64 = tail.rfind(b"PK\x06\x06", 0, at)
    if at_64 >= 0 and at - at_64 >= END_64.size:
        size = max(size if size != 0xFFFFFFFF else 0, END_64.unpack_from(tail, at_64)[8])
    return size


def check_member(info: zipfile.ZipInfo) -> None:
    path = PurePosixPath(info.filename)
    if path.is_absolute() or ".." in path.parts or "\\" in info.filename or ":" in info.filename:
        raise UnsafeMember("its name leads out of the archive")
    if stat.S_ISLNK(info.external_attr >> 16):
        raise UnsafeMember("it is a link")
    if info.flag_bits & 0x1:
        raise UnsafeMember("it is encrypted")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise UnsafeMember("it is packed in a way that is not accepted")


def is_hidden(name: str) -> bool:
    return any(part.startswith(HIDDEN) and part != ".." for part in PurePosixPath(name).parts)
