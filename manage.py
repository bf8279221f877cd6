#!/usr/bin/env python3
from __future__ import annotations

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    if sys.argv[1:2] == ["doctor"]:
        from config.preflight import stop_where_settings_are_refused

        stop_where_settings_are_refused(sys.argv[2:])
    execute_from_command_line(sys.argv)
