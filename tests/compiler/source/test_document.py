"""The YAML reader: it reads what PyYAML reads, refuses traps, and knows every place."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from threerc.compiler.findings import Finding, Rejected
from threerc.compiler.source.document import (
    Mapping,
    Sequence,
    locate,
    parse,
    parse_with_findings,
    read,
)


def refused(text: str) -> list[Finding]:
    with pytest.raises(Rejected) as caught:
        parse(text, "site.yaml")
    return caught.value.findings


def parsed(text: str) -> Mapping | list[Finding]:
    """The data, or the findings that forbid it."""
    try:
        return parse(text, "site.yaml")
    except Rejected as rejected:
        return rejected.findings


def rules(text: str) -> list[tuple[int, int, str]]:
    return [(each.place.line, each.place.column, each.rule) for each in refused(text)]


PLAIN = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=12)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**17), 10**17)
    | st.floats(allow_nan=False, allow_infinity=False, min_value=-1e9, max_value=1e9).map(
        lambda number: round(number, 3)
    )
    | PLAIN
)
DATA = st.dictionaries(
    PLAIN,
    st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(PLAIN, inner, max_size=4),
        max_leaves=20,
    ),
    max_size=5,
)


def quoted(data: Any) -> str:
    """YAML whose text is all in double quotes, so that it holds no trap."""

    class Dumper(yaml.SafeDumper):
        pass

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style='"')

    def real(dumper: yaml.SafeDumper, value: float) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:float", f"{value:.3f}")

    Dumper.add_representer(str, text)
    Dumper.add_representer(float, real)
    return str(yaml.dump(data, Dumper=Dumper, allow_unicode=True, sort_keys=False))


@given(DATA)
def test_it_reads_what_safe_load_reads(data: dict[str, Any]) -> None:
    text = quoted(data)
    assert parse(text, "site.yaml") == yaml.safe_load(text) == data


@given(DATA, st.sampled_from([True, False]))
def test_plain_text_reads_as_safe_load_reads_it_or_is_refused(
    data: dict[str, Any], flow: bool
) -> None:
    """Whatever style a dumper chooses: the same data, or a finding; never something else."""
    text = yaml.safe_dump(data, allow_unicode=True, default_flow_style=flow, sort_keys=False)
    ours = parsed(text)
    if isinstance(ours, list):
        assert {each.rule for each in ours} <= {"yaml-trap", "yaml-merge"}
    else:
        assert ours == yaml.safe_load(text)


@given(st.from_regex(r"[-+0-9._:eExob a-f]{1,10}", fullmatch=True))
def test_what_looks_like_a_number_is_one_to_everybody_or_refused(word: str) -> None:
    text = f"key: {word}\n"
    try:
        theirs = yaml.safe_load(text)
        ours = parse(text, "site.yaml")
    except (yaml.YAMLError, ValueError, Rejected):
        return
    if isinstance(theirs, dict) and isinstance(theirs["key"], int | float):
        assert type(ours["key"]) is type(theirs["key"])
        assert math.isclose(ours["key"], theirs["key"])
    else:
        assert ours == theirs


@pytest.mark.parametrize(
    "word",
    [
        *("yes", "No", "ON", "off", "y", "N", "TRUE", "FALSE", "NULL", "Null"),
        *("010", "0o17", "+5", "0x1F", "0b11", "1_000", "1e3", ".5", "5.", ".inf", "-.INF", ".nan"),
        *("52:54:00:12:34:56", "10:20", "190:20:30.15", "0:01.5", "12345678901234567890123"),
        *("2026-11-23", "2001-1-1 10:00:00", "2001-12-14t21:59:43.10-05:00"),
    ],
)
def test_traps_are_refused_at_their_place(word: str) -> None:
    assert rules(f"a: 1\nkey: {word}\n") == [(2, 6, "yaml-trap")]
    assert rules(f"a: 1\nkeys: [x, {word}]\n") == [(2, 11, "yaml-trap")]
    assert parse(f"key: '{word}'\n", "site.yaml") == {"key": word}


@pytest.mark.parametrize(
    ("word", "value"),
    [
        *(("0", 0), ("-0", 0), ("42", 42), ("-7", -7), ("1.50", 1.5), ("-0.25", -0.25)),
        *(("true", True), ("False", False), ("null", None), ("~", None), ("", None)),
        *(
            (w, w)
            for w in ("02:00:c0:a8:01:0b", "10.0.0.1", "10.0.0.0/8", "::1", "fd00::1", "1.2.3")
        ),
        *((w, w) for w in ("sl4-32", "yesterday", "1a", "-x", "a:b", "16GiB", "é", "nO")),
        *((w, w) for w in ("02:00:00:00:00:01-02:00:00:00:00:c8", "192.168.1.200-192.168.1.220")),
    ],
)
def test_plain_words_mean_what_they_say(word: str, value: object) -> None:
    found = parse(f"key: {word}\n", "site.yaml")["key"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("key", ["yes", "010", "1:20", "true", "null", "~", "2026-11-23"])
def test_traps_are_refused_as_keys(key: str) -> None:
    assert rules(f"a:\n  {key}: 1\n") == [(2, 3, "yaml-trap")]


def test_a_key_of_digits_is_text() -> None:
    assert parse("10: {a: 1}", "site.yaml") == {"10": {"a": 1}}


def test_all_that_is_wrong_is_told_at_once() -> None:
    text = """\
