"""Values of a store as the bytes of JSON objects, one line each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from threerc.runtime.errors import StoreLost
from threerc.runtime.world import Versioned


def encoded(value: Mapping[str, Any]) -> bytes:
    """A value as one line of ASCII."""
    return json.dumps(value, separators=(",", ":")).encode("ascii") + b"\n"


def decoded(data: bytes, where: str) -> dict[str, Any]:
    """The value that `encoded` wrote. Raises StoreLost that says `where` there is none."""
    try:
        value = json.loads(data)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise StoreLost(f"{where} is no JSON object")
    return value


def versioned(version: int, data: bytes, where: str) -> Versioned:
    """The value that `encoded` wrote, or what is there instead, with the damage."""
    try:
        return Versioned(version, decoded(data, where))
    except StoreLost as error:
        return Versioned(version, {"text": data.decode("utf-8", "replace")}, str(error))
