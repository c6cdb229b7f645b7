"""YAML text into plain data whose every value knows its line and column.

YAML 1.1 and 1.2 disagree on what some unquoted scalars mean (`no`, `010`, `10:20:30:40:50:10`).
Whatever they disagree on is refused, so nobody has to know which one we follow.
Source: yaml.org/type (1.1), YAML 1.2.2 chapter 10.2.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from yaml.cyaml import CParser

from threerc.compiler.findings import Finding, Place, Rejected

_COLUMN_BITS = 16
PLACE_BITS = 40
_MAX_VALUES = 20_000_000

_WORDS: dict[str, bool | None] = {
    "true": True,
    "True": True,
    "false": False,
    "False": False,
    "null": None,
    "~": None,
    "": None,
}
_TRAP_WORDS = frozenset(
    form
    for word in ("yes", "no", "on", "off", "y", "n")
    for form in (word, word.capitalize(), word.upper())
) | {"TRUE", "FALSE", "NULL", "Null"}
_NUMERIC = re.compile(
    r"""(?P<integer>-?(?:0|[1-9][0-9]*)$)
    |(?P<real>-?(?:0|[1-9][0-9]*)\.[0-9]+$)
    |(?P<sixty>[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$)
    |(?P<octal>[-+]?0o?[0-9_]+$)
    |(?P<other>[-+]?(?:0x[0-9a-fA-F_]+|0b[01_]+|\.(?:inf|Inf|INF|nan|NaN|NAN)
        |(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9_]+)(?:[eE][-+]?[0-9]+)?)$)""",
    re.VERBOSE,
)
_NUMERIC_START = frozenset("0123456789+-.")


class Mapping(dict[str, Any]):
    """A YAML mapping; remembers its file and, in its keys' order, their and the values' places."""

    __slots__ = ("file", "here", "marks")

    def __init__(self, file: str, here: int) -> None:
        super().__init__()
        self.file = file
        self.here = here
        self.marks: list[int] = []

    def __copy__(self) -> dict[str, Any]:
        return dict(self)


class Sequence(list[Any]):
    """A YAML sequence; remembers its file and its items' places."""

    __slots__ = ("file", "here", "marks")

    def __init__(self, file: str, here: int) -> None:
        super().__init__()
        self.file = file
        self.here = here
        self.marks: list[int] = []

    def __copy__(self) -> list[Any]:
        return list(self)


def pack(line: int, column: int) -> int:
    """A place as one number, which is what makes remembering a million of them cheap."""
    return line << _COLUMN_BITS | min(column, (1 << _COLUMN_BITS) - 1)


def _place(file: str, packed: int) -> Place:
    packed &= (1 << PLACE_BITS) - 1
    return Place(file, packed >> _COLUMN_BITS, packed & (1 << _COLUMN_BITS) - 1)


def locate(node: Mapping | Sequence, path: Iterable[Any], *, key: bool = False) -> Place:
    """The place of the value at `path` below `node`, or of its key; as near as there is one."""
    place = _place(node.file, node.here)
    value: Any = node
    for step in path:
        if isinstance(value, Mapping) and step in value:
            both = value.marks[list(value).index(step)]
            place = _place(value.file, both >> PLACE_BITS if key else both)
            value = value[step]
        elif isinstance(value, Sequence) and isinstance(step, int) and step < len(value):
            place = _place(value.file, value.marks[step])
            value = value[step]
        else:
            break
    return place


def read(path: Path) -> Mapping:
    """Read a YAML file whose top is a mapping.

    Raises Rejected with all findings: syntax, duplicate keys, traps, encoding.
    """
    return parse(decode(path), str(path))


def decode(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise Rejected([Finding(Place(str(path), 1, 1), f"cannot read: {reason}", "read")]) from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - raw.rfind(b"\n", 0, error.start)
        finding = Finding(
            Place(str(path), line, column), "not UTF-8 text", "encoding", "save the file as UTF-8"
        )
        raise Rejected([finding]) from None


def parse(text: str, file: str) -> Mapping:
    """YAML text into a Mapping; `file` is what findings call it. Raises Rejected."""
    builder = _Builder(file)
    try:
        builder.feed(CParser(text))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file, 1, 1)
        problem = " ".join(filter(None, [error.context, error.problem]))
        builder.findings.append(Finding(place, f"not YAML: {problem}", "yaml-syntax"))
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        problem = f"character U+{error.character:04X} is not allowed in YAML"
        builder.findings.append(Finding(Place(file, line, 1), problem, "yaml-syntax"))
    if builder.findings:
        raise Rejected(builder.findings)
    if not isinstance(builder.top, Mapping):
        message = "a site is a YAML mapping of keys to values"
        raise Rejected([Finding(Place(file, 1, 1), message, "yaml-syntax")])
    return builder.top


