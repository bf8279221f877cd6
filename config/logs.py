"""How a log line looks: for people, or one JSON object for programs.

A line says what happened and by which request or job; never what somebody drew or typed, no
query string, no body, no address of a page that is itself a secret (a reset link, a prediction's
id): where a request is meant, its route stands.
"""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import SuspiciousOperation

from predictions.operation.trace import current, route_of


class TextLines(logging.Formatter):
    """Time, level, who says it, what; and the request or job it was said in."""

    def __init__(self) -> None:
        super().__init__("{asctime} {levelname} {name}: {message}", style="{")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (logging's name)
        said = super().formatMessage(record)
        return f"{said} [{current()}]" if current() else said


class JsonLines(logging.Formatter):
    """One object a line; `extra={"fields": …}` adds members of its own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()  # gunicorn passes formats that mean nothing here

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "process": record.process,
        }
        if request_id := current():
            line["request_id"] = request_id
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


PATH_BEHIND_HOST = re.compile(r"(\bhttps?://[^/\s]*)/\S*")


class WithoutPaths(logging.Filter):
    """Django names a refused or failed request by its path: a secret may stand there.

    The route takes its place, and addresses that a browser sent along end behind their host. A
    refusal (4xx) that says no more than its status is left to the line of the request itself, and
    what a stranger can bring about at will has no traceback.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and isinstance(record.exc_info[1], SuspiciousOperation):
            record.exc_info = None
        request = getattr(record, "request", None)
        if request is None:
            return True
        if record.name == "django.request" and getattr(record, "status_code", 500) < 500:
            return False
        if isinstance(record.args, tuple):
            record.args = tuple(
                route_of(request)
                if said == request.path
                else PATH_BEHIND_HOST.sub(r"\1", said)
                if isinstance(said, str)
                else said
                for said in record.args
            )
        return True
