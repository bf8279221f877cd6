"""Formats of log lines: text for people, JSON for programs.

A line says what happened, in which request or task. It never contains a drawing, user input, a
query string, a body, or a URL that is itself a secret (a reset link, a prediction's id). Lines name
a request by its route.
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
    """Time, level, logger, message, and the id of the request or task."""

    def __init__(self) -> None:
        super().__init__("{asctime} {levelname} {name}: {message}", style="{")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (logging's name)
        said = super().formatMessage(record)
        return f"{said} [{current()}]" if current() else said


class JsonLines(logging.Formatter):
    """One JSON object a line; `extra={"fields": …}` adds members."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()  # ignore the formats that gunicorn passes

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
    """Replaces the path of a refused or failed request, which may contain a secret, by its route.

    URLs that a browser sent (a Referer) are cut after the host. Lines of django.request about
    statuses below 500 are dropped, since the request log has them. A SuspiciousOperation, which
    anybody can cause, is logged without a traceback.
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
