"""The reference that is written by the code itself: `python -m tests.reference` renews docs/."""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = ROOT / "docs" / "commands.md"
OURS = ("predictions", "labeling", "training", "dashboard")
# What every command of Django's has as well.
COMMON = {
    "help", "version", "verbosity", "settings", "pythonpath", "traceback", "no_color",
    "force_color", "skip_checks",
}  # fmt: skip
HEADING = """# Commands

`./run manage NAME` on a laptop, `python manage.py NAME` elsewhere; `--help` says the same as this
page, which is written from it. `./run --help` tells of `./run` itself.
"""


def commands_page() -> str:
    """Every command of ours with what it takes, by the app it belongs to."""
    from django.core.management import get_commands, load_command_class

    parts = [HEADING]
    found = {name: app for name, app in get_commands().items() if app in OURS}
    for app in OURS:
        names = sorted(name for name, where in found.items() if where == app)
        if not names:
            continue
        parts.append(f"\n## {app}\n")
        for name in names:
            command = load_command_class(app, name)
            parts.append(section(name, command.create_parser("manage.py", name), command.help))
    return "".join(parts)


def section(name: str, parser: argparse.ArgumentParser, promise: str) -> str:
    actions = [
        action
        for action in parser._actions
        if action.dest not in COMMON or not action.option_strings  # a model's version is no flag
    ]
    lines = [f"\n### {name}\n\n{plain(promise)}\n"]
    if actions:
        lines.append("\n| takes | |\n| --- | --- |\n")
        lines += [f"| {called(action)} | {told(action)} |\n" for action in actions]
    return "".join(lines)


def called(action: argparse.Action) -> str:
    value = ""
    if action.nargs != 0:
        choices = "|".join(str(choice) for choice in action.choices or () if choice != "")
        shown = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
        value = choices or shown
        if action.nargs in ("*", "+"):
            value += "…"
    names = ", ".join(action.option_strings)
    text = f"{names} {value}".strip() if names else value
    if not action.option_strings and action.nargs in ("?", "*"):
        text = f"[{text}]"
    return f"`{text}`".replace("|", "\\|")


def told(action: argparse.Action) -> str:
    text = plain(action.help or "")
    default = action.default
    has_default = default not in (None, False, argparse.SUPPRESS, "", []) and action.nargs != 0
    if has_default and "%(default)" not in text and action.option_strings:
        text += f" (default: {default})" if text else f"default: {default}"
    return text.replace("%(default)s", str(default))


def plain(text: object) -> str:
    return re.sub(r"\s+", " ", str(text)).strip().replace("|", "\\|")


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()
    COMMANDS.write_text(commands_page())
    sys.stdout.write(f"{COMMANDS.relative_to(ROOT)} is written.\n")


if __name__ == "__main__":
    main()
