"""Real gmonds and a real gmetad with the compiled files, unchanged, on hosts of their own.

Each host is a network namespace. The compiled files are mounted over its /etc, so that nothing of
this machine's own configuration is read or written.
"""

import shutil
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from subprocess import Popen
from typing import Final, Literal

import pytest

from tests.compiler.support import TODAY, good_site
from tests.lab import LabError, Namespace, namespace, requires_real
from tests.lab.namespace import BRIDGE
from tests.lab.process import call, program, running, tail, wait_until
from threerc.compiler.artefacts.ganglia import compile_ganglia
from threerc.compiler.artefacts.hosts import compile_hosts
from threerc.compiler.lock import Lock
from threerc.compiler.tree import Output, Tree
from threerc.compiler.verify.base import find_program

pytestmark = requires_real()

SITE: Final = """
site: test
domain: example.org
networks:
  lan: {prefix: 192.168.1.0/24, gateway: 192.168.1.254}
  farm: {prefix: 192.168.2.0/24, gateway: 192.168.2.254}
os_profiles:
  debian: {installer: preseed, kernel: linux, initrd: initrd.gz}
service_hosts:
  bibe:
    address: 192.168.1.10
    interfaces: {eth1: {address: 192.168.2.10}}
    roles: [collector, gmetad, controller, install]
  bussolo: {address: 192.168.1.9, roles: [collector, controller]}
physical_hosts:
  alfa01: {address: 192.168.1.11}
virtual_machines:
  gridce: {address: 192.168.1.31, home: alfa01, os: debian}
worker_nodes:
  wn01: {address: 192.168.2.1, os: debian}
monitoring:
  cluster: 'Università "R&D" <1>'
  metadata_interval: 5
  poll_interval: 2
"""
CLUSTER: Final = "Universita _R_D_ _1_"
ADDRESSES: Final = {
    "bibe": "192.168.1.10",
    "bussolo": "192.168.1.9",
    "alfa01": "192.168.1.11",
    "gridce": "192.168.1.31",
    "wn01": "192.168.2.1",
}
LAN: Final = set(ADDRESSES) - {"wn01"}
SENDERS: Final = {"alfa01", "gridce"}
FARM_BRIDGE: Final = "br1"
SEEN_SECONDS: Final = 40
LOOK_SECONDS: Final = 0.3
GMOND_PORT: Final = 8649
GMETAD_PORT: Final = 8651
# Run a program with files of this test in the place of the system's.
WITH_FILES: Final = """
while [ "$1" != -- ]; do mount --bind "$1" "$2" || exit; shift 2; done
shift
exec "$@"
"""
READ: Final = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), 2) as s:
    sys.stdout.buffer.write(s.makefile("rb").read())
