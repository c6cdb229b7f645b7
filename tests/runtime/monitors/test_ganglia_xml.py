"""Ganglia's XML: what real daemons send, whatever else may be sent, and what is refused."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from itertools import chain, count, repeat
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.runtime.monitors.support import (
    GOLDEN,
    Told,
    cluster_xml,
    document,
    host_xml,
    metric_xml,
)
from threerc.runtime.errors import MonitorLost
from threerc.runtime.monitors import ganglia_xml
from threerc.runtime.monitors.ganglia_xml import Cluster, GangliaXml, Host

GMOND = (GOLDEN / "gmond.xml").read_bytes()


def read(*chunks: bytes) -> list[Cluster]:
    return read_all(chunks)


def read_all(chunks: Iterable[bytes]) -> list[Cluster]:
    reader = GangliaXml()
    for chunk in chunks:
        reader.feed(chunk)
    return reader.close()


def cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    """The data in pieces; each place is taken modulo its length."""
    begins = sorted({0, *(place % (len(data) + 1) for place in places)})
    return [data[i:j] for i, j in zip(begins, [*begins[1:], len(data)], strict=True)]


@pytest.mark.parametrize(
    ("file", "silent"),
    [("gmond", (0, 0, 12)), ("gmetad", (0, 0, 12)), ("gmetad-stale", (31, 31, 43))],
)
def test_what_real_daemons_said(file: str, silent: tuple[int, ...]) -> None:
    (cluster,) = read((GOLDEN / f"{file}.xml").read_bytes())
    assert (cluster.name, cluster.localtime) == ("SNS-Pisa", 1795567755)
    started, last = 1795567742, 1795567755
    assert sorted(cluster.hosts, key=lambda host: host.name) == [
        Host("bibe.sns.it", silent[0], 2, last, started, 2.34),
        Host("bussolo.sns.it", silent[1], 2, last, started, 2.34),
        Host("gridce.sns.it", silent[2], 2, 1795567743, started, 2.35),
    ]


printable = st.text(st.characters(codec="iso-8859-1", exclude_categories=["Cc"]), max_size=30)
numbers = st.integers(0, 2**31)
hosts = st.builds(
    Told,
    name=printable,
    tn=numbers,
    tmax=st.integers(1, 2**31),
    reported=numbers,
    started=st.none() | numbers,
    load=st.none() | st.floats(0, 1e4).map("{:.2f}".format),
)
clusters = st.tuples(printable, numbers, st.lists(hosts, max_size=5))


@settings(deadline=None)
@given(st.lists(clusters, max_size=4), st.lists(st.integers(0), max_size=12))
def test_what_is_written_is_read_however_it_arrives(
    told: list[tuple[str, int, list[Told]]], places: list[int]
) -> None:
    data = document(*(cluster_xml(hosts, name, localtime) for name, localtime, hosts in told))
    assert read(*cut(data, places)) == [
        Cluster(
            name,
            localtime,
            [
                Host(
                    each.name,
                    int(each.tn),
                    int(each.tmax),
                    int(each.reported),
                    each.started or 0,
                    None if each.load is None else float(each.load),
                )
                for each in hosts
            ],
        )
        for name, localtime, hosts in told
    ]


def test_every_single_byte_may_arrive_alone() -> None:
    assert read(*(GMOND[n : n + 1] for n in range(len(GMOND)))) == read(GMOND)


@settings(deadline=None)
@given(st.integers(0, len(GMOND) - 2))
@example(0)
def test_an_answer_that_ends_too_early_is_none(length: int) -> None:
    with pytest.raises(MonitorLost, match=r"broken|nothing"):
        read(GMOND[:length])


@settings(deadline=None)
@given(st.binary() | st.text().map(str.encode), st.integers(0), st.integers(0))
def test_nothing_but_lost_comes_of_whatever_is_sent(junk: bytes, at: int, to: int) -> None:
    begin, end = sorted((at % len(GMOND), to % len(GMOND)))
    for data in (junk, GMOND[:begin] + junk + GMOND[begin:], GMOND[:begin] + junk + GMOND[end:]):
        with suppress(MonitorLost):
            hosts = [host for cluster in read(data) for host in cluster.hosts]
            assert all(host.tmax > 0 for host in hosts)


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
ROOT = '<GANGLIA_XML VERSION="1" SOURCE="x">'


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "says nothing"),
        ("HTTP/1.0 400 Bad Request\r\n\r\n", "broken"),
        ("<html/>", "does not speak Ganglia's XML, but <html>"),
        (f'<!DOCTYPE x [<!ENTITY l0 "ha">{LAUGHS}]>{ROOT}&l9;</GANGLIA_XML>', "declares an entity"),
        ('<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><x>&f;</x>', "declares an entity"),
        ('<!DOCTYPE x [<!ENTITY % p SYSTEM "http://192.0.2.1/">%p;]><x/>', "declares an entity"),
        ('<!DOCTYPE x SYSTEM "http://192.0.2.1/x.dtd"><x/>', "a DTD elsewhere"),
        ('<!DOCTYPE x PUBLIC "p" "file:///etc/passwd"><x/>', "a DTD elsewhere"),
        (f"{ROOT}&nowhere;</GANGLIA_XML>", "broken: undefined entity"),
        (f"{ROOT}{host_xml(Told('a'))}</GANGLIA_XML>", "outside of all clusters"),
        (f"{ROOT}<CLUSTER NAME='a'/></GANGLIA_XML>", "a CLUSTER with LOCALTIME ''"),
        (f"{ROOT}<CLUSTER LOCALTIME='1'></GANGLIA_XML>", "broken: mismatched tag"),
        (f"{ROOT}</GANGLIA_XML>{ROOT}</GANGLIA_XML>", "broken: junk"),
    ],
)
def test_hostile_xml_is_refused(text: str, why: str) -> None:
    with pytest.raises(MonitorLost, match=why):
        read(text.encode())


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp037"])
def test_other_encodings_are_refused(encoding: str) -> None:
    with pytest.raises(MonitorLost, match=r"broken|binary"):
        read(GMOND.decode("iso-8859-1").replace("ISO-8859-1", encoding).encode(encoding))


@pytest.mark.parametrize("encoding", ["utf-8", "rot13", "zlib", "nonsense"])
def test_the_declared_encoding_does_not_matter(encoding: str) -> None:
    data = document(cluster_xml([Told("é")], "Università"))
    assert read(data.replace(b"ISO-8859-1", encoding.encode())) == read(data)
    assert read(data)[0].hosts[0].name == "é"


@pytest.mark.parametrize(
    "wrong",
    [
        {"tn": ""},
        {"tn": "abc"},
        {"tn": "1.5"},
        {"tn": "nan"},
        {"tn": "99999999999"},
        {"tn": "٣"},
        {"tmax": ""},
        {"tmax": "0"},
        {"tmax": "-20"},
        {"reported": "yesterday"},
    ],
)
def test_an_answer_with_a_number_that_is_none_is_refused(wrong: dict[str, Any]) -> None:
    text = host_xml(Told("a", **wrong))
    with pytest.raises(MonitorLost, match="a HOST with"):
        read(f"{ROOT}<CLUSTER LOCALTIME='1'>{text}".encode("iso-8859-1", "xmlcharrefreplace"))


@pytest.mark.parametrize("load", ["nan", "inf", "-1", "", "much"])
def test_a_load_that_is_none_is_not_reported(load: str) -> None:
    assert read(document(cluster_xml([Told("a", load=load)])))[0].hosts[0].load is None


def test_a_load_is_that_of_the_metric_with_this_name() -> None:
    host = Told("a", load=None)
    lines = host_xml(host).replace("</HOST>", metric_xml("note", "load_five") + "</HOST>")
    text = cluster_xml([host]).replace(host_xml(host), lines)
    assert read(document(text))[0].hosts[0].load is None


def why_refused(begin: str, again: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Of a document that repeats itself for ever; the limits are lower, to be quick."""
    monkeypatch.setattr(ganglia_xml, "MOST_BYTES", 16 * 2**20)
    monkeypatch.setattr(ganglia_xml, "MOST_HOSTS", 1000)
    monkeypatch.setattr(ganglia_xml, "MOST_CLUSTERS", 100)
    first = f"{ROOT}<CLUSTER NAME='a' LOCALTIME='1'>{begin}".encode()
    with pytest.raises(MonitorLost) as lost:
        read_all(chain([first], repeat(again.encode() * (2**16 // len(again)))))
    return str(lost.value)


HOST = host_xml(Told("a"))


@pytest.mark.parametrize(
    ("begin", "again", "why"),
    [
        ("", "<HOST NAME='a' TN='1' TMAX='1' REPORTED='1'/>", "more than 1000 hosts"),
        ("", "<CLUSTER NAME='a' LOCALTIME='1'/>", "more than 100 clusters"),
        ("", "<METRICS/>", "no host within 2 MiB"),
        ("", " ", "no host within 2 MiB"),
        ("<HOST NAME='", "a", "no host within 2 MiB"),
        ("<!--", "-", "broken"),
        ("<!--", "a", "no host within 2 MiB"),
        ("<", "a", "no host within 2 MiB"),
    ],
)
def test_a_document_without_end_is_refused(
    begin: str, again: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert why in why_refused(begin, again, monkeypatch)


def test_a_large_document_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    again = HOST.replace("</HOST>", "<EXTRA_DATA/>" * 4000 + "</HOST>")
    assert "not end within 16 MiB" in why_refused("", again, monkeypatch)


@pytest.mark.parametrize("kind", ["<a>", "<n%d/>", "<a a%d=''/>"])
def test_a_document_that_makes_expat_remember_too_much_is_refused(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Elements without an end, or ever new names, between hosts that are fine."""
    monkeypatch.setattr(ganglia_xml, "MOST_MEMORY_KIB", 16 * 2**10)
    first = document(cluster_xml([Told("a")])).removesuffix(b"</CLUSTER>\n</GANGLIA_XML>\n")
    many = (
        HOST + "".join(kind.replace("%d", str(n)) for n in range(at, at + 10_000))
        for at in count(0, 10_000)
    )
    with pytest.raises(MonitorLost, match="more than 16 MiB of memory"):
        read_all(chain([first], map(str.encode, many)))
