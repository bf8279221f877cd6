from __future__ import annotations

import subprocess
import sys

import pytest

from tests.everything import ROOT
from training.workers.die_with_parent import LIBC

LARGE = """
import resource
{first}
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
bytearray(48 << 20)  # more than glibc ever keeps by itself
before = faults()
for _ in range(5):
    bytearray(48 << 20)
print(faults() - before)
"""
KEEP = "from training.workers.memory import keep_freed_memory; keep_freed_memory()"


@pytest.mark.skipif(not hasattr(LIBC, "mallopt"), reason="glibc alone can be told")
def test_a_large_block_that_was_freed_is_there_for_the_next_one_without_the_system() -> None:
    def faults(first: str) -> int:
        command = [sys.executable, "-c", LARGE.format(first=first)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        return int(done.stdout)

    assert faults(KEEP) < 100
    assert faults("") > 1000
