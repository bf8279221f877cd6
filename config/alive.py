"""`python -m config.alive`: 0 if the local web server is alive. Only the standard library."""

from __future__ import annotations

import http.client
import os
import sys


def is_alive(port: int) -> bool:
    """Whether /healthz answers with 200."""
    host = os.environ.get("ALLOWED_HOSTS", "").split(",")[0].strip().lstrip(".")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2.0)
    try:
        connection.request("GET", "/healthz", headers={"Host": host or "127.0.0.1"})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if is_alive(int(os.environ.get("PORT") or 8000)) else 1)
