"""Ranges of names, addresses and MACs."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from ClusterShell.NodeSet import NodeSet
from hypothesis import given
from hypothesis import strategies as st

from threerc.compiler.source import ranges
from threerc.compiler.source.ranges import (
    RangeError,
    addresses,
    expand,
    is_range,
    listed,
    macs,
    names,
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("wn[1-3]", ["wn1", "wn2", "wn3"]),
        ("wn[08-11]", ["wn08", "wn09", "wn10", "wn11"]),
        ("wn[1-2,05, 7]x", ["wn1x", "wn2x", "wn05x", "wn7x"]),
        ("r[1-2]n[1-2]", ["r1n1", "r1n2", "r2n1", "r2n2"]),
        ("[1]", ["1"]),
        ("[099-101]", ["099", "100", "101"]),
    ],
)
def test_names(text: str, found: list[str]) -> None:
    assert expand(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a", ["a"]),
        ("a,b", ["a", "b"]),
        ("wn[1-2,4], ce,wn2", ["wn1", "wn2", "wn4", "ce"]),
        ("r[1,2]n[1,2],x", ["r1n1", "r1n2", "r2n1", "r2n2", "x"]),
    ],
)
def test_lists_of_names(text: str, found: list[str]) -> None:
    assert listed(text) == found


@pytest.mark.parametrize("text", ["a,", ",a", "a,,b", ",", "", "a,wn[1"])
def test_no_lists_of_names(text: str) -> None:
    with pytest.raises(RangeError):
        listed(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("wn[", "without its partner"),
        ("wn]1[", "without its partner"),
        ("wn[1-[2]]", "without its partner"),
        ("wn", "without its partner"),
        ("wn[]", "not a range"),
        ("wn[1-]", "not a range"),
        ("wn[-1]", "not a range"),
        ("wn[a-c]", "not a range"),
        ("wn[1-2-3]", "not a range"),
        ("wn[1234567890]", "not a range"),
        ("wn[5-1]", "ends before it starts"),
        ("wn[1-3,2]", "names a number twice"),
        ("wn[1-9999999]", "more than 1,000,000 names"),
        ("wn[1-1001][1-1000]", "more than 1,000,000 names"),
        ("wn[" + ",".join(["1-999999"] * 1000) + "]", "more than 1,000,000 names"),
    ],
)
def test_names_that_cannot_be_expanded(text: str, says: str) -> None:
    with pytest.raises(RangeError, match=says):
        expand(text)


@given(st.integers(0, 500), st.integers(0, 200), st.integers(3, 5))
def test_a_range_expands_as_clustershell_expands_it(first: int, more: int, width: int) -> None:
    """Where both ends are equally wide; ClusterShell refuses other padded ranges."""
    text = f"wn[{first:0{width}d}-{first + more:0{width}d}]"
    assert sorted(expand(text)) == sorted(NodeSet(text))


@given(st.integers(0, 2**32 - 2000), st.integers(1, 1000))
def test_ipv4_addresses_count_up(start: int, count: int) -> None:
    first, last = IPv4Address(start), IPv4Address(start + count - 1)
    found = addresses(f"{first}-{last}", count)
    assert found == [IPv4Address(start + n) for n in range(count)]
    values = f"{count:,} address{'' if count == 1 else 'es'}"
    with pytest.raises(RangeError, match=f"is {values} for {count + 1:,} hosts"):
        addresses(f"{first} - {last}", count + 1)


@given(st.integers(0, 2**128 - 2000), st.integers(1, 300))
def test_ipv6_addresses_count_up(start: int, count: int) -> None:
    first, last = IPv6Address(start), IPv6Address(start + count - 1)
    assert addresses(f"{first}-{last}", count)[-1] == last


@given(st.integers(0, 2**48 - 2000), st.integers(1, 300))
def test_macs_count_up(start: int, count: int) -> None:
    def text(number: int) -> str:
        return ":".join(f"{number:012X}"[n : n + 2] for n in range(0, 12, 2))

    found = macs(f"{text(start)}-{text(start + count - 1)}", count)
    assert found == [text(start + n).lower() for n in range(count)]


@pytest.mark.parametrize(
    ("count_up", "text", "count", "says"),
    [
        (addresses, "10.0.0.1", 5, "one value for 5 hosts"),
        (addresses, "10.0.0.5-10.0.0.1", 5, "is 0 addresses for 5 hosts"),
        (addresses, "10.0.0.1-fd00::5", 5, "not permitted|Expected 4 octets"),
        (addresses, "10.0.0.1-", 5, "one value|cannot be empty|Expected 4"),
        (addresses, "x-y", 5, "Expected 4 octets"),
        (addresses, "fe80::1%eth0-fe80::5%eth0", 5, "has a scope"),
        (addresses, "0.0.0.0-255.255.255.255", 5, "4,294,967,296 addresses for 5 hosts"),
        (macs, "02:00:00:00:00:01", 5, "one value for 5 hosts"),
        (macs, "02:00:00:00:00:0g-02:00:00:00:00:05", 5, "`02:00:00:00:00:0g` is not a MAC"),
        (macs, "02:00:00:00:00:05-02:00:00:00:00:01", 5, "is 0 MAC addresses for 5 hosts"),
        (macs, "02-00-00-00-00-01-02-00-00-00-00-05", 5, "is not a MAC"),
        (names, "ui", 5, "`ui` is one name for 5 hosts"),
        (names, "ui[1-4]", 5, "is 4 names for 5 hosts"),
        (names, "ui[1-", 5, "without its partner"),
    ],
)
def test_values_that_do_not_count_up(count_up: object, text: str, count: int, says: str) -> None:
    with pytest.raises(RangeError, match=says):
        count_up(text, count)  # type: ignore[operator]


def test_a_range_of_one_takes_a_single_value() -> None:
    assert addresses("10.0.0.1", 1) == [IPv4Address("10.0.0.1")]
    assert macs("02:00:00:00:00:0A", 1) == ["02:00:00:00:00:0a"]


@given(st.text("wn[]0123456789-,", max_size=20))
def test_no_text_brings_it_down(text: str) -> None:
    if is_range(text):
        try:
            found = expand(text)
        except RangeError:
            return
        assert len(found) == len(set(found)) <= ranges.MOST_HOSTS
