"""What a pickle says, read without opening it: to open one is to run what it was made to run.

django-q2 keeps jobs and their results as pickles. For whoever looks at them the texts and numbers
in them are enough, in the order they were written.
"""

from __future__ import annotations

import pickletools
from base64 import b64decode
from collections.abc import Iterator
from typing import Final

LONGEST: Final = 20_000  # characters that are looked at; whole groups of four
CONSTANTS: Final = {"NONE": "None", "NEWTRUE": "True", "NEWFALSE": "False"}
VALUES: Final = {"int", "int_or_bool", "float", "str", "bytes", "bytes_or_str", "bytearray"}


def words_in(stored: str) -> str:
    """The values in a pickle in base64: a result, or a job with its signature behind it."""
    coded = stored[:LONGEST].split(":")[0].replace("-", "+").replace("_", "/")
    try:
        return " ".join(values_in(b64decode(f"{coded}==")))
    except ValueError:
        return "This is no pickle."


def values_in(pickled: bytes) -> Iterator[str]:
    try:
        for opcode, value, _ in pickletools.genops(pickled):
            if opcode.name in CONSTANTS:
                yield CONSTANTS[opcode.name]
            elif value is not None and VALUES & {kind.name for kind in opcode.stack_after}:
                yield str(value)
    except ValueError:
        yield "…"  # it breaks off, or goes on as no pickle does
