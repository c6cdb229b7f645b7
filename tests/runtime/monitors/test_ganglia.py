"""gmetad and gmond, as they answer on a socket: what is believed, and what is not."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.runtime.monitors.support import (
    GOLDEN,
    Talk,
    Told,
    cluster_xml,
    document,
    hang,
    host_xml,
    saying,
    serving,
    trickling,
    without_end,
)
from threerc.runtime.config import Endpoint
from threerc.runtime.errors import MonitorLost
from threerc.runtime.monitors import Hosts
from threerc.runtime.monitors.ganglia import Ganglia
from threerc.runtime.observation import Observation, Seen

SITE = Hosts(["alfa01", "gridce"], {"192.168.1.11": "alfa01", "192.168.1.31": "gridce"})
BIBE = Told("bibe.sns.it")


def gmond(port: int) -> Ganglia:
    return Ganglia(
        endpoint=Endpoint.model_validate({"host": "bibe", "address": "127.0.0.1", "port": port}),
        hosts=SITE,
        cluster="SNS-Pisa",
        fresh=60,
        after=4,
        collectors=frozenset(["bibe"]),
        kind="gmond",
    )


def gmetad(port: int) -> Ganglia:
    return replace(gmond(port), kind="gmetad", collectors=frozenset(["bibe", "bussolo"]))


def told(*hosts: Told, started: int = 100, extra: str = "") -> Observation:
    """What comes of a gmond that tells of these hosts and of itself; it is 1000."""
    data = document(cluster_xml([replace(BIBE, started=started), *hosts]), extra)
    with serving(saying(data)) as port:
        return gmond(port).read()


@pytest.mark.parametrize("make", [gmond, gmetad])
def test_what_real_daemons_said(make: Callable[[int], Ganglia]) -> None:
    name = make(1).kind
    with serving(saying((GOLDEN / f"{name}.xml").read_bytes())) as port:
        found = make(port).read()
    assert found == Observation(
        hosts={
            "bibe": Seen(2.34, 0, 2),
            "bussolo": Seen(2.34, 0, 2),
            "gridce": Seen(2.35, 12, 2),
            "alfa01": Seen(None, 13),
        },
        source=f"{name} bibe:{port}",
        host="bibe",
    )


def test_a_gmetad_that_has_lost_its_collector_is_not_believed() -> None:
    with serving(saying((GOLDEN / "gmetad-stale.xml").read_bytes())) as port:
        with pytest.raises(MonitorLost, match="its data are 31 s old"):
            replace(gmetad(port), fresh=30).read()
        found = gmetad(port).read()
    assert (found.age, found.hosts["bussolo"].silent, found.hosts["gridce"].silent) == (31, 0, 12)


@pytest.mark.parametrize("ahead", [-7200, 0, 7200])
def test_the_age_is_the_same_whatever_the_collectors_clock_shows(ahead: int) -> None:
    hosts = [replace(BIBE, tn=45, reported=995 + ahead), Told("gridce", 130, 20, 910 + ahead)]
    with serving(saying(document(cluster_xml(hosts, localtime=1000 + ahead)))) as port:
        found = gmetad(port).read()
    assert (found.age, found.hosts["bibe"].silent, found.hosts["gridce"].silent) == (40, 5, 90)


def test_a_host_remembered_from_a_collector_with_another_clock_does_not_make_data_old() -> None:
    other = Told("gridce", tn=500, reported=995 + 86400)
    assert told(other, Told("alfa01")).age == 0


def test_a_clock_that_was_set_back_makes_hosts_heard_just_now() -> None:
    hosts = [replace(BIBE, tn=-3600, reported=4600), Told("gridce", tn=-3500, reported=4500)]
    with serving(saying(document(cluster_xml(hosts)))) as port:
        found = gmond(port).read()
    assert (found.age, found.hosts["bibe"].silent, found.hosts["gridce"].silent) == (0, 0, 0)


def test_names_are_short_and_as_the_site_has_them() -> None:
    hosts = [Told("ALFA01.sns.it"), Told("gridce"), Told("Other.example.org"), Told("10.9.9.9")]
    assert set(told(*hosts).hosts) == {"bibe", "alfa01", "gridce", "other", "10.9.9.9"}


@pytest.mark.parametrize("order", [1, -1])
def test_of_a_host_that_is_there_twice_the_newer_sign_of_life_is_believed(order: int) -> None:
    ghost = Told("192.168.1.31", tn=400, reported=600, load="9.99")
    found = told(*[ghost, Told("gridce.sns.it", tn=5)][::order])
    assert found.hosts["gridce"] == Seen(1.5, 5, 20)


@pytest.mark.parametrize("name", ["", ";", "a b", "alfa01;1;2", "a\n", "ü.sns.it", "x" * 300])
def test_what_cannot_be_a_host_is_left_out(name: str) -> None:
    assert set(told(Told(name), Told("alfa01"), Told("gridce")).hosts) == {
        "bibe",
        "alfa01",
        "gridce",
    }


def test_only_the_sites_cluster_counts() -> None:
    other = cluster_xml([Told("gridce", tn=1), Told("alfa01")], name="Other")
    assert told(Told("gridce", tn=50, reported=950), extra=other).hosts["gridce"].silent == 50


def test_the_only_cluster_is_taken_whatever_its_name() -> None:
    with serving(saying(document(cluster_xml([BIBE], "Renamed"), cluster_xml([], "b")))) as port:
        assert "bibe" in gmond(port).read().hosts


def test_among_several_clusters_of_other_names_none_is_taken() -> None:
    data = document(cluster_xml([BIBE], "A"), cluster_xml([BIBE], "B"))
    with serving(saying(data)) as port, pytest.raises(MonitorLost, match="among 'A', 'B'"):
        gmond(port).read()


def test_two_parts_of_the_sites_cluster_are_one() -> None:
    extra = cluster_xml([replace(BIBE, tn=1, reported=999), Told("gridce")])
    found = told(Told("alfa01"), extra=extra)
    assert set(found.hosts) == {"bibe", "alfa01", "gridce"}
    assert found.hosts["bibe"].silent == 1


def test_hosts_that_a_gmond_had_no_time_to_hear_are_silent_since_it_started() -> None:
    early, late = told(started=920), told(started=919)
    assert early.hosts["gridce"] == Seen(None, 80)
    assert not early.down(["alfa01", "gridce"], 4)
    assert set(late.hosts) == {"bibe"}
    assert late.down(["alfa01", "gridce"], 4) == {"alfa01", "gridce"}


@pytest.mark.parametrize("started", [None, 0])
def test_a_gmond_that_does_not_say_since_when_it_listens_is_not_believed(
    started: int | None,
) -> None:
    data = document(cluster_xml([replace(BIBE, started=started), Told("gridce")]))
    with serving(saying(data)) as port:
        with pytest.raises(MonitorLost, match="bibe is not listed"):
            gmond(port).read()
        assert set(gmetad(port).read().hosts) == {"bibe", "gridce"}


def test_a_gmetad_counts_from_the_collector_that_started_last() -> None:
    hosts = [BIBE, Told("bussolo", started=990)]
    with serving(saying(document(cluster_xml(hosts)))) as port:
        assert gmetad(port).read().hosts["gridce"] == Seen(None, 10)


@pytest.mark.parametrize(
    ("talk", "why"),
    [
        (saying(b""), "it says nothing: does it trust this host"),
        (hang, "no whole answer within 0.4 s"),
        (trickling(b"<GANGLIA_XML>" + b" " * 1000), "no whole answer within 0.4 s"),
        (saying(document(cluster_xml([BIBE]))[:-20]), "its XML is broken"),
        (saying(document()), "it knows no host"),
        (saying(document(cluster_xml([]))), "it knows no host"),
        (saying(b"\xff\xfe" * 1000), "its XML is broken"),
        (without_end(b"<GANGLIA_XML>", b" " * 2**16), "no host within 2 MiB"),
        (
            without_end(
                b"<GANGLIA_XML><CLUSTER LOCALTIME='1'>", host_xml(Told("a")).encode() * 100
            ),
            r"no whole answer|more than 200000 hosts",
        ),
    ],
)
def test_whatever_else_is_said_is_lost_in_time(talk: Talk, why: str) -> None:
    with serving(talk) as port, pytest.raises(MonitorLost, match=why):
        replace(gmond(port), seconds=0.4 if "no whole" in why else 30).read()


def test_nobody_listens() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        with pytest.raises(MonitorLost, match="Connection refused"):
            gmond(bound.getsockname()[1]).read()
