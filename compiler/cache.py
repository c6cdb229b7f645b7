"""What may be kept from one run to the next, in the user's cache, and removed at any time.

Source: XDG Base Directory Specification.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

_DIGEST: Final = 16
"""Bytes at the beginning of each file: the digest of the rest."""


def load(name: str) -> dict[str, Any]:
    """The JSON that is kept under a name; empty where there is none, or where it is damaged."""
    found = json.loads(read(name) or b"{}")
    return found if isinstance(found, dict) else {}


def save(name: str, value: dict[str, Any]) -> None:
    """Keep a value as JSON under a name, if it can be kept."""
    write(name, json.dumps(value, separators=(",", ":")).encode())


def read(name: str) -> bytes:
    """What is kept under a name; empty where there is nothing, or where it is damaged."""
    with suppress(OSError), _folder() as folder:
        handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=folder)
        with os.fdopen(handle, "rb") as stream:
            digest, content = stream.read(_DIGEST), stream.read()
        return content if digest == _digest(content) else b""
    return b""


def write(name: str, content: bytes) -> None:
    """Keep something under a name, if it can be kept: others see it whole or not at all."""
    with suppress(OSError), _folder() as folder:
        beside = f".{name}.{secrets.token_hex(4)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        handle = os.open(beside, flags, 0o600, dir_fd=folder)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(_digest(content) + content)
            os.replace(beside, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            os.unlink(beside, dir_fd=folder)
            raise


@contextmanager
def _folder() -> Iterator[int]:
    """The folder, opened, so that nobody can put another one in its place.

    With sudo HOME may be somebody else's: root neither believes nor writes what is there. Raises
    OSError where there can be no folder, or where others may write it.
    """
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not base:
        home = Path(os.environ.get("HOME") or "nowhere")
        _check(home.stat())
        base = f"{home}/.cache"
    folder = Path(base) / "3rc"
    if not folder.is_absolute():
        raise NotADirectoryError(base)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        _check(os.fstat(handle))
        yield handle
    finally:
        os.close(handle)


def _check(about: os.stat_result) -> None:
    """Raise PermissionError for a folder of somebody else, or that others may write."""
    if about.st_uid != os.geteuid() or about.st_mode & 0o022:
        raise PermissionError


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=_DIGEST).digest()
