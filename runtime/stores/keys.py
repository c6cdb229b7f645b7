"""What keys and names a store takes: no path tricks, nothing that a shell stumbles on."""

from __future__ import annotations

import re
from typing import Final

_GROUP: Final = r"[a-z]+/"
_NAME: Final = r"[A-Za-z0-9*][A-Za-z0-9._*-]{0,199}"
_KEY: Final = re.compile(rf"(?:{_GROUP})?{_NAME}")
_PREFIX: Final = re.compile(_GROUP)
_LAST: Final = re.compile(_NAME)
_VM: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,199}")


def checked_key(key: str) -> str:
    """A key such as `vm/gridce` or `brake`. Raises ValueError where it is none."""
    return _checked(_KEY, key, "key")


def checked_prefix(prefix: str) -> str:
    """What all keys of a group start with, such as `vm/`. Raises ValueError where it is none."""
    return _checked(_PREFIX, prefix, "prefix")


def checked_vm(name: str) -> str:
    """The name of a VM. Raises ValueError where it is none."""
    return _checked(_VM, name, "VM")


def is_name(text: str) -> bool:
    """Whether a text can be the last part of a key."""
    return _LAST.fullmatch(text) is not None


def _checked(pattern: re.Pattern[str], text: str, what: str) -> str:
    if not pattern.fullmatch(text):
        raise ValueError(f"no {what} of a store: {text!r}")
    return text