a: no
b: {x: 1, x: 2, y: 3}
<<: *nowhere
c: !!int "5"
? [d, e]
: f
g: *g
h: &h [*h]
*i : j
a: {deeper: yes}
z: 1
"""
    assert rules(text) == [
        (1, 4, "yaml-trap"),
        (2, 11, "duplicate-key"),
        (2, 17, "yaml-trap"),
        (3, 1, "yaml-merge"),
        (3, 5, "yaml-alias"),
        (4, 4, "yaml-tag"),
        (5, 3, "yaml-syntax"),
        (7, 4, "yaml-alias"),
        (8, 8, "yaml-alias"),
        (9, 1, "yaml-syntax"),
        (10, 1, "duplicate-key"),
        (10, 13, "yaml-trap"),
    ]


def test_one_can_go_on_with_what_is_left() -> None:
    text = "a: 1\nb: 2\na: 3\n? {x: 1}\n: {y0: 2}\n<<: {z: 1}\nc: no\n"
    top, findings = parse_with_findings(text, "site.yaml")
    assert top == {"a": 1, "b": 2, "c": "no"}
    assert locate(top, ["c"]) == ("site.yaml", 7, 4)
    assert len(findings) == 4


def test_a_duplicate_key_names_the_line_of_the_first() -> None:
    (finding,) = refused("a: 1\nb: 2\na: 3\n")
    assert finding.message == "key `a` stands here again; it was given in line 1"
    assert finding.place == ("site.yaml", 3, 1)


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("a: [1, 2\nb: 3\n", 1, 4),
        ("a: b: c\n", 1, 5),
        ("a: 'x\n", 1, 4),
        ("é: è\nb: \x07\n", 2, 4),
        ("a:\n\t- b\n", 2, 1),
        ("--- a\n", 1, 1),
        ("", 1, 1),
        ("- a\n", 1, 1),
    ],
)
def test_what_is_no_yaml_is_refused_at_its_place(text: str, line: int, column: int) -> None:
    assert rules(text) == [(line, column, "yaml-syntax")]


def test_a_second_document_is_refused() -> None:
    assert rules("a: 1\n---\nb: 2\n") == [(2, 1, "yaml-syntax")]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path, rule in ((tmp_path / "none", "read"), (tmp_path, "read")):
        with pytest.raises(Rejected) as caught:
            read(path)
        assert [each.rule for each in caught.value.findings] == [rule]
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("a: 1\nb: é\n".encode() + b"c: Universit\xe0\n")
    with pytest.raises(Rejected) as caught:
        read(latin)
    (finding,) = caught.value.findings
    assert (finding.rule, finding.place) == ("encoding", (str(latin), 3, 13))


def test_a_byte_order_mark_and_line_ends_of_windows(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\nb:\r\n  c: no\r\n")
    with pytest.raises(Rejected) as caught:
        read(path)
    assert caught.value.findings[0].place == (str(path), 3, 6)


def test_places_of_values_keys_and_items() -> None:
    top = parse("a: {b: [x, {c: d}]}\ne:\n  - f\n  - g: h\n", "site.yaml")
    assert locate(top, ["a", "b", 1, "c"]) == ("site.yaml", 1, 16)
    assert locate(top, ["a", "b", 1, "c"], key=True) == ("site.yaml", 1, 13)
    assert locate(top, ["e", 1, "g"]) == ("site.yaml", 4, 8)
    assert locate(top, ["e", 1], key=True) == ("site.yaml", 4, 5)
    assert locate(top, []) == ("site.yaml", 1, 1)


def test_the_place_of_what_is_not_there_is_the_nearest() -> None:
    top = parse("a:\n  b: [x]\n", "site.yaml")
    assert locate(top, ["a", "c"]).line == 2
    assert locate(top, ["a", "b", 7]) == ("site.yaml", 2, 6)
    assert locate(top, ["a", "b", 0, "deeper"]) == ("site.yaml", 2, 7)


def test_a_line_longer_than_columns_are_counted_keeps_its_line() -> None:
    top = parse("a: ['" + "x" * 70000 + "', b]\nc: d\n", "site.yaml")
    assert locate(top, ["a", 1]).line == 1
    assert locate(top, ["c"]).line == 2


def test_aliases_share_values_with_their_types_and_places() -> None:
    top = parse("a: &a 5\nb: *a\nc: &c {d: e}\nf: *c\ng: [*c, *a]\n", "site.yaml")
    assert top == {"a": 5, "b": 5, "c": {"d": "e"}, "f": {"d": "e"}, "g": [{"d": "e"}, 5]}
    assert locate(top, ["b"]) == ("site.yaml", 2, 4)
    assert locate(top, ["f", "d"]) == ("site.yaml", 3, 11)


def test_a_key_may_be_an_anchor() -> None:
    assert parse("&k a: 1\nb: *k\n", "site.yaml") == {"a": 1, "b": "a"}


def test_a_billion_laughs_are_not_heard() -> None:
    lines = ["l0: &l0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 10)]
    assert {each.rule for each in refused("\n".join(lines))} == {"yaml-alias"}


def test_depth_costs_no_recursion() -> None:
    depth = 20_000
    top = parsed("a: " + "[" * depth + "]" * depth)
    if isinstance(top, list):
        assert {each.rule for each in top} == {"yaml-syntax"}
    else:
        assert isinstance(top["a"], Sequence)


def test_many_duplicates() -> None:
    text = "".join(f"k{n}: 1\n" for n in range(5000)) * 2
    assert len(refused(text)) == 5000


def test_copies_are_plain() -> None:
    top = parse("a: [1]\nb: {c: 2}\n", "site.yaml")
    assert type(top["b"].__copy__()) is dict
    assert type(top["a"].__copy__()) is list
    assert isinstance(top["b"], Mapping)


@given(st.text(max_size=60))
def test_no_text_brings_it_down(text: str) -> None:
    found = parsed(text)
    if isinstance(found, list):
        assert found
        assert all(each.place.line >= 1 and each.place.column >= 1 for each in found)


@given(st.text("{}[]:,-&*!|>'\"%@` \n\tab?#<", max_size=40))
def test_no_punctuation_brings_it_down(text: str) -> None:
    assert parsed(text) != []