"""


@dataclass(frozen=True)
class Lab:
    """Hosts on two networks, and the files that were compiled for them."""

    net: Namespace
    files: Path
    processes: dict[str, Popen[bytes]] = field(default_factory=dict)

    def space(self, host: str) -> str:
        return f"{self.net.name}-{host}"

    @contextmanager
    def host(self, name: str) -> Iterator[None]:
        """A host with its address, and the router of its network as the default route."""
        space, address = self.space(name), ADDRESSES[name]
        prefix = address.rpartition(".")[0]
        call("ip", "netns", "add", space)
        try:
            call("ip", "-n", space, "link", "set", "lo", "up")
            self.plug(name, "eth0", address)
            call("ip", "-n", space, "route", "add", "default", "via", f"{prefix}.254")
            yield
        finally:
            call("ip", "netns", "delete", space)

    def plug(self, host: str, device: str, address: str) -> None:
        """Give a host an interface on the network of that address."""
        space, port = self.space(host), f"{host}-{device}"
        bridge = FARM_BRIDGE if address.startswith("192.168.2.") else BRIDGE
        self.net.ip("link", "add", port, "type", "veth", "peer", "name", device, "netns", space)
        self.net.ip("link", "set", port, "master", bridge, "up")
        call("ip", "-n", space, "link", "set", device, "up")
        call("ip", "-n", space, "address", "add", f"{address}/24", "dev", device)

    @contextmanager
    def daemon(self, host: str, name: str, *arguments: str) -> Iterator[None]:
        """A daemon on a host, in the foreground, with the host's files and no others."""
        path = find_program(name)
        assert path is not None, f"{name} is missing (Debian: ganglia-monitor, gmetad)"
        mounts = {
            self.files / host / "etc/ganglia": "/etc/ganglia",
            self.files / host / "etc/hosts": "/etc/hosts",
            self.files / "rrds": "/var/lib/ganglia/rrds",
        }
        pairs = [str(each) for pair in mounts.items() for each in pair]
        log = self.net.work / f"{host}.{name}.log"
        command = [program("ip"), "netns", "exec", self.space(host), "sh", "-c", WITH_FILES, "sh"]
        with running([*command, *pairs, "--", path, *arguments], log) as process:
            self.processes[f"{host}.{name}"] = process
            yield

    def xml(self, reader: str, host: str, port: int) -> ET.Element:
        """What a daemon tells another host; LabError if it tells nothing."""
        arguments = (ADDRESSES[host], str(port))
        text = call(
            "ip", "netns", "exec", self.space(reader), sys.executable, "-c", READ, *arguments
        )
        if not text:
            raise LabError(f"{host}:{port} tells {reader} nothing")
        return ET.fromstring(text)  # noqa: S314 - it is ours

    def alive(self, host: str, port: int) -> dict[str, float | None]:
        """The hosts that are alive by that daemon, and their 5-minute loads if it knows them."""
        try:
            found = self.xml("bibe", host, port).iter("HOST")
        except LabError:
            return {}
        return {each.get("NAME", ""): load_of(each) for each in found if is_alive(each)}

    def wait_for(self, host: str, daemon: str, alive: set[str], loads: set[str]) -> None:
        """Wait until a daemon sees just these hosts alive, and the loads of some."""
        port = GMOND_PORT if daemon == "gmond" else GMETAD_PORT

        def sees() -> bool:
            found = self.alive(host, port)
            return set(found) == names(alive) and all(
                found[each] is not None for each in names(loads)
            )

        self.wait(sees, f"{daemon} on {host} saw {alive}", f"{host}.{daemon}")

    def wait(self, condition: Callable[[], bool], what: str, process: str) -> None:
        """Wait for a condition, as long as a daemon may take."""

        def look() -> bool:
            time.sleep(LOOK_SECONDS)
            return condition()

        try:
            wait_until(look, what, self.processes[process], SEEN_SECONDS)
        except LabError as error:
            logs = "".join(tail(log) for log in sorted(self.net.work.glob("*.log")))
            raise LabError(f"{error}\n{logs}") from error

    def start_collectors(self, stack: ExitStack) -> ExitStack:
        """Start both collectors, bussolo first; return what stops bibe's."""
        stack.enter_context(self.daemon("bussolo", "gmond", "-f"))
        self.wait_for("bussolo", "gmond", {"bussolo"}, set())
        first = stack.enter_context(ExitStack())
        first.enter_context(self.daemon("bibe", "gmond", "-f"))
        listens = partial(self.alive, "bibe", GMOND_PORT)
        self.wait(lambda: bool(listens()), "gmond on bibe listened", "bibe.gmond")
        return first


def names(hosts: set[str]) -> set[str]:
    return {f"{host}.example.org" for host in hosts}


def is_alive(host: ET.Element) -> bool:
    """As the controllers see it: heard of within four times TMAX."""
    return int(host.attrib["TN"]) < 4 * int(host.attrib["TMAX"])


def load_of(host: ET.Element) -> float | None:
    found = host.find("METRIC[@NAME='load_five']")
    return None if found is None else float(found.attrib["VAL"])


