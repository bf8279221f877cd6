"""Every command of ours: words a newcomer understands, an object for programs, an honest code."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command, get_commands, load_command_class

from tests.reference import COMMON, OURS

NAMES = sorted(name for name, app in get_commands().items() if app in OURS)
# No result to print as an object, and why.
NO_JSON = {
    "changepassword": "is Django's, and asks for the password",
    "export_labels": "writes its file to standard output",
    "fetch_mnist": "brings files",
    "install_base": "names one version",
    "setup": "is for whoever starts an installation",
    "train_base": "tells its epochs, and writes a card of JSON",
    "train_run": "is started by the workers; the run's row is the result",
    "work": "does not end",
}


def parser_of(name: str) -> tuple[Any, argparse.ArgumentParser]:
    command = load_command_class(get_commands()[name], name)
    return command, command.create_parser("manage.py", name)


def own_arguments(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        if action.dest not in COMMON or not action.option_strings:
            yield action


@pytest.mark.parametrize("name", NAMES)
def test_it_says_what_it_does_and_what_it_takes(name: str) -> None:
    command, parser = parser_of(name)
    assert len(command.help) > 60
    assert command.help.endswith(".")
    assert not [action.dest for action in own_arguments(parser) if not action.help]


@pytest.mark.parametrize("name", NAMES)
def test_its_result_can_be_had_as_an_object(name: str) -> None:
    _, parser = parser_of(name)
    has_json = any("--json" in action.option_strings for action in own_arguments(parser))
    assert has_json != (name in NO_JSON)


def test_no_reason_is_kept_for_a_command_that_is_gone() -> None:
    assert set(NO_JSON) <= set(NAMES)


QUIET: list[list[str]] = [  # what can be asked of an installation without a drawing
    ["doctor", "--quick"],
    ["queue"],
    ["suspects"],
    ["rebuild_labels"],
    ["rebuild_cube", "--check"],
    ["replay"],
    ["revoke_token", "--account", "nobody"],
    ["export_wrong", "FOLDER"],
    ["export_stats", "FOLDER"],
]


@pytest.mark.django_db
@pytest.mark.parametrize("asked", QUIET, ids=lambda asked: asked[0])
def test_standard_output_is_one_object_and_nothing_else(
    asked: list[str], tmp_path: Path, live_version: Any
) -> None:
    arguments = [each.replace("FOLDER", str(tmp_path / "made")) for each in asked]
    out = io.StringIO()
    with contextlib.suppress(SystemExit):  # the doctor's code says how bad it is
        call_command(*arguments, "--json", "--verbosity=0", stdout=out, stderr=io.StringIO())
    assert isinstance(json.loads(out.getvalue()), dict)


REFUSED: list[list[str]] = [
    ["add_gold", "--count", "5"],
    ["create_token", "nobody", "--name", "x", "--scope", "read"],
    ["digit_map", "nothing"],
    ["erase_visitor", "--user", "nobody"],
    ["export_labels", "--after", "00000000-0000-4000-8000-000000000000"],
    ["export_stats", "FOLDER", "--filter", "years=1"],
    ["gate", "nothing"],
    ["import_digits", "FOLDER"],
    ["import_labels", "FOLDER/labels.csv", "--yes"],
    ["lineage", "00000000-0000-4000-8000-000000000000"],
    ["predict", "FOLDER"],
    ["promote", "nothing", "--why", "x"],
    ["reproduce", "nothing"],
    ["restore", "FOLDER/nothing"],
    ["retrain"],
    ["revoke_token", "00000000"],
    ["rollback", "--why", "x"],
    ["suspects", "--yes"],
    ["withdraw", "--labeler", "nobody"],
]


@pytest.mark.django_db
@pytest.mark.parametrize("asked", REFUSED, ids=lambda asked: asked[0])
def test_what_cannot_be_done_is_an_error_in_words(
    asked: list[str], tmp_path: Path, live_version: Any
) -> None:
    """A CommandError, which `manage.py` ends with 1; never a traceback, never 0."""
    arguments = [each.replace("FOLDER", str(tmp_path / "nowhere")) for each in asked]
    with pytest.raises(CommandError) as refused:
        call_command(*arguments, stdout=io.StringIO(), stderr=io.StringIO())
    assert refused.value.returncode == 1
    assert str(refused.value)
