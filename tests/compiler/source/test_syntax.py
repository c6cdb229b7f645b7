"""What the usual slips of those who write YAML are called, and where they are found."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.compiler.support import HEAD, SNS_PISA
from threerc.compiler.findings import Rejected
from threerc.compiler.report import findings_text
from threerc.compiler.source.document import parse

NEVER = "the quote that opens here is never closed"
TIGHT = "there is no space after this colon"
BARE = "a key without its colon"
INDENT = "this line is not indented as those above it"
SLIPS = {
    # Lines count from the one after HEAD, columns as shown.
    "tab": ("hosts:\n\ts: {a: 1}\n", 2, 1, "a tab indents this line"),
    "tab-within": ("hosts:\n  s:\n  \ta: 1\n", 3, 3, "a tab indents this line"),
    "no-space": ("hosts:\n  s:\n    a:1.2.3.4\n    roles: [dns]\n", 3, 6, TIGHT),
    "no-space-twice": ("hosts:\n  s:\n    a:1\n    b:1\n    c: 2\n", 3, 6, TIGHT),
    "no-space-between": ("hosts:\n  s:\n    b: 1\n    a:1\n    c: 2\n", 4, 6, TIGHT),
    "no-space-last": ("hosts:\n  s:\n    b: 1\n    a:1\n", 4, 6, TIGHT),
    "no-space-comment": ("hosts:\n  s:\n    a:1  # mine\n    b: 1\n", 3, 6, TIGHT),
    "no-break-space": ("hosts:\n  s:\n    a:\u00a01\n    b: 1\n", 3, 6, TIGHT),
    "no-break-space-last": ("hosts:\n  s:\n    b: 1\n    a:\u00a01\n", 4, 6, TIGHT),
    "no-colon": ("hosts:\n  s\n    a: 1\n", 2, 3, BARE),
    "no-colon-in-between": ("hosts:\n  s:\n    a 1\n    b: 2\n", 3, 5, BARE),
    "no-colon-comment": ("hosts:\n  s  # mine\n    a: 1\n", 2, 3, BARE),
    "no-colon-last": ("hosts:\n  s: {a: 1}\nmore\n", 3, 1, BARE),
    "two-colons": ("a:\n  note: see: there\n", 2, 12, "a second `: ` in one line"),
    "quote": ('a:\n  b: "x\n  c: 1\n', 2, 6, NEVER),
    "single-quote": ("a:\n  b: 'x\n  c: 1\n", 2, 6, NEVER),
    "quote-until-next": (
        *('a: {b: "x}\nc: {d: "y"}\n', 1, 8),
        "the quote that opens here is not closed before line 6",
    ),
    "apostrophe": ("a: 'it's'\n", 1, 8, "the text goes on after its closing quote"),
    "list": ("a:\n  b: [x, z\n  c: 1\n", 2, 6, "`[` is not closed before line 7"),
    "list-last": ("a:\n  b: [x, z\n", 2, 6, "`[` is never closed"),
    "list-in-mapping": ("a: {b: [x, z}\n", 1, 13, "`,` or `]` is missing here"),
    "list-of-lines": (
        "a:\n  b: [\n    x,\n    z\n  c: 1\n",
        2,
        6,
        "`[` is not closed before line 9",
    ),
    "mapping": ("a: {b: 1\nc: {d: 1}\n", 1, 4, "`{` is not closed before line 6"),
    "comma": ("a: {b: 1 c: 2}\n", 1, 11, "`,` or `}` is missing here"),
    "comma-of-lines": ("a: {\n  b: 1\n  c: 2}\n", 2, 7, "`,` or `}` is missing here"),
    "comma-of-items": ('a: [\n  "x"\n  "y"]\n', 2, 6, "`,` or `]` is missing here"),
    "closed-twice": ("a: {b: 1}}\n", 1, 10, "`}` closes nothing"),
    "deeper": ("a:\n  b: {c: 1}\n   d: {e: 1}\n", 3, 4, INDENT),
    "deeper-than-text": ("a:\n  b: c\n    d: e\n  f: 1\n", 3, 5, INDENT),
    "shallower": ("a:\n  b: {c: 1}\n d: {e: 1}\n", 3, 2, INDENT),
    "dash": ("a:\n   - b\n  - c\n", 3, 3, INDENT),
    "key-in-list": ("a:\n  - b\n  c: 1\n", 3, 3, "this is no item of the list above"),
    "percent": ("a:\n  b: %c\n", 2, 6, "no value begins with %"),
    "at": ("a:\n  b: @c\n", 2, 6, "no value begins with @"),
    "backtick": ("a:\n  b: `c`\n", 2, 6, "no value begins with `"),
    "star": ("a:\n  b: *.c\n", 2, 6, "no value begins with *"),
    "ampersand": ("a:\n  b: & c\n", 2, 6, "no value begins with &"),
    "template": ("{% if a %}\n", 1, 2, "no value begins with %"),
    "backslash": ('a: "C:\\d"\n', 1, 7, "no escape in double quotes begins so"),
    "conflict": ("a: 1\n<<<<<<< HEAD\nb: 1\n", 2, 1, "a merge conflict is left here"),
}


def slip_of(text: str) -> str:
    """The one finding of a text, as people see it."""
    with pytest.raises(Rejected) as caught:
        parse(text, "site.yaml")
    (finding,) = caught.value.findings
    return findings_text([finding])


@pytest.mark.parametrize(("text", "line", "column", "said"), SLIPS.values(), ids=SLIPS)
def test_a_slip_is_told_where_it_is_mended(text: str, line: int, column: int, said: str) -> None:
    line += HEAD.count("\n")
    assert slip_of(HEAD + text).startswith(f"site.yaml:{line}:{column}: not YAML: {said} [")


def test_hints() -> None:
    assert slip_of("a: {b: @c}\n").endswith("\n  hint: put it in quotes if it is text")
    assert slip_of("a: {b: {{ c }}}\n").endswith("hint: put text with such brackets in quotes")
    assert slip_of("a: [b c: d e: f]\n").endswith("`[` was opened in line 1, column 4")


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("a:\n  s:\n    b: 1\n   c: 2\n", 5),
        ("a:\n  s: {b: 1}\n c: {b: 1}\n", 3),
        ("a:\n  s:\n    b: 1\n c: {b: 1}\n", 3),
        ("a:\n  s:\n    b: x\n      c: 2\n", 5),
        ("a:\n    # a remark\n  s: {b: 1}\n   c: {b: 1}\n", 3),
    ],
)
def test_a_line_is_told_the_column_of_those_it_is_nearest_to(text: str, column: int) -> None:
    assert slip_of(text).endswith(f"begins in one column, such as {column}")


def test_a_no_break_space_is_told() -> None:
    assert slip_of("a:\u00a0x\nb: 1\n").endswith("is another character: type it anew")


def test_the_file_is_scanned_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have 100,000 lines."""
    scans: list[str] = []
    scan = yaml.scan

    def counted(text: str, Loader: Any) -> Any:  # noqa: N803 - it is called so
        scans.append(text)
        return scan(text, Loader=Loader)

    monkeypatch.setattr(yaml, "scan", counted)
    assert "is not closed before line 3" in slip_of("a:\n  b: [x, z\n  c: 1\n")
    assert len(scans) == 1


def test_a_bracket_or_quote_that_is_lost_is_missed_in_its_line() -> None:
    """Wherever it was in a site: the parser stops up to the whole file later."""
    text = SNS_PISA.read_text(encoding="utf-8")
    lines = text.splitlines()
    lost = 0
    for at, character in enumerate(text):
        line = text.count("\n", 0, at) + 1
        if character not in "\"'{[]}" or "#" in lines[line - 1]:
            continue
        try:
            parse(text[:at] + text[at + 1 :], "site.yaml")
        except Rejected as rejected:
            found = [each for each in rejected.findings if each.rule == "yaml-syntax"]
            assert {each.place.line for each in found} <= {line}, lines[line - 1]
            lost += bool(found)
    assert lost > 50
