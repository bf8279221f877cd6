"""A labeler's page as a program: a session, a connection that is kept, and JSON."""

from __future__ import annotations

import http.client
import json
from typing import Any

CSRF = "x" * 32  # the cookie and the header have to agree; nothing more is asked of loopback
LABELS = "/api/v1/labels/"

PROXY_GAVE_UP = {502, 504}  # the host behind it was not reached, or was lost on the way


class Unknown(Exception):
    """No answer came: it may have been done or not."""


class Page:
    timeout = 30.0  # seconds

    def __init__(self, port: int, session: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=self.timeout)
        self.headers = {
            "Cookie": f"sessionid={session}; csrftoken={CSRF}",
            "X-CSRFToken": CSRF,
            "Content-Type": "application/json",
        }

    def post(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        try:
            self.connection.request("POST", LABELS + path, json.dumps(body), self.headers)
            answer = self.connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as broken:
            self.connection.close()
            raise Unknown(str(broken)) from broken
        if answer.status in PROXY_GAVE_UP:
            raise Unknown(f"the proxy answered {answer.status}")
        return answer.status, json.loads(content) if content else {}
