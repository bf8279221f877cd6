"""What is shipped for containers, systemd and a Procfile host: sound, and true to the product."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from django.core.management import get_commands

from tests.operation.installation import ROOT, plain_environment

pytestmark = pytest.mark.same_on_any_database

SCRIPTS = Path(sys.executable).parent
ONLY_TRAINING = ["torch", "onnx", "onnxscript"]
# The shipped files name places that exist on the host they are for.
INSTALLED = "/opt/inkloop/.venv/bin/"


def run(*argv: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(each) for each in argv], capture_output=True, text=True, check=False, **options
    )


def commands_shipped() -> dict[str, str]:
    """Every command that starts a part of the product, by where it is written."""
    found = {}
    for line in (ROOT / "Procfile").read_text().splitlines():
        name, _, command = line.partition(": ")
        found[f"Procfile {name}"] = command
    for name, service in yaml.safe_load((ROOT / "compose.yaml").read_text())["services"].items():
        if isinstance(service.get("command"), list):
            found[f"compose {name}"] = " ".join(service["command"])
    for unit in (ROOT / "deploy/systemd").glob("*.service"):
        (command,) = re.findall(r"^ExecStart=(.*)$", unit.read_text(), re.M)
        found[unit.name] = command
    for at, line in enumerate(
        re.findall(r"^CMD (\[.*\])$", (ROOT / "Dockerfile").read_text(), re.M)
    ):
        found[f"Dockerfile {at}"] = " ".join(yaml.safe_load(line))
    return found


def test_the_dockerfile_passes_its_linter() -> None:
    done = run(SCRIPTS / "hadolint", "Dockerfile", cwd=ROOT)
    assert done.returncode == 0, done.stdout


def test_the_linter_would_find_a_fault(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM python\nRUN cd /tmp\n")
    assert run(SCRIPTS / "hadolint", tmp_path / "Dockerfile").returncode == 1


def test_the_compose_file_is_one() -> None:
    check = [SCRIPTS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec"]
    assert run(*check, "compose.yaml", cwd=ROOT).returncode == 0


def test_every_shipped_command_exists() -> None:
    commands = commands_shipped()
    assert len(commands) == 12
    for where, command in commands.items():
        called = re.search(r"manage\.py (\w+)(?: (\w+))?", command)
        if called is None:
            assert "gunicorn --config config/gunicorn.py" in command, where
            continue
        assert called[1] in get_commands(), where
        if called[1] == "work":
            assert called[2] in {None, "training"}, where


def test_a_part_that_needs_torch_is_never_started_from_the_web_image() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    trainers = [
        name
        for name, service in services.items()
        if service.get("command", [])[-2:] == ["work", "training"]
    ]
    assert trainers == ["training"]
    assert {
        name: service["build"]["target"] for name, service in services.items() if "build" in service
    } == {"setup": "web", "web": "web", "worker": "web", "training": "training"}


def test_no_secret_has_a_default() -> None:
    compose = (ROOT / "compose.yaml").read_text()
    for name in ("SECRET_KEY", "POSTGRES_PASSWORD", "ALLOWED_HOSTS"):
        assert re.findall(rf"\${{{name}(.)", compose)
        assert set(re.findall(rf"\${{{name}(..)", compose)) == {":?"}
    example = (ROOT / "deploy/env.example").read_text()
    assert re.search(r"^SECRET_KEY=$", example, re.M)
    assert re.search(r"^POSTGRES_PASSWORD=$", example, re.M)


def test_what_serves_needs_none_of_what_trains(tmp_path: Path) -> None:
    """As in the web image: every page, endpoint, job and check loads without these packages."""
    for name in ONLY_TRAINING:
        (tmp_path / f"{name}.py").write_text(f"raise ImportError('{name} is not in the web image')")
    data = tmp_path / "data"
    env = {**plain_environment(data), "PYTHONPATH": str(tmp_path)}
    for command in (["setup", "--no-static"], ["check"]):  # setup migrates and installs the base
        done = run(sys.executable, "manage.py", *command, cwd=ROOT, env=env)
        assert done.returncode == 0, f"{command}: {done.stderr}"
    refused = run(sys.executable, "-c", "import torch", cwd=ROOT, env=env)
    assert "not in the web image" in refused.stderr


def test_the_images_files_are_collected_without_a_database(tmp_path: Path) -> None:
    env = {**plain_environment(tmp_path), "DATABASE_URL": "postgres://nobody@127.0.0.1:9/none"}
    done = run(sys.executable, "manage.py", "setup", "--only-static", cwd=ROOT, env=env)
    assert done.returncode == 0, done.stderr


def test_requirements_of_the_web_image_leave_out_what_trains() -> None:
    named = re.findall(r"^([\w-]+)", (ROOT / "requirements-web.txt").read_text(), re.M)
    assert not set(named) & set(ONLY_TRAINING)
    assert (ROOT / "requirements.txt").read_text().startswith("-r requirements-web.txt\n")


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd here")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    for unit in (ROOT / "deploy/systemd").glob("*.service"):
        text = unit.read_text().replace(INSTALLED, f"{SCRIPTS}/")
        (tmp_path / unit.name).write_text(text)
    done = run("systemd-analyze", "verify", *sorted(tmp_path.iterdir()))
    said = [line for line in done.stderr.splitlines() if "inkloop-" in line]
    assert not said
