"""Which monitors a site has, and in which order they are asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.runtime.test_config import DATA
from threerc.runtime.config import ControllerConfig
from threerc.runtime.errors import MonitorLost
from threerc.runtime.monitors import from_config, observe
from threerc.runtime.monitors.ganglia import Ganglia
from threerc.runtime.monitors.prometheus import PrometheusServer
from threerc.runtime.observation import Observation


@dataclass
class Source:
    """A monitor of which a test says what it does."""

    name: str
    does: Callable[[], Observation]
    host: str = ""
    asked: threading.Event = field(default_factory=threading.Event)

    def read(self) -> Observation:
        self.asked.set()
        return self.does()


def good(name: str) -> Source:
    return Source(name, lambda: Observation({}, name))


def lost(name: str) -> Source:
    def does() -> Observation:
        raise MonitorLost("Connection refused")

    return Source(name, does)


@pytest.fixture
def hanging() -> Iterator[Callable[[str], Source]]:
    """Makes sources that hang until the test is over."""
    over = threading.Event()

    def make(name: str) -> Source:
        def does() -> Observation:
            over.wait()
            raise MonitorLost("too late")

        return Source(name, does)

    yield make
    over.set()


def test_the_first_is_enough() -> None:
    second = good("b")
    assert observe([good("a"), second]) == Observation({}, "a")
    assert not second.asked.is_set()


def test_what_failed_before_is_told() -> None:
    found = observe([lost("a"), lost("b"), good("c"), good("d")])
    assert (found.source, found.failed) == (
        "c",
        ("a: Connection refused", "b: Connection refused"),
    )


def test_those_that_hang_delay_nobody(hanging: Callable[[str], Source]) -> None:
    sources = [hanging("a"), lost("b"), hanging("c"), good("d")]
    found = observe(sources, seconds=4)
    assert (found.source, found.failed) == (
        "d",
        ("a: has not answered in time", "b: Connection refused", "c: has not answered in time"),
    )


def test_when_all_fail_or_hang_all_say_why(hanging: Callable[[str], Source]) -> None:
    sources = [hanging("a"), lost("b"), hanging("c")]
    with pytest.raises(MonitorLost) as caught:
        observe(sources, seconds=1)
    assert str(caught.value) == (
        "a: has not answered in time; b: Connection refused; c: has not answered in time"
    )
    assert all(source.asked.is_set() for source in sources)


def test_a_bug_is_not_taken_for_a_lost_monitor() -> None:
    def does() -> Observation:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        observe([Source("a", does), good("b")])


def test_a_site_without_monitors() -> None:
    with pytest.raises(MonitorLost, match="the site has no monitor"):
        observe([])


def monitors_of(**settings: Any) -> tuple[Any, ...]:
    data = {
        **DATA,
        "monitors": {
            "cluster": "test",
            "poll_interval": 30,
            "down_after": 5,
            "gmetad": [{"host": "b", "port": 8651}],
            "collectors": [
                {"host": "c", "address": "192.0.2.3", "port": 8649},
                {"host": "b", "address": "192.0.2.2", "port": 8649},
                {"host": "D", "port": 8649},
            ],
            "prometheus": [{"url": "https://p.example.org:9090/prefix"}],
            **settings,
        },
        "physical_hosts": {
            **DATA["physical_hosts"],
            "y": {"maxl": 1, "hypervisor": "xen", "address": "192.0.2.9"},
        },
        "virtual_machines": {
            **DATA["virtual_machines"],
            "vm": {"home": "y", "memory": 1, "address": "2001:db8::1"},
        },
    }
    return from_config(ControllerConfig.model_validate(data))


def test_a_sites_monitors_in_their_order() -> None:
    gmetad, first, second, third, prometheus = monitors_of()
    assert [each.name for each in (gmetad, first, second, third, prometheus)] == [
        "gmetad b:8651",
        "gmond c:8649",
        "gmond b:8649",
        "gmond D:8649",
        "prometheus https://p.example.org:9090/prefix",
    ]
    assert [each.host for each in (gmetad, first, second, third, prometheus)] == [
        "b",
        "c",
        "b",
        "D",
        "p",
    ]
    assert isinstance(gmetad, Ganglia)
    assert (gmetad.cluster, gmetad.fresh, gmetad.after) == ("test", 90, 5)
    assert sorted(gmetad.collectors) == ["D", "b", "c"]
    assert sorted(first.collectors) == ["c"]
    assert isinstance(prometheus, PrometheusServer)
    assert (prometheus.fresh, prometheus.interval) == (90, 30)


def test_a_sites_names_and_addresses() -> None:
    hosts = monitors_of()[0].hosts
    assert hosts.names == {"no", "y", "z", "1e3", "on", "vm"}
    told = ("192.0.2.9", "2001:DB8:0::1", "192.0.2.3", "ON.example.org", "d.example.org")
    assert [hosts.short(each) for each in told] == ["y", "vm", "c", "on", "D"]


def test_a_prometheus_that_polls_seldom_has_no_present_values() -> None:
    assert monitors_of(poll_interval=3600)[-1].interval == 120


def test_a_url_never_shows_a_password() -> None:
    (server,) = monitors_of(
        gmetad=[], collectors=[], prometheus=[{"url": "http://me:secret@p:9090"}]
    )
    assert server.name == "prometheus http://p:9090"