class _Builder:
    """Builds the data from the parser's events; its own stack, so depth costs no recursion."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.top: Any = None
        self.findings: list[Finding] = []
        self._stack: list[Mapping | Sequence | None] = []
        self._node: Mapping | Sequence | None = None
        self._key: str | None = None
        self._key_mark = 0
        self._anchors: dict[str, Any] = {}
        self._documents = 0
        self._weights: dict[int, int] = {}
        self._values = 0

    def feed(self, parser: CParser) -> None:
        """Consume all events."""
        handlers = {
            yaml.ScalarEvent: self._scalar,
            yaml.MappingStartEvent: self._start_mapping,
            yaml.SequenceStartEvent: self._start_sequence,
            yaml.MappingEndEvent: self._end,
            yaml.SequenceEndEvent: self._end,
            yaml.AliasEvent: self._alias,
            yaml.DocumentStartEvent: self._document,
        }
        get_event = parser.get_event
        while (event := get_event()) is not None:
            handler = handlers.get(type(event))
            if handler is not None:
                handler(event)

    def _report(self, mark: int, message: str, rule: str, hint: str = "") -> None:
        self.findings.append(Finding(_place(self.file, mark), message, rule, hint))

    def _document(self, event: Any) -> None:
        self._documents += 1
        if self._documents > 1:
            mark = pack(event.start_mark.line + 1, 1)
            self._report(mark, "a second YAML document begins", "yaml-syntax", "remove the `---`")

    def _scalar(self, event: Any) -> None:
        start = event.start_mark
        mark = (start.line + 1) << _COLUMN_BITS | start.column + 1
        text: str = event.value
        if event.anchor is not None:
            self._anchors[event.anchor] = text
        if self._key is None and type(self._node) is Mapping:
            self._set_key(text, mark, plain=event.implicit[0])
        elif event.implicit[0]:
            self._add(self._resolve(text, mark), mark)
        else:
            self._add(text, mark)

    def _set_key(self, text: str, mark: int, *, plain: bool) -> None:
        node = self._node
        if text == "<<" and plain:
            self._report(mark, "merge keys are not read", "yaml-merge", "use `groups` to inherit")
        elif plain and (text in _TRAP_WORDS or text[:1] in _NUMERIC_START):
            self._resolve(text, mark)
        if node is not None and text in node:
            first = locate(node, [text], key=True).line  # type: ignore[arg-type]
            message = f"key `{text}` stands here again; it was given in line {first}"
            self._report(mark, message, "duplicate-key", "keep one of the two")
            text = f"{text}\0{mark}"
        self._key = text
        self._key_mark = mark

    def _resolve(self, text: str, mark: int) -> Any:
        """What an unquoted scalar means; reports those on which the YAML versions disagree."""
        if text in _WORDS:
            return _WORDS[text]
        if text in _TRAP_WORDS:
            message = f"unquoted `{text}` is a boolean or null to some YAML readers"
            self._report(mark, message, "yaml-trap", f'write "{text}" or true/false/null')
        elif text[:1] in _NUMERIC_START and (match := _NUMERIC.match(text)):
            return self._number(text, mark, match.lastgroup or "")
        return text

    def _number(self, text: str, mark: int, form: str) -> Any:
        if form == "integer" and len(text) < 20:
            return int(text)
        if form == "real":
            return float(text)
        reads_as = {
            "sixty": "a number of base 60",
            "octal": "an octal number",
        }.get(form, "a number written in another way")
        message = f"unquoted `{text}` is {reads_as} to some YAML readers"
        self._report(mark, message, "yaml-trap", f'write "{text}" if it is text')
        return text

    def _add(self, value: Any, mark: int) -> None:
        node = self._node
        self._values += 1
        if node is None:
            self.top = value
        elif type(node) is Mapping:
            if self._key is None:
                self._report(mark, "a key has to be plain text", "yaml-syntax")
                self._key, self._key_mark = f"\0{mark}", mark
            node[self._key] = value
            node.marks.append(self._key_mark << PLACE_BITS | mark)
            self._key = None
        else:
            node.append(value)
            node.marks.append(mark)

    def _start_mapping(self, event: Any) -> None:
        mark = pack(event.start_mark.line + 1, event.start_mark.column + 1)
        self._start(Mapping(self.file, mark), event)

    def _start_sequence(self, event: Any) -> None:
        mark = pack(event.start_mark.line + 1, event.start_mark.column + 1)
        self._start(Sequence(self.file, mark), event)

    def _start(self, node: Mapping | Sequence, event: Any) -> None:
        self._add(node, node.here)
        self._stack.append(self._node)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
            self._weights[id(node)] = self._values
        self._node, self._key = node, None

    def _end(self, _event: Any) -> None:
        if id(self._node) in self._weights:
            self._weights[id(self._node)] = self._values - self._weights[id(self._node)]
        self._node = self._stack.pop()
        self._key = None

    def _alias(self, event: Any) -> None:
        """An alias shares its anchor's value; the sum is bounded (a billion laughs are not)."""
        mark = pack(event.start_mark.line + 1, event.start_mark.column + 1)
        if self._key is None and type(self._node) is Mapping:
            self._report(mark, "an alias cannot be a key", "yaml-syntax")
            return
        value = self._anchors.get(event.anchor)
        self._values += self._weights.get(id(value), 1)
        if value is not None and any(value is node for node in [*self._stack, self._node]):
            self._report(mark, f"alias `*{event.anchor}` contains itself", "yaml-alias")
        elif event.anchor not in self._anchors:
            self._report(mark, f"there is no anchor `&{event.anchor}`", "yaml-alias")
        elif self._values > _MAX_VALUES:
            raise Rejected(
                [Finding(_place(self.file, mark), "aliases multiply beyond reason", "yaml-alias")]
            )
        self._add(value, mark)
