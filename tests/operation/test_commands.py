"""./run: what it refuses, what it says, and what it skips because it is done."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.operation.installation import DRIVER, PATIENCE, ROOT, plain_environment

pytestmark = pytest.mark.same_on_any_database


@pytest.fixture(scope="module")
def run() -> ModuleType:
    """The script as a module."""
    loader = SourceFileLoader("run_script", str(ROOT / "run"))
    spec = spec_from_loader("run_script", loader)
    assert spec is not None
    module = module_from_spec(spec)
    sys.modules["run_script"] = module  # its dataclass looks itself up there
    loader.exec_module(module)
    return module


def given(folder: Path, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", DRIVER, *arguments],
        cwd=ROOT,
        env=plain_environment(folder, **extra),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.mark.parametrize("port", ["eight", "0", "65536", "80.5", "-1"])
def test_a_bad_port_is_an_error_that_names_it(tmp_path: Path, port: str) -> None:
    done = given(tmp_path, PORT=port)
    assert done.returncode == 1
    assert "PORT must be a whole number from 1 to 65535" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_taken_port_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = given(tmp_path, PORT=str(port))
    assert done.returncode == 1
    assert f"Port {port} is taken" in done.stderr
    assert "PORT=" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())  # nothing was begun


def test_an_unknown_command_is_refused_and_the_known_ones_are_told(tmp_path: Path) -> None:
    done = given(tmp_path, "fly")
    assert done.returncode == 1
    assert "no ./run fly" in done.stderr
    told = given(tmp_path, "--help")
    assert told.returncode == 0
    for command in ("./run test", "./run bench", "./run manage", "PORT="):
        assert command in told.stdout


def test_manage_hands_its_exit_code_on(tmp_path: Path) -> None:
    assert given(tmp_path, "manage", "check").returncode == 0
    assert given(tmp_path, "manage", "nothing").returncode == 1


def test_bench_lists_what_can_be_measured_and_refuses_the_rest(tmp_path: Path) -> None:
    listed = given(tmp_path, "bench")
    assert listed.returncode == 0
    assert "predict" in listed.stdout
    assert given(tmp_path, "bench", "nothing").returncode == 1


def test_an_installation_that_is_not_ready_does_not_serve(tmp_path: Path) -> None:
    done = given(tmp_path, PORT="0" * 3 + "8765", TIME_ZONE="Mars/Olympus")
    assert done.returncode == 1
    assert "TIME_ZONE must name a time zone" in done.stderr
    assert "ready: http" not in done.stdout


# -- installing --------------------------------------------------------------------------------


@pytest.fixture
def installing(run: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """./run with a virtual environment of one empty folder; what it would have run."""
    ran: list[Any] = []
    venv = tmp_path / ".venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to(sys.executable)
    for name in ("requirements.txt", "requirements-dev.txt", "constraints.txt"):
        (tmp_path / name).write_text(f"# {name}\n")
    monkeypatch.setattr(run, "VENV", venv)
    monkeypatch.setattr(run, "PYTHON", venv / "bin" / "python")
    monkeypatch.setattr(run, "REQUIREMENTS", tmp_path / "requirements.txt")
    monkeypatch.setattr(run, "DEV_REQUIREMENTS", tmp_path / "requirements-dev.txt")
    monkeypatch.setattr(run, "CONSTRAINTS", tmp_path / "constraints.txt")
    monkeypatch.setattr(run, "watch", lambda argv, **said: ran.append(argv))
    return ran


def test_packages_are_installed_once_and_again_when_a_pin_changes(
    run: ModuleType, installing: list[Any]
) -> None:
    run.install(run.REQUIREMENTS)
    run.install(run.REQUIREMENTS)
    assert len(installing) == 1
    run.CONSTRAINTS.write_text("Django==5.2.19\n")
    run.install(run.REQUIREMENTS)
    assert len(installing) == 2
    run.install(run.REQUIREMENTS, run.DEV_REQUIREMENTS)
    assert len(installing) == 3
    assert str(run.DEV_REQUIREMENTS) in installing[-1]


def test_a_failed_installation_is_tried_again(
    run: ModuleType, installing: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(argv: list[str], **said: str) -> None:
        raise run.Refusal(said["failing"])

    with monkeypatch.context() as broken:
        broken.setattr(run, "watch", fail)
        with pytest.raises(run.Refusal, match="could not be installed"):
            run.install(run.REQUIREMENTS)
    run.install(run.REQUIREMENTS)
    assert len(installing) == 1


def test_a_python_without_ensurepip_is_told_what_to_install(
    run: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(run.Refusal, match="python3-venv"):
        run.make_environment()


def test_a_long_step_says_what_it_is_at(
    run: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step ends once it was spoken of twice, or by itself if that never happens."""
    monkeypatch.setattr(run, "SILENT_AT_MOST", 0.5)
    said: list[str] = []
    may_end = tmp_path / "may end"

    def say(text: str) -> None:
        said.append(text)
        if sum("downloading torch-2.13.0, 527.2 MB" in each for each in said) == 2:
            may_end.touch()

    monkeypatch.setattr(run, "say", say)
    slow = (
        "import os, sys, time\n"
        "print('Downloading torch-2.13.0-cp311-x.whl (527.2 MB)', flush=True)\n"
        "for _ in range(1200): os.path.exists(sys.argv[1]) or time.sleep(0.1)"
    )
    run.watch(
        [sys.executable, "-c", slow, str(may_end)],
        failing="it failed",
        describe=run.describe_pip,
    )
    assert may_end.exists()
    assert said[-1].endswith("done")


def test_a_step_that_fails_shows_its_output(
    run: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(run.Refusal, match="it failed"):
        run.watch(
            [sys.executable, "-c", "print('no room on the disk'); raise SystemExit(1)"],
            failing="it failed",
        )
    assert "no room on the disk" in capsys.readouterr().out


def test_it_needs_nothing_but_the_standard_library() -> None:
    """Run by a Python that sees no installed package."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(ROOT / "run"), "--help"],
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"]},
        check=False,
    )
    assert done.returncode == 0, done.stderr
