"""How wide text is, without a font at hand: upper bounds, so that it never leaves its box.

The widths are those of Verdana and DejaVu Sans, the widest of the fonts that the drawing names.
"""

from __future__ import annotations

from functools import cache

_BOLD = {
    **dict.fromkeys(" ,.:;'ijl|", 0.40),
    **dict.fromkeys("!()*-/I[\\]_`frtJ", 0.56),
    **dict.fromkeys("abcdeghknopqsuvxyz0123456789?$", 0.73),
    **dict.fromkeys('#+<=>^~"', 0.95),
    **dict.fromkeys("mMwW@", 1.15),
    "%": 1.28,
}
_CAPITAL = 0.87
_FOREIGN = 1.0
_WIDEST = 1.6
_REGULAR = 0.91
"""Width of regular letters in terms of bold ones."""
_NARROWEST = min(_BOLD.values()) * _REGULAR


@cache
def _em(letter: str) -> float:
    if letter in _BOLD:
        return _BOLD[letter]
    if letter.isascii():
        return _CAPITAL
    return _FOREIGN if is_common(letter) else _WIDEST


def is_common(letter: str) -> bool:
    """Whether a letter is Latin, Greek or Cyrillic, whose widths are much the same everywhere."""
    return letter < "\u0530"


def width(text: str, size: int, *, bold: bool = False) -> float:
    """The most that a text takes, in the units of its font size."""
    return sum(map(_em, text)) * size * (1 if bold else _REGULAR)


def elide(text: str, size: int, room: float, *, bold: bool = False) -> str:
    """The text, or its beginning with an ellipsis, so that it fits."""
    longest = int(room / (size * _NARROWEST)) + 1
    if len(text) <= longest and width(text, size, bold=bold) <= room:
        return text
    text = text[:longest]
    while text and width(f"{text}…", size, bold=bold) > room:
        text = text[:-1]
    return f"{text.rstrip()}…"


def wrap(text: str, size: int, room: float, lines: int = 2, *, bold: bool = False) -> list[str]:
    """The text in at most so many lines, broken at spaces; what is beyond is elided."""
    found: list[str] = []
    for word in text.split():
        longer = f"{found[-1]} {word}" if found else word
        if found and width(longer, size, bold=bold) <= room:
            found[-1] = longer
        elif len(found) < lines:
            found.append(word)
        else:
            return [
                elide(line, size, room, bold=bold) for line in _cut(found, size, room, bold=bold)
            ]
    return [elide(line, size, room, bold=bold) for line in found]


def _cut(lines: list[str], size: int, room: float, *, bold: bool) -> list[str]:
    """The lines, the last with an ellipsis after as many whole words as leave room for it."""
    last = lines[-1]
    while " " in last and width(f"{last} …", size, bold=bold) > room:
        last = last.rpartition(" ")[0]
    return [*lines[:-1], f"{last} …"]
