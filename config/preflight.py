"""The doctor's findings when the settings cannot be loaded, so that no command could run."""

from __future__ import annotations

import importlib
import json
import os
import sys

from django.core.exceptions import ImproperlyConfigured

from predictions.operation.doctor import Finding, as_json, as_text, broken, worst_state

MOST = 20  # variables
NEEDED = {"SECRET_KEY": "a stand-in so that nothing is made while we look: 0123456789"}


def refused_settings() -> list[Finding]:
    """A finding for every refused variable: remove it from the environment and load again."""
    found: list[Finding] = []
    kept = dict(os.environ)
    try:
        while len(found) < MOST:
            try:
                importlib.import_module(os.environ["DJANGO_SETTINGS_MODULE"])
            except ImproperlyConfigured as refused:
                found.append(finding_of(str(refused)))
                name = str(refused).split()[0].rstrip(":")
                if name == "DATA_DIR" or name not in os.environ:
                    break
                os.environ.pop(name)
                if name in NEEDED:
                    os.environ[name] = NEEDED[name]
            else:
                break
    finally:
        os.environ.clear()
        os.environ.update(kept)
    return found


def finding_of(message: str) -> Finding:
    return broken(
        "setting_refused",
        message,
        why="No command and no server starts.",
        todo="Mend the variable in the environment; docs/settings.md says what it may be.",
    )


def stop_where_settings_are_refused(arguments: list[str]) -> None:
    if found := refused_settings():
        said = json.dumps(as_json(found)) if "--json" in arguments else as_text(found)
        sys.stdout.write(said + "\n")
        sys.exit(worst_state(found))
