"""Words that go by a number."""

from __future__ import annotations


def counted(number: int, thing: str, things: str = "") -> str:
    """`1 file`, `2,000 files`; `things` where the plural is made of more than an `s`."""
    return f"{number:,} {thing if number == 1 else things or f'{thing}s'}"
