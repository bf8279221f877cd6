"""Show the values in a pickle without loading it, because loading can run code.

django-q2 stores jobs and results as pickles. The admin shows the texts and numbers in them, in the
order they were written.
"""

from __future__ import annotations

import pickletools
from base64 import b64decode
from collections.abc import Iterator
from typing import Final

LONGEST: Final = 20_000  # characters that are read; a multiple of 4 for base64
CONSTANTS: Final = {"NONE": "None", "NEWTRUE": "True", "NEWFALSE": "False"}
VALUES: Final = {"int", "int_or_bool", "float", "str", "bytes", "bytes_or_str", "bytearray"}


def words_in(stored: str) -> str:
    """The values in a base64 pickle: a result, or a job followed by its signature."""
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
        yield "…"  # the pickle was cut or is invalid
