"""YAML text into plain data whose every value knows its line and column.

YAML 1.1 and 1.2 disagree on what some unquoted scalars mean (`no`, `010`, `10:20:30:40:50:10`).
Whatever they disagree on is refused, so nobody has to know which one we follow.
Source: yaml.org/type (1.1), YAML 1.2.2 chapter 10.2.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import yaml
from yaml._yaml import CParser

from threerc.compiler.findings import Finding, Place, Rejected
from threerc.compiler.source.syntax import explained

_COLUMN_BITS = 16
_LAST_COLUMN = (1 << _COLUMN_BITS) - 1
PLACE_BITS = 40
_MAX_VALUES = 20_000_000
_TEXT_TAGS = frozenset({None, "!", "tag:yaml.org,2002:str"})

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
    |(?P<sixty>[-+]?(?:[1-9][0-9_]*(?::[0-5]?[0-9])+|[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*)$)
    |(?P<date>[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:$|[Tt\ \t][0-9:.\ \tZ+-]*$))
    |(?P<octal>[-+]?0o?[0-9_]+$)
    |(?P<other>[-+]?(?:0x[0-9a-fA-F_]+|0b[01_]+|\.(?:inf|Inf|INF|nan|NaN|NAN)
        |(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9_]+)(?:[eE][-+]?[0-9]+)?)$)""",
    re.VERBOSE,
)
_NUMERIC_START = frozenset("0123456789+-.")


class Mapping(dict[str, Any]):
    """A YAML mapping; remembers its file and, in its keys' order, their and the values' places."""

    __slots__ = ("_positions", "file", "here", "marks")

    def __init__(self, file: str, here: int) -> None:
        super().__init__()
        self.file = file
        self.here = here
        self.marks: list[int] = []
        self._positions: dict[str, int] | None = None

    def __copy__(self) -> dict[str, Any]:
        return dict(self)

    def mark(self, key: str) -> int:
        """The places of a key and its value, packed."""
        if self._positions is None:
            self._positions = {}
        known = self._positions
        if len(known) < len(self):
            known.update(
                (each, at) for at, each in enumerate(islice(self, len(known), None), len(known))
            )
        return self.marks[known[key]]

    def remove(self, key: str) -> None:
        """Take a key out, with its places."""
        del self.marks[list(self).index(key)]
        del self[key]
        self._positions = None


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
    return line << _COLUMN_BITS | min(column, _LAST_COLUMN)


def _place(file: str, packed: int) -> Place:
    packed &= (1 << PLACE_BITS) - 1
    return Place(file, packed >> _COLUMN_BITS, packed & _LAST_COLUMN)


def locate(node: Mapping | Sequence, path: Iterable[Any], *, key: bool = False) -> Place:
    """The place of the value at `path` below `node`, or of its key; as near as there is one."""
    place = _place(node.file, node.here)
    value: Any = node
    for step in path:
        if isinstance(value, Mapping) and step in value:
            both = value.mark(step)
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


def parse(text: str, file: str) -> Mapping:
    """YAML text into a Mapping; `file` is what findings call it. Raises Rejected."""
    return _sound(*parse_with_findings(text, file))


def _sound(top: Mapping, findings: list[Finding]) -> Mapping:
    if findings:
        raise Rejected(findings)
    return top


