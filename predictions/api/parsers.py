from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any, Final, NoReturn

from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

# A thousand tasks of Label Studio's have tens of thousands of members and elements together. Three
# bytes of such a part become 70 in memory.
MOST_PARTS: Final = 200_000


class StrictJSONParser(BaseParser):
    """JSON that exhausts neither stack nor memory, and whose text can be written as UTF-8.

    Not the framework's: that one takes no body beyond DATA_UPLOAD_MAX_MEMORY_SIZE, whatever the
    endpoint takes. How long a body may be, `limits.py` has looked at.
    """

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        body = stream.read()
        # Counted before anything is made of them, those within texts too; base64 has none.
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
    """NaN and the infinities are no JSON."""
    raise ValueError(f"Out of range float values are not JSON compliant: {name!r}")
