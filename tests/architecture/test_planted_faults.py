"""The faults of `./run bench mutants` still fit the code they are planted in."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.bench.mutants import misplaced
from tests.bench.planted.every import FAULTS

ROOT = Path(__file__).resolve().parents[2]
PLANTED = [fault for faults in FAULTS.values() for fault in faults]


def test_each_stands_in_its_place_once_and_changes_it():
    assert [why for fault in PLANTED if (why := misplaced(fault))] == []
    assert [fault.name for fault in PLANTED if fault.old == fault.new] == []


def test_each_leaves_code_that_python_reads():
    for fault in PLANTED:
        ast.parse((ROOT / fault.file).read_text().replace(fault.old, fault.new), fault.name)


def test_each_names_tests_that_are_there():
    paths = {name.split("::")[0] for fault in PLANTED for name in fault.tests if "/" in name}
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []


def test_there_are_enough_and_no_two_share_a_name():
    assert len({fault.name for fault in PLANTED}) == len(PLANTED) >= 80


def test_one_whose_text_is_gone_or_doubled_is_told(tmp_path: Path):
    fault = PLANTED[0]._replace(file="code.py", old="a > b")
    (tmp_path / "code.py").write_text("a > b\n")
    assert misplaced(fault, tmp_path) == ""
    for text, times in (("a >= b\n", 0), ("a > b\na > b\n", 2)):
        (tmp_path / "code.py").write_text(text)
        assert f"has {times} times, not once" in misplaced(fault, tmp_path)
