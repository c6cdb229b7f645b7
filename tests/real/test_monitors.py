"""The monitors read real gmonds, a real gmetad and a real Prometheus, while these die."""

import ctypes
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, Literal

import pytest

from tests.lab import LabError, Namespace, namespace, requires_real
from tests.lab.namespace import BRIDGE
from tests.lab.process import program, running, tail
from threerc.compiler.verify.base import find_program
from threerc.runtime.config import Endpoint, Prometheus
from threerc.runtime.errors import MonitorLost
from threerc.runtime.monitors import Hosts, Monitor, observe
from threerc.runtime.monitors.ganglia import Ganglia
from threerc.runtime.monitors.prometheus import PrometheusServer
from threerc.runtime.observation import Observation

pytestmark = requires_real()

COLLECTORS: Final = {"bibe": 8649, "bussolo": 8659}
ADDRESSES: Final = {"bibe": "192.168.1.10", "bussolo": "192.168.1.9", "gridce": "192.168.1.31"}
GMETAD_PORT: Final = 8651
TMAX: Final = 2
AFTER: Final = 4.0
FRESH: Final = 5.0
WAIT_SECONDS: Final = 60
LOOK_SECONDS: Final = 0.3
SITE: Final = Hosts(ADDRESSES, {address: name for name, address in ADDRESSES.items()})
# A host is named by its file, so that all can run in one namespace.
GMOND: Final = """
globals {{
  daemonize = no setuid = no mute = no deaf = {deaf} send_metadata_interval = 1
  host_tmax = {tmax} host_dmax = 604800
  override_hostname = "{name}.sns.it" override_ip = {address}
}}
cluster {{ name = "SNS-Pisa" owner = "SNS" }}
{channels}
modules {{
  module {{ name = "core_metrics" }}
  module {{ name = "load_module" path = "{modules}/modload.so" }}
}}
collection_group {{ collect_once = yes time_threshold = 1 metric {{ name = "heartbeat" }} }}
collection_group {{
  collect_every = 1 time_threshold = 1
  metric {{ name = "load_one" }} metric {{ name = "load_five" }}
}}
"""
RECEIVE: Final = """udp_recv_channel {{ port = {port} bind = 127.0.0.1 }}
tcp_accept_channel {{ port = {port} bind = 127.0.0.1 }}"""


@dataclass(frozen=True)
class Lab:
    """Daemons in a namespace of their own, on its loopback."""

    net: Namespace
    inside: ThreadPoolExecutor

    @contextmanager
    def daemon(self, name: str, *command: str) -> Iterator[None]:
        log = self.net.work / f"{name}.log"
        enter = [program("ip"), "netns", "exec", self.net.name]
        with running([*enter, installed(command[0]), *command[1:]], log):
            yield

    @contextmanager
    def gmond(self, name: str) -> Iterator[None]:
        send = "".join(
            f"udp_send_channel {{ host = 127.0.0.1 port = {port} }}\n"
            for port in COLLECTORS.values()
        )
        port = COLLECTORS.get(name)
        config = self.net.work / f"{name}.conf"
        config.write_text(
            GMOND.format(
                name=name,
                address=ADDRESSES[name],
                tmax=TMAX,
                deaf="no" if port else "yes",
                channels=send + (RECEIVE.format(port=port) if port else ""),
                modules=next(Path("/usr/lib").glob("*/ganglia/modload.so")).parent,
            )
        )
        with self.daemon(name, "gmond", "-f", "-c", str(config)):
            yield

    @contextmanager
    def gmetad(self, source: str) -> Iterator[None]:
        rrds = self.net.work / "rrds"
        rrds.mkdir()
        config = self.net.work / "gmetad.conf"
        config.write_text(
            f'gridname "SNS"\ndata_source "SNS-Pisa" 1 127.0.0.1:{COLLECTORS[source]}\n'
            f'setuid off\nrrd_rootdir "{rrds}"\n'
        )
        with self.daemon("gmetad", "gmetad", "-d", "1", "-c", str(config)):
            yield

    def wait_for(
        self, monitors: Sequence[Monitor], seen: Callable[[Observation], bool]
    ) -> Observation:
        """Look until an observation is as it should be, and return it."""
        last: Observation | MonitorLost | None = None
        end = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < end:
            last = self.look(monitors)
            if isinstance(last, Observation) and seen(last):
                return last
            time.sleep(LOOK_SECONDS)
        logs = "".join(tail(log) for log in sorted(self.net.work.glob("*.log")))
        raise LabError(f"last seen: {last}\n{logs}")

    def look(self, monitors: Sequence[Monitor]) -> Observation | MonitorLost:
        try:
            return self.inside.submit(observe, monitors).result()
        except MonitorLost as error:
            return error


