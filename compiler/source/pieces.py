"""The pieces of a large site file, and what was read of them before.

The section of worker nodes is cut between entries, at places that depend on the text around them
alone: whoever changes a host changes one piece. What a piece says is kept, as JSON, under the
digest of its text. The cache is never needed, and may be removed at any time.

What is cut is read as if it had not been: a piece that is no YAML by itself (a quote or bracket
that ends in the next one), an alias, or any fault, and the file is read as a whole.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import pydantic
import yaml

from threerc.compiler import cache as kept
from threerc.compiler.findings import Rejected
from threerc.compiler.source import alike, document
from threerc.compiler.source.alike import SECTION, Items, Run, Uneven, items
from threerc.compiler.source.document import Mapping, Sequence, locate

SMALLEST: Final = 1 << 18
"""Characters; smaller files are quickly read."""
_ENTRIES: Final = 512
"""How many entries a piece has, on the average."""
_KEY: Final = 24
"""How many characters of an entry say whether a piece begins with it."""
_MOST_OLD: Final = 2
"""For each piece of the file, how many that are in it no more are kept."""
# Each begins with a text that is quickly looked for.
_HEADER: Final = re.compile(rf"\n{SECTION}:[ \t]*(?:#.*)?(?=\n)")
_FIRST: Final = re.compile(r"\n( +)(?=[^\s#])")
_NEXT: Final = re.compile(r"\n(?=[^\s#])")
_STAR: Final = re.compile(r"\*[^\s*/]")
_BEFORE_ALIAS: Final = " \t\n[{,"
_OTHER_BREAKS: Final = "\r\x85\u2028\u2029"
"""What ends a line to YAML besides the line feed."""


class Cut(NamedTuple):
    """A file without its worker nodes, with empty lines in their place; and these, in pieces."""

    rest: str
    header: int
    pieces: list[str]


def cut(text: str) -> Cut | None:
    """The pieces of a file; None where it is written in another way than most are."""
    headers = list(_HEADER.finditer(text))
    if len(headers) != 1 or _has_alias(text) or any(each in text for each in _OTHER_BREAKS):
        return None
    start = headers[0].end()
    found = _NEXT.search(text, start)
    body = text[start : found.start() + 1 if found else len(text)]
    rest = f"{text[:start]}{chr(10) * body.count(chr(10))}{text[start + len(body) :]}"
    return Cut(rest, text.count("\n", 0, start) + 1, list(_pieces(body)))


def _has_alias(text: str) -> bool:
    """Whether there may be an alias: what it stands for can be in another piece."""
    stars = (star.start() for star in _STAR.finditer(text))
    return any(at == 0 or text[at - 1] in _BEFORE_ALIAS for at in stars)


def _pieces(body: str) -> Iterator[str]:
    """The pieces of a section, which begins with the end of the line before it."""
    first = _FIRST.search(body)
    if first is None:
        return
    start = 0
    for entry in re.finditer(rf"\n {{{len(first[1])}}}(?=[^\s#])", body):
        at, end = entry.span()
        if at > start and zlib.crc32(body[end : end + _KEY].encode()) % _ENTRIES == 0:
            yield body[start : at + 1]
            start = at + 1
    yield body[start:]


def recall(text: str, path: Path) -> tuple[Mapping, Items] | None:
    """A large site file, and its worker nodes, which are not in it; None where it has to be read
    as a whole. The nodes' places are not known.
    """
    parts = cut(text)
    if parts is None:
        return None
    try:
        top = document.parse(parts.rest, str(path))
        if SECTION not in top or locate(top, [SECTION], key=True).line != parts.header:
            return None
        return top, _recalled(parts.pieces, top, _name(top))
    except (Rejected, Uneven):
        return None


def _recalled(pieces: list[str], top: Mapping, name: str) -> Items:
    known = kept.load(name)
    found = {_digest(piece): piece for piece in pieces}
    fresh = {key: _plain(piece) for key, piece in found.items() if key not in known}
    if fresh:
        old = known if len(known) <= _MOST_OLD * len(found) else {}
        known = {**old, **{key: known[key] for key in found if key in known}, **fresh}
        kept.save(name, known)
    return [each for key in map(_digest, pieces) for each in _revived(known[key], top)]


def _plain(piece: str) -> Any:
    """What a piece says, as JSON has it."""
    return [
        [" ".join(each.names), each.bits, " ".join(each.macs), each.settings]
        if isinstance(each, Run)
        else each
        for each in items(document.parse(piece, ""))
    ]


def _revived(plain: Any, top: Mapping) -> Iterator[Run | alike.Entry]:
    for each in plain:
        if len(each) == len(Run._fields):
            names, bits, macs, settings = each
            yield Run(names.split(" "), bits, macs.split(" "), _node(settings, top))
        else:
            yield each[0], _node(each[1], top)


def _node(value: Any, top: Mapping) -> Any:
    """A value as the document would have it, at no particular place."""
    if isinstance(value, dict):
        mapping = Mapping(top.file, top.here)
        mapping.update((key, _node(each, top)) for key, each in value.items())
        mapping.marks = [top.here] * len(value)
        return mapping
    if isinstance(value, list):
        sequence = Sequence(top.file, top.here)
        sequence.extend(_node(each, top) for each in value)
        sequence.marks = [top.here] * len(value)
        return sequence
    return value


def _digest(piece: str) -> str:
    return hashlib.blake2b(piece.encode(), digest_size=16, key=_reader()).hexdigest()


_READERS: Final = ("document.py", "alike.py", "pieces.py", "ranges.py", "../model/types.py")


@cache
def _reader() -> bytes:
    """What tells one version of all that reads a piece from another."""
    found = hashlib.blake2b(f"{yaml.__version__} {pydantic.VERSION}".encode(), digest_size=16)
    for path in _READERS:
        found.update(Path(__file__).parent.joinpath(path).read_bytes())
    return found.digest()


def _name(top: Mapping) -> str:
    """A file for each site, for it as it is and as it was."""
    site = f"{top.get('site')} {top.get('domain')}"
    return f"{hashlib.blake2b(site.encode(), digest_size=8).hexdigest()}.json"
