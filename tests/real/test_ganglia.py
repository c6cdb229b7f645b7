"""Real gmonds and a real gmetad with the compiled files, unchanged, on hosts of their own.

Each host is a network namespace on one bridge. The compiled files are mounted over its /etc, so
that nothing of this machine's own configuration is read or written.
"""

import shutil
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen
from typing import Final, Literal

import pytest
from threerc.compiler.artefacts.ganglia import compile_ganglia
from threerc.compiler.artefacts.hosts import compile_hosts
from threerc.compiler.lock import Lock
from threerc.compiler.tree import Output, Tree
from threerc.compiler.verify.base import find_program

from tests.compiler.support import HEAD, TODAY, good_site
from tests.lab import LabError, Namespace, namespace, requires_real
from tests.lab.namespace import BRIDGE
from tests.lab.process import call, running, tail, wait_until

pytestmark = requires_real()

SITE: Final = (
    HEAD
    + """
os_profiles:
  debian: {installer: preseed, kernel: linux, initrd: initrd.gz}
service_hosts:
  bibe: {address: 192.168.1.10, roles: [collector, gmetad, controller, install]}
  bussolo: {address: 192.168.1.9, roles: [collector, controller]}
physical_hosts:
  alfa01: {address: 192.168.1.11}
virtual_machines:
  gridce: {address: 192.168.1.31, home: alfa01, os: debian}
monitoring:
  cluster: 'Università "R&D" <1>'
  metadata_interval: 5
  poll_interval: 2
"""
)
CLUSTER: Final = "Universita _R_D_ _1_"
ADDRESSES: Final = {
    "bibe": "192.168.1.10",
    "bussolo": "192.168.1.9",
    "alfa01": "192.168.1.11",
    "gridce": "192.168.1.31",
}
ALL: Final = {f"{name}.example.org" for name in ADDRESSES}
SEEN_SECONDS: Final = 45
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
    """A bridge, the hosts on it, and the files that were compiled for them."""

    net: Namespace
    files: Path
    processes: dict[str, Popen[bytes]] = field(default_factory=dict)

    def space(self, host: str) -> str:
        return f"{self.net.name}-{host}"

    @contextmanager
    def host(self, name: str, number: int) -> Iterator[None]:
        """A host with one interface on the bridge."""
        space, port = self.space(name), f"port{number}"
        call("ip", "netns", "add", space)
        try:
            self.net.ip("link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", space)
            self.net.ip("link", "set", port, "master", BRIDGE, "up")
            for link in ("lo", "eth0"):
                call("ip", "-n", space, "link", "set", link, "up")
            call("ip", "-n", space, "address", "add", f"{ADDRESSES[name]}/24", "dev", "eth0")
            call("ip", "-n", space, "route", "add", "default", "via", "192.168.1.254")
            yield
        finally:
            call("ip", "netns", "delete", space)

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
        command = ["ip", "netns", "exec", self.space(host), "sh", "-c", WITH_FILES, "sh"]
        with running([*command, *pairs, "--", path, *arguments], log) as process:
            self.processes[f"{host}.{name}"] = process
            yield

    def xml(self, reader: str, address: str, port: int) -> ET.Element:
        """What a daemon tells a host that asks it; LabError if it tells nothing."""
        space = self.space(reader)
        text = call("ip", "netns", "exec", space, "python3", "-c", READ, address, str(port))
        if not text:
            raise LabError(f"{address}:{port} tells {reader} nothing")
        return ET.fromstring(text)  # noqa: S314 - it is ours

    def sees_all(self, address: str, port: int) -> bool:
        """Whether all hosts are alive there and have told their load."""
        try:
            root = self.xml("bibe", address, port)
        except LabError:
            return False
        return {host.get("NAME") for host in root.iter("HOST") if is_alive(host)} == ALL

    def wait_for_all(self, host: str, daemon: str, port: int) -> float:
        """Wait until a daemon sees all hosts; return the seconds."""
        what, process = f"{daemon} on {host} saw all", self.processes[f"{host}.{daemon}"]
        try:
            return wait_until(
                lambda: self.sees_all(ADDRESSES[host], port), what, process, SEEN_SECONDS
            )
        except LabError as error:
            logs = "".join(tail(log) for log in sorted(self.net.work.glob("*.log")))
            raise LabError(f"{error}\n{logs}") from error