@contextmanager
def lab(work: Path) -> Iterator[Lab]:
    with namespace(work) as net, thread_inside(net) as inside:
        yield Lab(net, inside)


@contextmanager
def thread_inside(net: Namespace) -> Iterator[ThreadPoolExecutor]:
    """A thread that lives in a namespace; the threads that it starts do, too."""

    def enter() -> None:
        descriptor = os.open(f"/run/netns/{net.name}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            if ctypes.CDLL(None, use_errno=True).setns(descriptor, 0):
                raise OSError(ctypes.get_errno(), "setns")
        finally:
            os.close(descriptor)

    with ThreadPoolExecutor(1, initializer=enter) as inside:
        yield inside


def ganglia(kind: Literal["gmetad", "gmond"], host: str, port: int) -> Ganglia:
    return Ganglia(
        endpoint=Endpoint.model_validate({"host": host, "address": "127.0.0.1", "port": port}),
        hosts=SITE,
        cluster="SNS-Pisa",
        fresh=FRESH,
        after=AFTER,
        collectors=frozenset(COLLECTORS if kind == "gmetad" else [host]),
        kind=kind,
    )


GMETAD: Final = ganglia("gmetad", "bibe", GMETAD_PORT)
GMONDS: Final = [ganglia("gmond", name, port) for name, port in COLLECTORS.items()]


def down(observation: Observation) -> set[str]:
    return observation.down(ADDRESSES, AFTER)


def all_up(observation: Observation) -> bool:
    return not down(observation) and all(observation.load(name) is not None for name in ADDRESSES)


def test_deaths_of_a_host_of_collectors_and_of_all(tmp_path: Path) -> None:
    with lab(tmp_path) as site, ExitStack() as stack:
        daemons = {name: stack.enter_context(ExitStack()) for name in ADDRESSES}
        for name, daemon in daemons.items():
            daemon.enter_context(site.gmond(name))
        stack.enter_context(site.gmetad("bibe"))
        for monitor in (GMETAD, *GMONDS):
            site.wait_for([monitor], all_up)

        daemons["gridce"].close()
        check_silence_grows(site)
        daemons["bibe"].close()
        check_stale_gmetad_is_left(site)
        daemons["bussolo"].close()
        check_all_are_lost(site)


def check_silence_grows(site: Lab) -> None:
    """A dead host is silent for ever longer, and in the end down, for whomever is asked."""
    before = 0.0
    for limit in (TMAX, 2 * TMAX, AFTER * TMAX):
        found = site.wait_for([GMETAD, *GMONDS], partial(is_silent, "gridce", limit))
        assert found.hosts["gridce"].silent > before
        before = found.hosts["gridce"].silent
    assert (down(found), found.source, found.host) == ({"gridce"}, GMETAD.name, "bibe")
    for monitor in GMONDS:
        assert down(site.wait_for([monitor], partial(is_silent, "gridce", limit))) == {"gridce"}


def is_silent(name: str, limit: float, observation: Observation) -> bool:
    return observation.hosts[name].silent > limit


def check_stale_gmetad_is_left(site: Lab) -> None:
    """A gmetad whose collector has died goes on telling, and lies: it is left for another."""
    sources = []

    def left(observation: Observation) -> bool:
        sources.append(observation.source)
        assert "bussolo" not in down(observation)
        return observation.source == GMONDS[1].name and "bibe" in down(observation)

    found = site.wait_for([GMETAD, *GMONDS], left)
    assert sources[0] == GMETAD.name
    assert found.failed[0].startswith(f"{GMETAD.name}: its data are ")
    assert found.failed[1] == f"{GMONDS[0].name}: Connection refused"
    # By the clock of a gmetad that is believed all the same, every host would be dead by now.
    believed = replace(GMETAD, fresh=WAIT_SECONDS)
    found = site.wait_for([believed], lambda seen: seen.age > AFTER * TMAX)
    assert "bussolo" not in down(found)


def check_all_are_lost(site: Lab) -> None:
    found = site.look([GMETAD, *GMONDS])
    assert isinstance(found, MonitorLost)
    assert [line.partition(": ")[0] for line in str(found).split("; ")] == [
        each.name for each in (GMETAD, *GMONDS)
    ]


def test_a_collector_that_was_just_started_kills_nobody(tmp_path: Path) -> None:
    with lab(tmp_path) as site, site.gmond("bibe"):
        found = site.wait_for(GMONDS[:1], lambda seen: seen.load("bibe") is not None)
        assert not down(found)
        assert found.hosts["gridce"].silent < AFTER * TMAX


def test_the_probe_tells_the_living_from_the_dead(tmp_path: Path) -> None:
    """Run as nobody, since controllers are not root; and in time, however many are dead."""
    with namespace(tmp_path, "192.168.1.1/24", "192.168.1.2/24") as net:
        # Behind a router that takes it all: the kernel does not remember 1,000 neighbours.
        net.ip("neigh", "add", "192.168.1.9", "lladdr", "02:00:00:00:00:09", "dev", BRIDGE)
        net.ip("route", "add", "10.1.0.0/16", "via", "192.168.1.9")
        dead = {f"dead{n}": f"10.1.{n // 250}.{1 + n % 250}" for n in range(1000)}
        hosts = {**dead, "one": "192.168.1.1", "two": "192.168.1.2", "far": "10.2.0.1"}
        code = (
            "import os; from threerc.runtime.monitors.probe import answering;"
            "os.setgroups([]); os.setgid(65534); os.setuid(65534);"
            f"found = answering({hosts!r}, 'ping', 3); print(*sorted(found.answer));"
            "print(*found.unasked)"
        )
        enter = [program("ip"), "netns", "exec", net.name]
        done = subprocess.run(
            [*enter, sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert (done.stdout, done.stderr) == ("one two\nfar\n", "")


PROMETHEUS: Final = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
- job_name: node
  static_configs:
  - targets: ["127.0.0.1:{alfa01}"]
    labels: {{instance: "alfa01.sns.it:9100"}}
  - targets: ["127.0.0.1:{alfa02}"]
    labels: {{instance: "alfa02.sns.it:9100"}}
"""


@dataclass(frozen=True)
class Scraped:
    """A Prometheus that scrapes two exporters, on loopback."""

    work: Path
    ports: dict[str, int]

    @property
    def server(self) -> PrometheusServer:
        settings = Prometheus(url=f"http://127.0.0.1:{self.ports['prometheus']}")
        return PrometheusServer(settings, Hosts(["alfa01", "alfa02"]), fresh=3, interval=1)

    @contextmanager
    def exporter(self, name: str) -> Iterator[None]:
        command = [
            installed("prometheus-node-exporter"),
            f"--web.listen-address=127.0.0.1:{self.ports[name]}",
            "--collector.disable-defaults",
            "--collector.loadavg",
        ]
        with running(command, self.work / f"{name}.log"):
            yield

    @contextmanager
    def prometheus(self) -> Iterator[None]:
        config = self.work / "prometheus.yml"
        config.write_text(PROMETHEUS.format(**self.ports))
        command = [
            installed("prometheus"),
            f"--config.file={config}",
            f"--storage.tsdb.path={self.work / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.ports['prometheus']}",
        ]
        with running(command, self.work / "prometheus.log"):
            yield

    def wait_for(self, seen: Callable[[Observation], bool]) -> Observation:
        last: object = None
        end = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < end:
            try:
                last = found = observe([self.server])
            except MonitorLost as error:
                last = error
            else:
                if seen(found):
                    return found
            time.sleep(LOOK_SECONDS)
        raise LabError(f"last seen: {last}\n{tail(self.work / 'prometheus.log')}")


def installed(name: str) -> str:
    path = find_program(name)
    assert path is not None, f"{name} is missing: see dev/packages.debian"
    return path


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def test_prometheus_tells_since_when_a_host_is_silent(tmp_path: Path) -> None:
    names = ("prometheus", "alfa01", "alfa02")
    site = Scraped(tmp_path, dict(zip(names, free_ports(3), strict=True)))
    with ExitStack() as stack:
        stack.enter_context(site.exporter("alfa01"))
        second = stack.enter_context(ExitStack())
        second.enter_context(site.exporter("alfa02"))
        stack.enter_context(site.prometheus())
        found = site.wait_for(lambda seen: len(seen.hosts) == 2)
        assert not found.down(["alfa01", "alfa02"], 4)
        assert found.load("alfa01") is not None

        second.close()
        before = 0.0
        for limit in (2, 4, 8):
            found = site.wait_for(partial(is_silent, "alfa02", limit))
            assert found.hosts["alfa02"].silent > before
            assert found.hosts["alfa01"].silent <= 1
            before = found.hosts["alfa02"].silent


def test_prometheus_that_was_just_started_is_not_believed(tmp_path: Path) -> None:
    names = ("prometheus", "alfa01", "alfa02")
    site = Scraped(tmp_path, dict(zip(names, free_ports(3), strict=True)))
    with site.exporter("alfa01"), site.prometheus():
        site.wait_for(lambda seen: "alfa01" in seen.hosts)
        with pytest.raises(MonitorLost, match=r"was started .* s ago, too lately to know"):
            observe([replace(site.server, fresh=3600)])
