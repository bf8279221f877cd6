"""What would run or believe input is not in the code: read from the sources themselves."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.db import models

from tests.architecture.repository import ROOT

OURS = ("config", "predictions", "labeling", "training", "dashboard")
RUNS = {"eval", "exec", "compile", "__import__"}
RUNS_OF = {  # by module
    "os": {"system", "popen"},
    "pickle": {"load", "loads", "Unpickler"},
    "marshal": {"load", "loads"},
    "subprocess": {"getoutput", "getstatusoutput"},
    "hashlib": {"md5", "sha1", "new"},
    "yaml": {"load"},
}
PATTERNS = {"compile", "match", "fullmatch", "search", "sub", "split", "findall", "finditer"}


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Every call in our own code, and where it stands."""
    for app in OURS:
        for path in sorted((ROOT / app).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call):
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def module_and_name(call: ast.Call) -> tuple[str, str]:
    """`("", "eval")`, `("os", "system")`; of what is called otherwise nothing."""
    called = call.func
    if isinstance(called, ast.Name):
        return "", called.id
    if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name):
        return called.value.id, called.attr
    return "", ""


def test_nothing_evaluates_text_opens_a_pickle_or_uses_a_broken_hash() -> None:
    found = [
        place
        for place, call in calls()
        for module, name in [module_and_name(call)]
        if (not module and name in RUNS) or name in RUNS_OF.get(module, ())
    ]
    assert found == []


def test_no_program_is_started_through_a_shell() -> None:
    found = [
        place
        for place, call in calls()
        for given in call.keywords
        if given.arg == "shell"
        and not (isinstance(given.value, ast.Constant) and not given.value.value)
    ]
    assert found == []


def is_written_out(pattern: ast.expr) -> bool:
    """A text in the source, or one put together from names in capitals."""
    if isinstance(pattern, ast.Constant):
        return True
    if isinstance(pattern, ast.JoinedStr):
        return all(
            isinstance(part, ast.Constant)
            or (isinstance(part, ast.FormattedValue) and is_written_out(part.value))
            for part in pattern.values
        )
    return isinstance(pattern, ast.Name) and pattern.id.isupper()


def test_no_regular_expression_is_made_of_input() -> None:
    found = [
        place
        for place, call in calls()
        if module_and_name(call)[0] == "re"
        and module_and_name(call)[1] in PATTERNS
        and not is_written_out(call.args[0])
    ]
    assert found == []


def test_no_template_is_made_of_text() -> None:
    found = [
        place
        for place, call in calls()
        if module_and_name(call)[1] in {"Template", "from_string", "mark_safe"}
    ]
    assert found == []


# Help texts of Django's password forms are lists in HTML; a mail is plain text.
UNESCAPED = {"_form.html", "password_reset_email.html"}


def test_templates_switch_no_escaping_off() -> None:
    off = re.compile(r"\|\s*safe\b|autoescape off|\bsafeseq\b")
    pages = sorted((ROOT / "templates").rglob("*.html"))
    assert len(pages) > 20
    assert {page.name for page in pages if off.search(page.read_text())} == UNESCAPED


SCRIPTS = sorted((ROOT / "static/js").rglob("*.js"))
WRITES_HTML = re.compile(
    r"\.(innerHTML|outerHTML)\s*=|insertAdjacentHTML|document\.write|\beval\(|new Function"
)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda each: each.name)
def test_a_script_of_ours_writes_text_as_text_and_evaluates_nothing(script: Path) -> None:
    assert not WRITES_HTML.search(script.read_text())


def test_what_is_uploaded_becomes_rows_and_no_file_that_could_be_served() -> None:
    fields = [field for model in apps.get_models() for field in model._meta.get_fields()]
    assert len(fields) > 100
    assert not [field for field in fields if isinstance(field, models.FileField)]
