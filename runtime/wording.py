"""What is wrong in a file, in words for people and at its line: pydantic speaks of types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import yaml
from pydantic import ValidationError

_PHRASES: Final = {
    "missing": "is missing",
    "extra_forbidden": "is no key that is known here",
    "string_type": "has to be text",
    "string_pattern_mismatch": "cannot be this",
    "int_type": "has to be a whole number",
    "int_parsing": "has to be a whole number",
    "int_from_float": "has to be a whole number",
    "float_type": "has to be a number",
    "float_parsing": "has to be a number",
    "bool_type": "has to be true or false",
    "bool_parsing": "has to be true or false",
    "tuple_type": "has to be a list",
    "dict_type": "has to be a mapping",
    "model_type": "has to be a mapping of its settings",
    "model_attributes_type": "has to be a mapping of its settings",
    "union_tag_not_found": "lacks the key `kind`",
    "ip_v4_address": "is no IPv4 address",
    "ip_v6_address": "is no IPv6 address",
}
_SILENT: Final = frozenset({"missing", "extra_forbidden", "union_tag_not_found"})
"""Of these the value tells nothing."""
_LONGEST: Final = 60


def problem(error: Mapping[str, Any], text: str) -> str:
    """One of pydantic's errors about the YAML in `text`: `:7:3: a.b: has to be text, got `1``."""
    path, where = place(text, error["loc"])
    kind, message = error["type"], str(error["msg"])
    if kind == "union_tag_invalid":
        message = f"`kind` has to be one of {error['ctx']['expected_tags']}"
    phrase = _PHRASES.get(kind, message.replace("Input should", "has to"))
    name = ".".join(map(str, [*path, *error["loc"][-1:]] if kind == "missing" else path))
    value = error["input"]
    simple = isinstance(value, str | int | float) and kind not in _SILENT
    simple = simple and "://" not in str(value)  # it may hold a password
    shown = f", got `{_short(value)}`" if simple else ""
    return f":{where}: {name + ': ' if name else ''}{phrase}{shown}"


def briefly(error: ValueError) -> str:
    """The first of pydantic's errors about data that has no lines: `vms.0: has to be text`."""
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors(include_url=False)[0]
    name = ".".join(map(str, first["loc"]))
    phrase = _PHRASES.get(first["type"], first["msg"].replace("Input should", "has to"))
    return f"{name}: {phrase}" if name else phrase


def place(text: str, loc: tuple[Any, ...]) -> tuple[list[Any], str]:
    """As much of a path as there is, without pydantic's own steps; and its line and column."""
    node = yaml.compose(text, Loader=yaml.CSafeLoader)
    path: list[Any] = []
    mark = node.start_mark if node is not None else None
    for step in loc:
        found = _below(node, step)
        if found is not None:
            node, mark = found
            path.append(step)
    return path, f"{mark.line + 1}:{mark.column + 1}" if mark is not None else "1:1"


def _short(value: object) -> str:
    text = str(value).encode("unicode_escape").decode()
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def _below(node: Any, step: Any) -> tuple[Any, Any] | None:
    """What a node holds at a key or a position, and where that begins."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(step):
                return value, key.start_mark
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step].start_mark
    return None
