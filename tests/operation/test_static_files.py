"""Collected modules import each other by names that change with their content."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.core.files.storage import FileSystemStorage
from django.test import Client

from config.static_files import StaticFiles
from tests.architecture.repository import ROOT

SOURCES = FileSystemStorage(ROOT / "static")
MODULES = [str(path.relative_to(ROOT / "static")) for path in ROOT.glob("static/js/**/*.js")]
IMPORTED = re.compile(r'from "(\.[^"]+)"')


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder as `collectstatic` leaves it, of our modules alone."""
    folder = tmp_path_factory.mktemp("collected")
    storage = StaticFiles(location=folder, base_url="/static/")
    for name in MODULES:
        with SOURCES.open(name) as file:
            storage.save(name, file)
    for name, _, processed in storage.post_process({name: (storage, name) for name in MODULES}):
        assert not isinstance(processed, Exception), f"{name}: {processed}"
    return folder


def test_every_import_names_a_file_that_may_be_kept_for_ever(collected: Path) -> None:
    hashed = [
        path for path in collected.rglob("*.js") if re.search(r"\.[0-9a-f]{12}\.js$", path.name)
    ]
    assert len(hashed) >= len(MODULES)
    named = [
        path.parent / target for path in hashed for target in IMPORTED.findall(path.read_text())
    ]
    assert len(named) > 30
    assert not [path for path in named if not path.is_file() or path.resolve() not in hashed]


@pytest.mark.django_db
@pytest.mark.parametrize("folder", ["/static/", "/static/js/", "/static/../config/"])
def test_no_folder_is_listed(client: Client, folder: str) -> None:
    assert client.get(folder).status_code == 404


def test_nginx_lists_no_folder_either() -> None:
    files = list((ROOT / "deploy/nginx").iterdir())
    assert len(files) > 3
    assert not any("autoindex" in file.read_text() for file in files)
