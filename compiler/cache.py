"""What may be kept from one run to the next, in the user's cache, and removed at any time.

Source: XDG Base Directory Specification.
"""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any


def load(name: str) -> dict[str, Any]:
    """The JSON that is kept under a name; nothing where there is none, or where it is damaged."""
    try:
        found = json.loads(read(name))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def save(name: str, value: dict[str, Any]) -> None:
    """Keep a value as JSON under a name, if it can be kept."""
    write(name, json.dumps(value, separators=(",", ":")).encode())


def read(name: str) -> bytes:
    """What is kept under a name; empty where there is nothing."""
    folder = _folder()
    try:
        return b"" if folder is None else (folder / name).read_bytes()
    except OSError:
        return b""


def write(name: str, content: bytes) -> None:
    """Keep something under a name, if it can be kept: others see it whole or not at all."""
    folder = _folder()
    if folder is None:
        return
    with suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, beside = tempfile.mkstemp(prefix=".", dir=folder)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(content)
            Path(beside).replace(folder / name)
        except BaseException:
            Path(beside).unlink()
            raise


def _folder() -> Path | None:
    """The folder, which may be missing; None where there can be none, or it would be another's.

    With sudo HOME may be somebody else's: root neither believes nor writes what is there.
    """
    base = os.environ.get("XDG_CACHE_HOME") or f"{os.environ.get('HOME', '')}/.cache"
    folder = Path(base) / "3rc"
    if not folder.is_absolute() or base == "/.cache":
        return None
    there = next(each for each in (folder, *folder.parents) if each.exists())
    about = there.stat()
    return folder if about.st_uid == os.geteuid() and not about.st_mode & 0o022 else None
