"""Templates, in which no value reaches the output unescaped.

Every `{{ value }}` is a bare word of the file's language, or is made one with the filter
`quoted`; text for people goes through `comment`. Anything else is an error, as are unknown
variables: the model should have refused such a value, so it is our bug.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import BytecodeCache, Environment, FileSystemLoader, StrictUndefined
from jinja2.bccache import Bucket

from threerc.compiler import cache as kept

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


class _Compiled(BytecodeCache):
    """Templates as Python's code, kept from one run to the next: to compile them takes longer
    than to fill them in.
    """

    def load_bytecode(self, bucket: Bucket) -> None:
        """Take a template's code where it is kept."""
        about, _, code = kept.read(f"{bucket.key}.template").partition(b"\n")
        if about == _about():
            with suppress(Exception):  # damaged code may raise anything, and is made anew
                bucket.bytecode_from_string(code)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep a template's code."""
        kept.write(f"{bucket.key}.template", _about() + b"\n" + bucket.bytecode_to_string())


@cache
def _about() -> bytes:
    """A template's code is for one environment, which is made here; the rest Jinja looks after."""
    return hashlib.blake2b(Path(__file__).read_bytes(), digest_size=16).hexdigest().encode()


@cache
def _environment(quote: Quote) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(str(files("threerc.templates"))),
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        bytecode_cache=_Compiled(),
        autoescape=False,  # noqa: S701 - nothing here is HTML; `_finalize` stands in its place
    )
    environment.filters["quoted"] = lambda value: Safe(quote(str(value)))
    environment.filters["comment"] = comment
    environment.filters["commas"] = _commas
    return environment


def render(template: str, quote: Quote = backslashed, /, **values: Any) -> str:
    """Render `templates/<template>.j2`; `quote` is the `quoted` of the file's language."""
    return _environment(quote).get_template(f"{template}.j2").render(**values)