def is_alive(host: ET.Element) -> bool:
    """As the controllers see it: heard of within four times TMAX, and its load is known."""
    metrics = {metric.get("NAME"): metric.get("VAL") for metric in host.iter("METRIC")}
    alive = int(host.get("TN", "999")) < 4 * int(host.get("TMAX", "0"))
    return alive and float(metrics.get("load_five") or -1) >= 0


def compile_files(folder: Path, mode: Literal["unicast", "multicast"]) -> Path:
    """The tree of the site, and the shared files where the post-install puts them."""
    site = good_site(folder, f"{SITE}  mode: {mode}\n")
    tree, files = Tree(), folder / "files"
    compile_ganglia(site, Output("ganglia", tree, Lock(TODAY)))
    compile_hosts(site, Output("hosts", tree, Lock(TODAY)))
    for path, entry in tree.entries.items():
        (files / path).parent.mkdir(parents=True, exist_ok=True)
        (files / path).write_bytes(entry.content)
    (files / "gridce/etc/ganglia").mkdir(parents=True)
    shared = files / "bibe/srv/install/files"
    shutil.copy(shared / "gmond.conf", files / "gridce/etc/ganglia")
    shutil.copy(shared / "hosts", files / "gridce/etc")
    (files / "rrds").mkdir()
    shutil.chown(files / "rrds", "ganglia")
    return files


@contextmanager
def hosts_of(folder: Path, mode: Literal["unicast", "multicast"]) -> Iterator[Lab]:
    files = compile_files(folder, mode)
    with namespace(folder / "lab") as net, ExitStack() as stack:
        lab = Lab(net, files)
        for number, name in enumerate(ADDRESSES):
            stack.enter_context(lab.host(name, number))
        yield lab


def test_all_are_seen_also_after_the_first_collector_has_died(tmp_path: Path) -> None:
    with hosts_of(tmp_path, "unicast") as lab, ExitStack() as stack:
        first = ExitStack()
        stack.enter_context(first)
        first.enter_context(lab.daemon("bibe", "gmond", "-f"))
        for name in ("bussolo", "alfa01", "gridce"):
            stack.enter_context(lab.daemon(name, "gmond", "-f"))
        stack.enter_context(lab.daemon("bibe", "gmetad", "-d", "1"))
        lab.wait_for_all("bibe", "gmond", GMOND_PORT)
        lab.wait_for_all("bussolo", "gmond", GMOND_PORT)
        lab.wait_for_all("bibe", "gmetad", GMETAD_PORT)
        check_what_is_told(lab)
        first.close()
        died = int(time.time()) + 1
        wait_until(
            lambda: told_at(lab) > died,
            "gmetad had news from the second collector",
            lab.processes["bibe.gmetad"],
            SEEN_SECONDS,
        )
        assert lab.sees_all(ADDRESSES["bibe"], GMETAD_PORT)


def check_what_is_told(lab: Lab) -> None:
    """The names, and who is told them."""
    for port in (GMOND_PORT, GMETAD_PORT):
        root = lab.xml("bussolo", ADDRESSES["bibe"], port)
        assert [cluster.get("NAME") for cluster in root.iter("CLUSTER")] == [CLUSTER]
        assert {host.get("IP") for host in root.iter("HOST")} == set(ADDRESSES.values())
        assert {host.get("DMAX") for host in root.iter("HOST")} == {"604800"}
        with pytest.raises(LabError, match="nothing|reset"):
            lab.xml("alfa01", ADDRESSES["bibe"], port)


def told_at(lab: Lab) -> int:
    """When gmetad's latest news were told, by the collector's clock."""
    root = lab.xml("bibe", ADDRESSES["bibe"], GMETAD_PORT)
    return max(int(cluster.get("LOCALTIME", "0")) for cluster in root.iter("CLUSTER"))


def test_all_are_seen_by_multicast(tmp_path: Path) -> None:
    with hosts_of(tmp_path, "multicast") as lab, ExitStack() as stack:
        for name in ADDRESSES:
            stack.enter_context(lab.daemon(name, "gmond", "-f"))
        lab.wait_for_all("bibe", "gmond", GMOND_PORT)
        lab.wait_for_all("bussolo", "gmond", GMOND_PORT)
