"""The syntax of dhcpd.conf: any statements come back, whatever spaces and comments are between."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threerc.compiler.importing.readers.dhcpd_syntax import BEGINNINGS, Statement, parse, unquoted

WORDS = st.from_regex(r"[a-z0-9][a-z0-9.:/_=+-]{0,12}", fullmatch=True).filter(
    lambda word: word not in BEGINNINGS
)
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12)
STRINGS = TEXTS.map(lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"')
HEADS = st.lists(WORDS | STRINGS | st.just(","), min_size=1, max_size=5)
Tree = list[tuple[list[str], "Tree | None"]]
TREES: st.SearchStrategy[Tree] = st.recursive(
    st.lists(st.tuples(HEADS, st.none()), max_size=3),
    lambda inner: st.lists(st.tuples(HEADS, st.none() | inner), max_size=3),
    max_leaves=8,
)
GAPS = st.sampled_from([" ", "\n", "\t ", ' # a comment; with } and { "\n', "\n#\n", "\r\n"])


def text_of(tree: Tree, draw: st.DrawFn) -> str:
    """A text that says a tree, with anything between its words that may be there."""
    said = ""
    for head, block in tree:
        said += draw(GAPS) + "".join(word + draw(GAPS) for word in head)
        said += ";" if block is None else "{" + text_of(block, draw) + draw(GAPS) + "}"
    return said


@st.composite
def spelled(draw: st.DrawFn) -> tuple[Tree, str]:
    tree = draw(TREES)
    return tree, text_of(tree, draw)


def tree_of(statements: list[Statement]) -> Tree:
    return [(s.words, None if s.block is None else tree_of(s.block)) for s in statements]


@settings(deadline=None)
@given(spelled())
def test_any_statements_come_back(drawn: tuple[Tree, str]) -> None:
    tree, text = drawn
    parsed = parse(text)
    assert parsed.troubles == []
    assert tree_of(parsed.statements) == tree


@settings(deadline=None)
@given(st.text(st.sampled_from('ab;{}"\\#\n {%,'), max_size=40))
def test_anything_is_read_or_told(text: str) -> None:
    parsed = parse(text)
    lines = text.count("\n") + 1
    assert all(1 <= trouble.line <= lines for trouble in parsed.troubles)

    def check(statements: list[Statement]) -> None:
        for each in statements:
            assert 1 <= each.line <= lines
            check(each.block or [])

    check(parsed.statements)


@given(TEXTS)
def test_a_string_comes_back(text: str) -> None:
    quoted = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    assert unquoted(quoted) == text


def test_places_and_comments() -> None:
    text = """\
# Network lan
subnet 10.0.0.0 netmask 255.0.0.0 { # here
  host a { hardware ethernet 00:00:00:00:00:01; } # the first
  option x "a;b",
    c;
}
"""
    (subnet,) = parse(text).statements
    assert (subnet.line, subnet.above) == (2, "Network lan")
    host, option = subnet.block or []
    assert (host.line, host.comment) == (3, "the first")
    assert (option.line, option.head) == (4, 'option x "a;b", c')
    assert subnet.text == text.partition("\n")[2].rstrip("\n")


def test_troubles_have_lines() -> None:
    text = 'a b;\n}\nc {\n  d\n}\n{% if x %}\n"open\n'
    told = [(t.line, t.reason) for t in parse(text).troubles]
    assert told == [
        (2, "a brace has no partner"),
        (4, "a statement has no semicolon"),
        (6, "templating is left in the file"),
        (7, "a quote has no partner"),
        (7, "a statement has no end"),
    ]


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("option routers 10.5.0.254\n  range 10.5.0.1 10.5.0.9;", 1, "`range` of line 2"),
        ("option routers 10.5.0.254 option root-path x;", 1, "`option` of line 1"),
        ('option domain-name "a.b"\nsubnet 10.0.0.0 { }', 1, "`subnet` of line 2"),
        ("\nauthoritative\ninclude \"x\";", 2, "`include` of line 3"),
        ("option domain-name-servers ns.a.b\n\nhost a { }", 1, "`host` of line 3"),
    ],
)  # fmt: skip
def test_a_semicolon_that_is_missing(text: str, line: int, reason: str) -> None:
    (trouble,) = parse(text).troubles
    assert trouble == (line, f"no semicolon before {reason}", "", True)


def test_a_block_that_has_no_end() -> None:
    (trouble,) = parse("\nsubnet x {\n host a { b; \n}\n").troubles
    assert trouble == (2, "the block of `subnet x` has no end", "", True)


@pytest.mark.parametrize(
    "text",
    [
        'if exists a and\n option b = "x" or\n option c = 1 { filename "y"; }',
        'match if substring(\n option x, 0, 4) = "Cisc";',
        'set a = concat("b",\n option host-name);',
        "host-identifier option dhcp6.client-id 00:01;",
        "match hardware;",
        "{{ more }}\nhost a { }",
    ],
)
def test_words_of_an_expression_begin_nothing(text: str) -> None:
    assert parse(text).troubles == []
