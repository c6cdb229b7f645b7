"""What readers share: files as text, and MAC addresses as people spell them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from threerc.compiler.findings import Place, ThreeRcError

_HEX = re.compile(r"[0-9A-Fa-f]{1,2}(?:([:-])[0-9A-Fa-f]{1,2})(?:\1[0-9A-Fa-f]{1,2}){4}")
_DOTS = re.compile(r"[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}")
TEMPLATE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}")
"""What templating left behind: Jinja's expressions, statements and comments."""


def read_text(path: Path) -> str:
    """The text of a file; bytes that are no UTF-8 are taken for Latin-1, as in old comments.

    Raises ThreeRcError where it cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ThreeRcError(f"{path}: {error.strerror or error}") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def lines_of(path: Path) -> Iterator[tuple[Place, str, str]]:
    """Each line of a file of words: its place, what it says, and its comment."""
    for number, line in enumerate(read_text(path).split("\n"), 1):
        said, _, comment = line.partition("#")
        yield Place(str(path), number, 1), said.strip(), comment.strip()


def mac_of(text: str) -> str | None:
    """A MAC address as 3RC spells it, or None where the text is none."""
    if _DOTS.fullmatch(text):
        digits = text.replace(".", "").lower()
        return ":".join(digits[at : at + 2] for at in range(0, 12, 2))
    if not _HEX.fullmatch(text):
        return None
    return ":".join(f"{int(part, 16):02x}" for part in re.split("[:-]", text))
