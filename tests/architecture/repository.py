"""What is committed here, or would be."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BINARY = {".backup", ".png", ".onnx", ".safetensors", ".ico", ".woff2", ".npz", ".jpg", ".webp"}


def committed() -> list[Path]:
    """Files git tracks, or would track after the next `git add`."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    return [path for name in listed if (path := ROOT / name).is_file()]


def texts() -> list[tuple[str, str]]:
    """(name, text) of every text file."""
    return [
        (str(path.relative_to(ROOT)), path.read_text(encoding="utf-8"))
        for path in committed()
        if path.suffix not in BINARY
    ]
