"""Imports run downwards, and the pure parts know nothing of Django."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.repository import ROOT
from tests.operation.installation import plain_environment

APPS = ["predictions", "labeling", "training", "dashboard"]  # lowest first
PURE = [
    "predictions/shares.py",
    *(
        f"training/trials/{name}.py"
        for name in ("ahead", "evidence", "harm", "likelihood", "outcomes", "pairs", "sentences")
    ),
    "training/workers/die_with_parent.py",
]
PURE_FOLDERS = ["predictions/glyphs", "training/engine"]
FRAMEWORKS = {"django", "rest_framework", "django_q", "config"}


def imports_of(path: Path) -> Iterator[str]:
    """Every module named in an import, also in one inside a function."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative imports hide where a module is"
            yield node.module or ""


def packages_imported_by(paths: list[Path]) -> dict[str, set[str]]:
    return {
        str(path.relative_to(ROOT)): {name.split(".")[0] for name in imports_of(path)}
        for path in paths
    }


@pytest.mark.parametrize("app", APPS)
def test_no_app_imports_one_above_it(app: str) -> None:
    above = {*APPS[APPS.index(app) + 1 :], "config", "tests"}
    files = packages_imported_by(sorted((ROOT / app).rglob("*.py")))
    assert files
    assert not {name: imported & above for name, imported in files.items() if imported & above}


def test_the_pure_parts_import_no_framework() -> None:
    files = [ROOT / name for name in PURE]
    for folder in PURE_FOLDERS:
        files += sorted((ROOT / folder).rglob("*.py"))
    imported = packages_imported_by(files)
    assert not {name: found & FRAMEWORKS for name, found in imported.items() if found & FRAMEWORKS}


# What the training process loads besides the engine, always from within a function.
TRAINING_PROCESS = {"training/runs/fine_tune.py", "training/management/commands/train_base.py"}


@pytest.mark.parametrize("app", ["config", "predictions", "labeling", "dashboard"])
def test_only_training_reaches_torch(app: str) -> None:
    files = packages_imported_by(sorted((ROOT / app).rglob("*.py")))
    reaching = {name for name, found in files.items() if "torch" in found}
    assert not reaching


# Of these only what does the work asks, within a function.
HEAVY: dict[str, set[str]] = {"scipy": set(), "sklearn": {"dashboard/replay/clusters.py"}}


@pytest.mark.parametrize("package", HEAVY)
def test_only_jobs_reach_heavy_packages(package: str) -> None:
    files = [path for app in [*APPS, "config"] for path in sorted((ROOT / app).rglob("*.py"))]
    reaching = {name for name, found in packages_imported_by(files).items() if package in found}
    assert reaching == HEAVY[package]


# What every command loads and what the workers run; training is in a process of its own. What a
# web process loads is asked of a real one, in tests/operation/test_web_process.py.
WORKER = """
import sys
import django
django.setup()
from django.core.checks import run_checks
run_checks()
import dashboard.tasks, training.workers.cluster, training.tasks
heavy = {"torch", "torchvision", "onnx", "scipy", "sklearn"}
print(sorted({name.split(".")[0] for name in sys.modules} & heavy))
"""


def test_commands_and_workers_have_not_loaded_torch(tmp_path: Path) -> None:
    environment = plain_environment(
        tmp_path, DJANGO_SETTINGS_MODULE="config.settings", DEBUG="true", LOG_LEVEL="error"
    )
    done = subprocess.run(
        [sys.executable, "-c", WORKER],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
