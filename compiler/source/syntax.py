"""What is wrong with a text that is no YAML: the usual slips, where a person has to mend them.

A parser stops where it cannot go on, which may be far behind the slip: at the end of the file for a
quote that is never closed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final, NamedTuple

import yaml

from threerc.compiler.findings import Finding, Place

_CONFLICT: Final = re.compile(r"^(?:<{7}|>{7}) ", re.MULTILINE)
_KEY: Final = re.compile(r":(?:[ \t]|$)")
_TIGHT: Final = re.compile(r" *(?:- +)?[^\s:]+:(?=[^ \t])")
"""A key whose colon touches its value; a no-break space is none to YAML."""
_CLOSERS: Final = {"[": "]", "{": "}"}
_OPENERS: Final = (yaml.FlowSequenceStartToken, yaml.FlowMappingStartToken)
_ENDS: Final = (yaml.FlowSequenceEndToken, yaml.FlowMappingEndToken)
_UNEVEN: Final = "this line is not indented as those above it"
_QUOTE: Final = "put it in quotes if it is text"


class _Slip(NamedTuple):
    """A mistake, and where: line and column count from 0, as the parser counts."""

    line: int
    column: int
    message: str
    hint: str = ""


class _Stop(NamedTuple):
    """Where the parser stopped, in the middle of what, which began at `opened`."""

    line: int
    column: int
    problem: str
    context: str
    opened: tuple[int, int]


class _Read(NamedTuple):
    """The last token before the stop, and where the innermost bracket that is open then is."""

    last: Any
    opened: Any


def explained(error: yaml.MarkedYAMLError, text: str, file: str) -> Finding:
    """A parser's error as a finding."""
    mark: Any = error.problem_mark or error.context_mark
    opened: Any = error.context_mark or mark
    words = error.problem or "", error.context or ""
    stop = _Stop(mark.line, mark.column, *words, (opened.line, opened.column))
    found = _Text(text).slip(stop)
    place = Place(file, found.line + 1, found.column + 1)
    return Finding(place, f"not YAML: {found.message}", "yaml-syntax", found.hint)


