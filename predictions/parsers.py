from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser


class StrictJSONParser(JSONParser):
    """JSON whose nesting cannot exhaust the stack, and whose text can be written as UTF-8."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        try:
            parsed: dict[str, Any] = super().parse(stream, media_type, parser_context)
        except (RecursionError, UnicodeDecodeError) as bad:
            raise ParseError("The JSON is nested too deeply or is not UTF-8.") from bad
        if not isinstance(parsed, dict):
            raise ParseError("The JSON must be an object.")
        return parsed