def decode(path: Path) -> str:
    """The text of a UTF-8 file, without its byte order mark. Raises Rejected."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        message = f"cannot read: {error.strerror or error}"
        raise Rejected([Finding(Place(str(path), 1, 1), message, "read")]) from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        good = raw[: error.start].decode("utf-8-sig", "replace")
        place = Place(str(path), *_after(good))
        finding = Finding(place, "not UTF-8 text", "encoding", "save the file as UTF-8")
        raise Rejected([finding]) from None


def _after(text: str) -> tuple[int, int]:
    """Line and column of what follows a text."""
    return text.count("\n") + 1, len(text) - text.rfind("\n")


def parse_with_findings(text: str, file: str) -> tuple[Mapping, list[Finding]]:
    """YAML text as far as it makes sense, and what is wrong with it.

    Values that YAML's versions disagree on are text; what cannot be a key is left out. Raises
    Rejected where the text is no YAML at all.
    """
    builder = _Builder(file)
    try:
        builder.feed(CParser(text))
    except yaml.MarkedYAMLError as error:
        raise Rejected([*builder.findings, explained(error, text, file)]) from None
    except yaml.reader.ReaderError as error:
        # The position counts the bytes of the text as the parser gets it, in UTF-8.
        place = Place(file, *_after(text.encode()[: error.position].decode("utf-8", "ignore")))
        message = f"character U+{error.character:04X} is not allowed in YAML"
        raise Rejected([*builder.findings, Finding(place, message, "yaml-syntax")]) from None
    if not isinstance(builder.top, Mapping):
        message = "a site is a YAML mapping of keys to values"
        raise Rejected([*builder.findings, Finding(Place(file, 1, 1), message, "yaml-syntax")])
    for node, key in builder.unkept:
        node.remove(key)
    return builder.top, builder.findings


class _Builder:
    """Builds the data from the parser's events; its own stack, so depth costs no recursion."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.top: Any = None
        self.findings: list[Finding] = []
        self.unkept: list[tuple[Mapping, str]] = []
        self._stack: list[tuple[Mapping | Sequence | None, str | None]] = []
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
        column = start.column + 1
        mark = (start.line + 1) << _COLUMN_BITS | (
            column if column < _LAST_COLUMN else _LAST_COLUMN
        )
        value: Any = event.value
        plain: bool = event.implicit[0]
        node = self._node
        if self._key is None and type(node) is Mapping:
            self._set_key(node, value, mark, plain=plain)
        else:
            if plain:
                value = self._resolve(value, mark)
            self._add(value, mark)
        if event.anchor is not None:
            self._anchors[event.anchor] = value
        if event.tag is not None:
            self._tag(event, mark)

    def _tag(self, event: Any, mark: int) -> None:
        if event.tag not in _TEXT_TAGS:
            message = f"the tag `{event.tag.replace('tag:yaml.org,2002:', '!!')}` is not read"
            self._report(mark, message, "yaml-tag", "leave it out")

    def _set_key(self, node: Mapping, text: str, mark: int, *, plain: bool) -> None:
        if plain and text in _WORDS:
            self._report(mark, f"key `{text}` is no text to YAML", "yaml-trap", "quote it")
        elif plain and text == "<<":
            self._report(mark, "merge keys are not read", "yaml-merge", "use `groups` to inherit")
            self._set_unkept(node, mark)
            return
        elif plain and (text in _TRAP_WORDS or text[:1] in _NUMERIC_START):
            self._resolve(text, mark)
        if text in node:
            first = locate(node, [text], key=True).line
            message = f"key `{text}` stands here again; it was given in line {first}"
            self._report(mark, message, "duplicate-key", "keep one of the two")
            self._set_unkept(node, mark)
            return
        self._key = text
        self._key_mark = mark

    def _set_unkept(self, node: Mapping, mark: int) -> None:
        """Go on with a key that is taken out in the end: its value still has to be read."""
        self._key, self._key_mark = f"\0{mark}", mark
        self.unkept.append((node, self._key))

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
            "date": "a date",
        }.get(form, "a number written in another way")
        message = f"unquoted `{text}` is {reads_as} to some YAML readers"
        self._report(mark, message, "yaml-trap", f'write "{text}" if it is text')
        return text

    def _add(self, value: Any, mark: int) -> None:
        node = self._node
        self._values += 1
        if type(node) is Mapping:
            if self._key is None:
                self._report(mark, "a key has to be plain text", "yaml-syntax")
                self._set_unkept(node, mark)
            node[self._key] = value  # type: ignore[index]
            node.marks.append(self._key_mark << PLACE_BITS | mark)
            self._key = None
        elif node is None:
            self.top = value if self._documents == 1 else self.top
        else:
            node.append(value)  # type: ignore[union-attr]
            node.marks.append(mark)

    def _start_mapping(self, event: Any) -> None:
        mark = pack(event.start_mark.line + 1, event.start_mark.column + 1)
        self._start(Mapping(self.file, mark), event)

    def _start_sequence(self, event: Any) -> None:
        mark = pack(event.start_mark.line + 1, event.start_mark.column + 1)
        self._start(Sequence(self.file, mark), event)

    def _start(self, node: Mapping | Sequence, event: Any) -> None:
        outer = self._node
        after: str | None = None
        if self._key is None and type(outer) is Mapping:
            # A key that is no text: it is left out, and so is the value that comes after it.
            message, hint = "a key has to be plain text", "put text with such brackets in quotes"
            self._report(node.here, message, "yaml-syntax", hint)
            self._set_unkept(outer, node.here)
            after = self._key
        else:
            self._add(node, node.here)
        self._stack.append((outer, after))
        if event.anchor is not None:
            self._anchors[event.anchor] = node
            self._weights[id(node)] = self._values
        if event.tag is not None:
            self._report(
                node.here, f"the tag `{event.tag}` is not read", "yaml-tag", "leave it out"
            )
        self._node, self._key = node, None

    def _end(self, _event: Any) -> None:
        if id(self._node) in self._weights:
            self._weights[id(self._node)] = self._values - self._weights[id(self._node)]
        self._node, self._key = self._stack.pop()

    def _alias(self, event: Any) -> None:
        """An alias shares its anchor's value; the sum is bounded (a billion laughs are not)."""
        mark = pack(event.start_mark.line + 1, event.start_mark.column + 1)
        if self._key is None and type(self._node) is Mapping:
            self._report(mark, "an alias cannot be a key", "yaml-syntax")
            self._set_unkept(self._node, mark)
            return
        value = self._anchors.get(event.anchor)
        self._values += self._weights.get(id(value), 1)
        if value is not None and any(value is node for node in self._open()):
            self._report(mark, f"alias `*{event.anchor}` contains itself", "yaml-alias")
            value = None
        elif event.anchor not in self._anchors:
            self._report(mark, f"there is no anchor `&{event.anchor}`", "yaml-alias")
        elif self._values > _MAX_VALUES:
            raise Rejected(
                [Finding(_place(self.file, mark), "aliases multiply beyond reason", "yaml-alias")]
            )
        self._add(value, mark)

    def _open(self) -> list[Mapping | Sequence | None]:
        return [self._node, *(node for node, _ in self._stack)]