class _Text:
    """The text, to be looked at where the parser stopped."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._lines = [*text.splitlines(), ""]
        self._scanned: _Read | None = None

    def slip(self, stop: _Stop) -> _Slip:
        """What is wrong; the parser's own words where it is none of the usual slips."""
        usual = (self._conflict, self._quote, self._colon, self._flow, self._key, self._character)
        for guess in usual:
            found = guess(stop)
            if found is not None:
                return found
        said = " ".join(filter(None, [stop.context, stop.problem]))
        return _Slip(stop.line, stop.column, said)

    def _before(self, stop: _Stop) -> str:
        """The part of its line that was read."""
        return self._lines[stop.line][: stop.column]

    def _at(self, line: int, column: int) -> str:
        """The character there; none at the end of a line."""
        return self._lines[line][column : column + 1]

    def _conflict(self, _stop: _Stop) -> _Slip | None:
        found = _CONFLICT.search(self._text)
        if found is None:
            return None
        line = self._text.count("\n", 0, found.start())
        return _Slip(line, 0, "a merge conflict is left here", "choose one of its sides")

    def _quote(self, stop: _Stop) -> _Slip | None:
        """A quote that is not closed before the file ends, or where another one should open."""
        if "quoted scalar" in stop.context and "end of stream" in stop.problem:
            return _Slip(*stop.opened, "the quote that opens here is never closed")
        last = self._read(stop).last
        if not isinstance(last, yaml.ScalarToken) or last.style not in {'"', "'"}:
            return None
        start, end = last.start_mark, last.end_mark
        if start.line < end.line == stop.line:
            told = f"the quote that opens here is not closed before line {end.line + 1}"
            return _Slip(start.line, start.column, told)
        if "expected key" in stop.problem and end.line == stop.line:
            hint = "a quote within such quotes is written twice (''), or use the other kind"
            told = "the text goes on after its closing quote"
            return _Slip(stop.line, stop.column, told, hint)
        return None

    def _read(self, stop: _Stop) -> _Read:
        """What the parser had read when it stopped: the whole file is scanned, so once only."""
        if self._scanned is None:
            last, opened = None, list[Any]()
            with suppress(yaml.YAMLError):  # it stops where the parser did
                for token in yaml.scan(self._text, Loader=yaml.CSafeLoader):
                    if (token.start_mark.line, token.start_mark.column) >= (stop.line, stop.column):
                        break
                    last = token
                    if isinstance(token, _OPENERS):
                        opened.append(token.start_mark)
                    elif isinstance(token, _ENDS) and opened:
                        opened.pop()
            self._scanned = _Read(last, opened[-1] if opened else None)
        return self._scanned

    def _colon(self, stop: _Stop) -> _Slip | None:
        """A second colon in a value; or, above, a colon that is missing or touches its value."""
        if "expected ':'" in stop.problem:
            return self._unkeyed(*stop.opened)
        if "mapping values are not allowed" not in stop.problem:
            return None
        if _KEY.search(self._before(stop)):
            hint = "put a value that has `: ` in it in quotes"
            return _Slip(stop.line, stop.column, "a second `: ` in one line", hint)
        first = stop.line
        while first > 0 and _goes_on(self._lines[first - 1]):
            first -= 1
        if first < stop.line:
            return self._unkeyed(first, _indentation(self._lines[first]))
        column = _indentation(self._lines[first])
        hint = self._where(first, column)
        return _Slip(first, column, _UNEVEN, hint)

    def _unkeyed(self, line: int, column: int) -> _Slip:
        """A line that is no key: it has no colon, or no space after it."""
        tight = _TIGHT.match(self._lines[line])
        if tight is not None:
            blank = self._at(line, tight.end()).isspace()
            hint = "what looks like one is another character: type it anew" if blank else ""
            return _Slip(line, tight.end() - 1, "there is no space after this colon", hint)
        return _Slip(line, column, "a key without its colon")

    def _where(self, line: int, column: int) -> str:
        """Where a line should begin: in the column nearest to its own of what it may belong to."""
        open_columns: list[int] = []
        for each in self._columns(line):
            if not open_columns or each < open_columns[-1]:
                open_columns.append(each)
            if not each:
                break
        nearest = min(open_columns, key=lambda each: (abs(each - column), -each), default=0)
        return f"what belongs together begins in one column, such as {nearest + 1}"

    def _columns(self, line: int) -> Iterator[int]:
        """The columns in which the lines above a line begin, the nearest first."""
        for each in reversed(self._lines[:line]):
            if each.strip() and not each.lstrip().startswith("#"):
                yield _indentation(each)

    def _flow(self, stop: _Stop) -> _Slip | None:
        """A bracket that is not closed before a line that is not in it, or a missing comma."""
        if "while parsing a flow" not in stop.context:
            return None
        read = self._read(stop)
        if read.opened is None:
            return None
        line, column = read.opened.line, read.opened.column
        opener = self._at(line, column)
        closer = _CLOSERS.get(opener, "")
        outside = self._outside(line, stop.line, closer)
        if outside is not None:
            return _Slip(line, column, f"`{opener}` is not closed before line {outside + 1}")
        if not any(self._lines[stop.line :]):
            return _Slip(line, column, f"`{opener}` is never closed")
        at = stop.line, stop.column
        last = read.last.start_mark.line
        if last < stop.line:
            at = last, len(self._lines[last].rstrip())
        hint = f"`{opener}` was opened in line {line + 1}, column {column + 1}"
        return _Slip(*at, f"`,` or `{closer}` is missing here", hint)

    def _outside(self, first: int, last: int, closer: str) -> int | None:
        """The first of these lines that is not indented more than the one before them."""
        most = _indentation(self._lines[first])
        for number, line in enumerate(self._lines[first + 1 : last + 1], first + 1):
            if line.strip() and line.lstrip()[:1] != closer and _indentation(line) <= most:
                return number
        return None

    def _key(self, stop: _Stop) -> _Slip | None:
        """What stands where the next key, or the next item, should begin."""
        if "expected '-' indicator" in stop.problem:
            hint = f"the list began in line {stop.opened[0] + 1}; each item begins with `- `"
            return _Slip(stop.line, stop.column, "this is no item of the list above", hint)
        if "expected key" not in stop.problem:
            return None
        here = self._at(stop.line, stop.column)
        if here in {"]", "}"}:
            return _Slip(stop.line, stop.column, f"`{here}` closes nothing")
        if self._before(stop).strip():
            return None
        above, comment, _ = self._lines[stop.line - 1].partition(" #")
        if comment and _goes_on(above):
            return self._unkeyed(stop.line - 1, _indentation(above))
        hint = self._where(stop.line, _indentation(self._lines[stop.line]))
        return _Slip(stop.line, stop.column, _UNEVEN, hint)

    def _character(self, stop: _Stop) -> _Slip | None:
        """A character that no value begins with."""
        line, column = stop.line, stop.column
        if re.search("directive|alias|anchor", stop.context):
            line, column = stop.opened
        here = self._at(line, column)
        if here == "\t":
            return _Slip(line, column, "a tab indents this line", "indent by spaces")
        if here in {"%", "@", "`", "*", "&"}:
            return _Slip(line, column, f"no value begins with {here}", _QUOTE)
        if "escape character" in stop.problem:
            hint = "in single quotes a backslash is a backslash"
            return _Slip(line, column, "no escape in double quotes begins so", hint)
        return None


def _goes_on(line: str) -> bool:
    """Whether a line is text that the next one goes on with, and holds no key."""
    return bool(line.strip()) and not line.lstrip().startswith("#") and not _KEY.search(line)


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
