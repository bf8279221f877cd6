from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any, Final, NoReturn

from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

# Members and elements of a body. 1,000 Label Studio tasks have tens of thousands of them. A part of
# 3 bytes takes 70 in memory.
MOST_PARTS: Final = 200_000


class StrictJSONParser(BaseParser):
    """Parses a JSON object in UTF-8 and exhausts neither stack nor memory.

    DRF's parser refuses bodies above DATA_UPLOAD_MAX_MEMORY_SIZE, even if the endpoint takes more.
    Here `access/limits.py` has already checked the length of the body.
    """

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        body = stream.read()
        # Counted before parsing, so those within strings count too; base64 has none.
        if (parts := sum(body.count(mark) for mark in (b",", b"[", b"{"))) > MOST_PARTS:
            raise ParseError(f"The JSON has {parts:,} parts; {MOST_PARTS:,} are accepted.")
        try:
            parsed = json.loads(body.decode(), parse_constant=refuse)
        except (RecursionError, UnicodeDecodeError) as bad:
            raise ParseError("The JSON is nested too deeply or is not UTF-8.") from bad
        except ValueError as bad:
            raise ParseError(f"JSON parse error - {bad}") from bad
        if not isinstance(parsed, dict):
            raise ParseError("The JSON must be an object.")
        return parsed


def refuse(name: str) -> NoReturn:
    """NaN and the infinities are not JSON."""
    raise ValueError(f"Out of range float values are not JSON compliant: {name!r}")
