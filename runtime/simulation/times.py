"""Times and durations as people write them in a scenario."""

from __future__ import annotations

import re
from datetime import datetime, tzinfo
from typing import Final

from pydantic_core import PydanticCustomError

_PARTS: Final = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?")
_SECONDS: Final = (86400, 3600, 60, 1)
_CLOCK: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d):([0-5]\d)")
_DAY: Final = 86400


def duration(text: object) -> float:
    """Seconds of `90s`, `1h30m`, `2d`; a number is seconds already."""
    if isinstance(text, (int, float)) and not isinstance(text, bool) and text >= 0:
        return float(text)
    match = _PARTS.fullmatch(str(text))
    if not match or not any(match.groups()):
        raise PydanticCustomError("duration", "not a duration such as 90s, 5m or 1h30m")
    parts = (float(part or 0) for part in match.groups())
    return sum(part * unit for part, unit in zip(parts, _SECONDS, strict=True))


def moment(text: str, zone: tzinfo) -> float:
    """The moment of `2008-12-14 04:25:00`, in seconds since the epoch."""
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=zone).timestamp()
    except ValueError:
        raise PydanticCustomError("moment", "not a time such as 2008-12-14 04:25:00") from None


def is_time(text: object) -> str:
    """Refuse what `after` does not understand."""
    if not isinstance(text, str) or not (_CLOCK.fullmatch(text) or text.startswith("+")):
        raise PydanticCustomError("time", "not a time such as 04:29:40 or, from the start, +10m")
    if text.startswith("+"):
        duration(text[1:])
    return text


def after(start: float, text: str, zone: tzinfo) -> float:
    """The moment of `+10m`, or the first `04:29:40` that is not before the start."""
    if text.startswith("+"):
        return start + duration(text[1:])
    hour, minute, second = map(int, text.split(":"))
    day = datetime.fromtimestamp(start, zone)
    found = day.replace(hour=hour, minute=minute, second=second, microsecond=0).timestamp()
    return found if found >= start else found + _DAY
