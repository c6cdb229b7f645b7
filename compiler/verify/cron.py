"""cron: every line parsed back, times enumerated, the controllers' minutes compared."""

from __future__ import annotations

import re
from collections.abc import Iterator

from threerc.compiler.verify.base import Checker, Failure, Staged

_LIMITS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_STEP = re.compile(r"(?:\*|(\d+)(?:-(\d+))?)(?:/(\d+))?")
_VARIABLE = re.compile(r"[A-Z]+=\S.*")
_LINE = re.compile(r"((?:\S+ ){5})([a-z_][a-z0-9_-]*) (\S.*)")
_CONTROLLERS = "/etc/cron.d/ha"


def enumerate_field(field: str, first: int, last: int) -> frozenset[int]:
    """The values that a field of crontab(5) stands for. Raises ValueError."""
    values: set[int] = set()
    for part in field.split(","):
        match = _STEP.fullmatch(part)
        if match is None:
            raise ValueError(f"`{part}` is not a time")
        low = int(match[1]) if match[1] else first
        high = int(match[2]) if match[2] else (low if match[1] and not match[3] else last)
        step = int(match[3] or 1)
        if not first <= low <= high <= last or step < 1:
            raise ValueError(f"`{part}` is not within {first}-{last}")
        values.update(range(low, high + 1, step))
    return frozenset(values)


def times(fields: str) -> tuple[frozenset[int], ...]:
    """Minutes, hours, days, months and weekdays of five fields. Raises ValueError."""
    return tuple(
        enumerate_field(field, first, last)
        for field, (first, last) in zip(fields.split(), _LIMITS, strict=True)
    )


def _check(staged: Staged) -> Iterator[Failure]:
    acting: dict[int, str] = {}
    for path, file in staged.files("cron"):
        text = file.read_text(encoding="utf-8")
        if not text.endswith("\n"):
            yield Failure(path, 0, "cron ignores a last line without its end")
        for number, line in enumerate(text.splitlines(), 1):
            if not line or line.startswith("#") or _VARIABLE.fullmatch(line):
                continue
            try:
                minutes = _minutes(line)
            except ValueError as error:
                yield Failure(path, number, str(error))
                continue
            if path.endswith(_CONTROLLERS):
                yield from _shared(path, number, minutes, acting)


def _minutes(line: str) -> frozenset[int]:
    """The minutes in which a line of cron.d acts. Raises ValueError where it is none."""
    match = _LINE.fullmatch(line)
    if match is None:
        raise ValueError("not five time fields, a user and a command")
    if re.search(r"(?<!\\)%", match[3]):
        raise ValueError("an unescaped % ends the command")
    return times(match[1])[0]


def _shared(
    path: str, number: int, minutes: frozenset[int], acting: dict[int, str]
) -> Iterator[Failure]:
    """Two controllers never act in one minute (thesis 8.6.2)."""
    others = sorted({acting[minute] for minute in minutes if minute in acting})
    if others:
        yield Failure(path, number, f"acts in the same minutes as {', '.join(others)}")
    acting.update(dict.fromkeys(minutes, path))


CHECKER = Checker("cron", "", "", _check)
