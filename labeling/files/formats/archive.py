"""Zip archives: written as a stream, and read without believing a word of them."""

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

PIECE: Final = 1 << 20  # bytes handed on together
DIRECTORY_BYTES: Final = 300  # of a member's entry in the directory, generously

# What the zip and deflate readers raise on broken files.
BROKEN: Final = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError)
END: Final = struct.Struct("<4s4H2LH")  # the end of the directory
END_64: Final = struct.Struct("<4sQ2H2L4Q")
LOCATOR_64: Final = 20  # bytes between the two
COMMENT: Final = 0xFFFF  # bytes at most behind both
HIDDEN: Final = ("__MACOSX", ".")  # what systems put beside the files, by the start of a name


# -- out ------------------------------------------------------------------------------------------


class Member(NamedTuple):
    name: str
    content: Iterable[bytes]
    is_packed: bool = True  # deflated; pictures are so already


class Sink(io.RawIOBase):
    """Where an archive is written to and taken from again, piece by piece."""

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
    """The archive of these members, without holding it: its directory grows, by 1 kB a member."""
    sink = Sink()
    with zipfile.ZipFile(sink, "w") as archive:
        for member in members:
            info = zipfile.ZipInfo(member.name)  # dated 1980: the same labels, the same bytes
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
    """A whole file from its beginning, piece by piece."""
    file.seek(0)
    while piece := file.read(PIECE):
        yield piece


# -- in -------------------------------------------------------------------------------------------


class Limits(NamedTuple):
    """How much of an archive is looked at."""

    members: int
    bytes: int  # unpacked, of all members together


WIDE: Final = Limits(members=2_000_000, bytes=8 << 30)


class UnsafeMember(Exception):
    """A member that is left alone, and why."""


class Archive:
    """A zip from anywhere. Nothing in it is written to a disk, and no size in it is believed."""

    def __init__(self, file: BinaryIO, limits: Limits = WIDE) -> None:
        check_directory(file, limits.members)
        try:
            self._zip = zipfile.ZipFile(file)
        except BROKEN as broken:
            raise BadFile("The zip is damaged and cannot be read.") from broken
        self.left = limits.bytes

    @property
    def names(self) -> list[str]:
        """Its files, without folders and what systems hide beside them."""
        return [
            info.filename
            for info in self._zip.infolist()
            if not info.is_dir() and not is_hidden(info.filename)
        ]

    def read(self, name: str, *, most: int) -> bytes:
        """A member's bytes, or one more than `most` of them."""
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
        """Count what was unpacked: a small archive may hold more than any machine."""
        self.left -= count
        if self.left < 0:
            raise BadFile("The rest of the zip unpacks to more than is accepted.")


def check_directory(file: BinaryIO, most_members: int) -> None:
    """Refuse a directory of too many members by its size, before it is read."""
    size = directory_size(file)
    if size is None:
        raise BadFile("The zip is damaged: it has no directory.")
    if size > most_members * DIRECTORY_BYTES:
        raise BadFile(f"The zip holds more than the {most_members:,} files accepted here.")


def directory_size(file: BinaryIO) -> int | None:
    """The bytes the zip's directory takes by its own account, which its reader goes by too."""
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
