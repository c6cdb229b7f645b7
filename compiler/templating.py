"""Templates, in which no value reaches the output unescaped.

Every `{{ value }}` is a bare word of the file's language, or is made one with the filter
`quoted`; text for people goes through `comment`. Anything else is an error, as are unknown
variables: the model should have refused such a value, so it is our bug.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_WORD = re.compile(r"[A-Za-z0-9._:/@+=,-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff]")
Quote = Callable[[str], str]


class Safe(str):
    """Text that has been escaped for the language it goes into."""

    __slots__ = ()


def _finalize(value: Any) -> str:
    if isinstance(value, Safe):
        return value
    if value is None:
        raise ValueError("None reached a template")
    text = str(value)
    if not _WORD.fullmatch(text):
        raise ValueError(f"{text!r} reached a template unquoted")
    return text


def comment(text: str) -> Safe:
    """Text for a `#` or `;` comment: one line, no control characters."""
    return Safe(_CONTROL.sub(" ", str(text)))


def _commas(values: Iterable[Any]) -> Safe:
    """Bare words, joined by commas."""
    return Safe(", ".join(_finalize(value) for value in values))


def backslashed(text: str) -> str:
    """A double-quoted string with backslash escapes (dhcpd.conf, named.conf, zones, ganglia)."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def shell(text: str) -> str:
    """A single-quoted word of sh(1)."""
    return "'" + text.replace("'", "'\"'\"'") + "'"


@cache
def _environment(quote: Quote) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(str(files("threerc.templates"))),
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - nothing here is HTML; `_finalize` stands in its place
    )
    environment.filters["quoted"] = lambda value: Safe(quote(str(value)))
    environment.filters["comment"] = comment
    environment.filters["commas"] = _commas
    return environment


def render(template: str, quote: Quote = backslashed, /, **values: Any) -> str:
    """Render `templates/<template>.j2`; `quote` is the `quoted` of the file's language."""
    return _environment(quote).get_template(f"{template}.j2").render(**values)