def compile_files(folder: Path, mode: Literal["unicast", "multicast"]) -> Path:
    """The tree of the site, and the shared files where the post-install puts them."""
    site = good_site(folder, f"{SITE}  mode: {mode}\n")
    tree, files = Tree(), folder / "files"
    compile_ganglia(site, Output("ganglia", tree, Lock(TODAY)))
    compile_hosts(site, Output("hosts", tree, Lock(TODAY)))
    for path, entry in tree.entries.items():
        (files / path).parent.mkdir(parents=True, exist_ok=True)
        (files / path).write_bytes(entry.content)
    for host in ("gridce", "wn01"):
        (files / host / "etc/ganglia").mkdir(parents=True)
        shutil.copy(
            files / "bibe/srv/install/files/gmond.d/default.conf",
            files / host / "etc/ganglia/gmond.conf",
        )
        shutil.copy(files / "bibe/srv/install/files/hosts", files / host / "etc")
    (files / "rrds").mkdir()
    shutil.chown(files / "rrds", "ganglia")
    return files


@contextmanager
def lab(folder: Path, mode: Literal["unicast", "multicast"]) -> Iterator[Lab]:
    files = compile_files(folder, mode)
    with namespace(folder / "lab") as net, ExitStack() as stack:
        net.ip("link", "add", FARM_BRIDGE, "type", "bridge", "forward_delay", "0")
        net.ip("link", "set", FARM_BRIDGE, "up")
        found = Lab(net, files)
        for name in ADDRESSES:
            stack.enter_context(found.host(name))
        found.plug("bibe", "eth1", "192.168.2.10")
        yield found


def test_all_are_seen_also_after_the_first_collector_has_died(tmp_path: Path) -> None:
    with lab(tmp_path, "unicast") as site, ExitStack() as stack:
        first = site.start_collectors(stack)
        for name in SENDERS:
            stack.enter_context(site.daemon(name, "gmond", "-f"))
        stack.enter_context(site.daemon("bibe", "gmetad", "-d", "1"))
        site.wait_for("bussolo", "gmond", LAN, LAN)
        site.wait_for("bibe", "gmond", LAN, SENDERS)
        site.wait_for("bibe", "gmetad", LAN, SENDERS)
        check_what_is_told(site)
        first.close()
        died = int(time.time()) + 1
        site.wait(lambda: told_at(site) > died, "gmetad asked the second one", "bibe.gmetad")
        assert set(site.alive("bibe", GMETAD_PORT)) == names(LAN)


def check_what_is_told(site: Lab) -> None:
    """The names, and who is told them."""
    for port in (GMOND_PORT, GMETAD_PORT):
        root = site.xml("bussolo", "bibe", port)
        assert [cluster.get("NAME") for cluster in root.iter("CLUSTER")] == [CLUSTER]
        found = {host.get("NAME"): host.get("IP") for host in root.iter("HOST")}
        assert found == {f"{name}.example.org": ADDRESSES[name] for name in LAN}
        assert {host.get("DMAX") for host in root.iter("HOST")} == {"604800"}
        with pytest.raises(LabError, match=r"nothing|reset"):
            site.xml("alfa01", "bibe", port)


def told_at(site: Lab) -> int:
    """When the news that gmetad has were told, by the collector's clock."""
    clusters = site.xml("bibe", "bibe", GMETAD_PORT).iter("CLUSTER")
    return max(int(cluster.attrib["LOCALTIME"]) for cluster in clusters)


def test_multicast_is_heard_on_every_network_of_a_collector(tmp_path: Path) -> None:
    with lab(tmp_path, "multicast") as site, ExitStack() as stack:
        site.start_collectors(stack)
        for name in (*SENDERS, "wn01"):
            stack.enter_context(site.daemon(name, "gmond", "-f"))
        site.wait_for("bussolo", "gmond", LAN, LAN)
        site.wait_for("bibe", "gmond", {*LAN, "wn01"}, {*SENDERS, "wn01"})
