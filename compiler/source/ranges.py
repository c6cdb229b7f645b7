"""Ranges: `wn[001-200]` as host names, and addresses and MACs that count up with them."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address
from itertools import product

from threerc.compiler.wording import counted

_BRACKET = re.compile(r"\[([^\[\]]*)\]")
_COMMA = re.compile(r",(?![^\[]*\])")
"""One that parts names, not numbers within brackets."""
_SPAN = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?")
_MAC = re.compile(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}")
MOST_HOSTS = 1_000_000


class RangeError(ValueError):
    """A range that cannot be expanded; the text says why, for people."""


def is_range(name: str) -> bool:
    """Whether a name stands for several."""
    return "[" in name or "]" in name


def expand(name: str) -> list[str]:
    """The names that a range stands for, in order: `wn[01-03,07]`, `r[1-2]n[1-4]`.

    Numbers keep the width of the range's first one. Raises RangeError.
    """
    pieces = _BRACKET.split(name)
    if any("[" in text or "]" in text for text in pieces[::2]) or len(pieces) == 1:
        raise RangeError(f"`{name}` has a bracket without its partner")
    choices: list[list[str]] = []
    total = 1
    for position, piece in enumerate(pieces):
        choices.append(_numbers(piece) if position % 2 else [piece])
        total *= len(choices[-1])
        if total > MOST_HOSTS:
            raise RangeError(f"`{name}` stands for more than {MOST_HOSTS:,} names")
    return ["".join(parts) for parts in product(*choices)]


def listed(text: str) -> list[str]:
    """The names in `wn[001-040,050],gridce`, each once. Raises RangeError."""
    parts = [part.strip() for part in _COMMA.split(text)]
    if not all(parts):
        raise RangeError(f"`{text}` has a comma without a name before or after it")
    expanded = (expand(part) if is_range(part) else [part] for part in parts)
    return list(dict.fromkeys(name for each in expanded for name in each))


def _numbers(spans: str) -> list[str]:
    found: list[str] = []
    for span in spans.split(","):
        match = _SPAN.fullmatch(span.strip())
        if match is None:
            raise RangeError(f"`[{spans}]` is not a range such as [001-200] or [1-4,7]")
        first, last = match[1], match[2] or match[1]
        if int(last) < int(first):
            raise RangeError(f"the range `{span}` ends before it starts")
        if len(found) + int(last) - int(first) >= MOST_HOSTS:
            raise RangeError(f"`[{spans}]` stands for more than {MOST_HOSTS:,} names")
        width = len(first)
        found.extend(f"{number:0{width}d}" for number in range(int(first), int(last) + 1))
    if len(set(found)) < len(found):
        raise RangeError(f"`[{spans}]` names a number twice")
    return found


def addresses(text: str, count: int) -> list[IPv4Address] | list[IPv6Address]:
    """The addresses `first-last`, which have to be `count`. Raises RangeError."""
    kind, numbers = _numbered(text, count)
    return [kind(number) for number in numbers]  # type: ignore[return-value]


def address_numbers(text: str, count: int) -> range | None:
    """The same as numbers, where they are IPv4 addresses. Raises RangeError."""
    kind, numbers = _numbered(text, count)
    return numbers if kind is IPv4Address else None


def _numbered(text: str, count: int) -> tuple[type[IPv4Address | IPv6Address], range]:
    first, last = _ends(text, count, "192.168.2.1-192.168.2.200")
    if "%" in text:
        raise RangeError(f"`{text}` has a scope: that means one machine's interface")
    kind = IPv6Address if ":" in first else IPv4Address
    try:
        start, end = int(kind(first)), int(kind(last))
    except ValueError as error:
        raise RangeError(str(error)) from None
    _check(text, end - start + 1, count, "address", "addresses")
    return kind, range(start, end + 1)


def macs(text: str, count: int) -> list[str]:
    """The MAC addresses `first-last`, which have to be `count`. Raises RangeError."""
    ends = _ends(text.lower(), count, "02:00:00:00:00:01-02:00:00:00:00:c8")
    for end in ends:
        if not _MAC.fullmatch(end):
            raise RangeError(f"`{end}` is not a MAC address")
    start, stop = (int(end.replace(":", ""), 16) for end in ends)
    _check(text, stop - start + 1, count, "MAC address", "MAC addresses")
    return [number.to_bytes(6, "big").hex(":") for number in range(start, stop + 1)]


def names(text: str, count: int) -> list[str]:
    """The names a range stands for, which have to be `count`. Raises RangeError."""
    if not is_range(text):
        raise RangeError(f"`{text}` is one name for {count} hosts; write a range")
    found = expand(text)
    _check(text, len(found), count, "name", "names")
    return found


def _ends(text: str, count: int, example: str) -> tuple[str, str]:
    first, dash, last = (part.strip() for part in text.partition("-"))
    if not dash and count == 1:
        return first, first
    if not dash:
        raise RangeError(f"one value for {count} hosts; write first-last, such as {example}")
    return first, last


def _check(text: str, found: int, count: int, what: str, whats: str) -> None:
    if found != count:
        values, hosts = counted(max(found, 0), what, whats), counted(count, "host")
        raise RangeError(f"`{text}` is {values} for {hosts}")
