"""Hosts with real daemons that an apply reaches by ssh, in namespaces of their own.

A host's disk is an overlay over this machine's own, so that it has Debian's daemons with Debian's
scripts and units, and an empty history. Process 1 is sshd, and then there is no systemd in it, or
systemd, which has started what Debian's packages would have switched on.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.lab import LabError, Namespace, namespace
from tests.lab.namespace import BRIDGE
from tests.lab.process import call, program, running, tail, wait_until
from tests.lab.systemd import BECOME, control_group, joining
from tests.rollout.rolling import Rolling
from threerc.testbed import inside

ADDRESSES: Final = {"bibe": "192.168.1.10", "bussolo": "192.168.1.9"}
SITE: Final = """\
site: test
domain: example.org
networks:
  lan: {{prefix: 192.168.1.0/24, gateway: 192.168.1.254, boot: true}}
monitoring: {{poll_interval: 2}}
os_profiles:
  debian: {{installer: preseed, kernel: linux, initrd: initrd.gz, repository: "http://d/debian"}}
service_hosts:
  bibe:
    address: 192.168.1.10
    roles: [dhcp, dns, tftp, install, gmetad, collector]
    ssh_host_keys: ["{host_key}"]
  bussolo: {{address: 192.168.1.9, roles: [dns], ssh_host_keys: ["{host_key}"]}}
worker_nodes:
  wn1: {{address: 192.168.1.101, mac: "02:00:00:00:01:01", os: debian}}
  wn2: {{address: 192.168.1.102, mac: "02:00:00:00:01:02", os: debian}}
  wn3: {{address: 192.168.1.103, mac: "02:00:00:00:01:03", os: debian}}
"""
WN4: Final = '  wn4: {address: 192.168.1.104, mac: "02:00:00:00:01:04", os: debian}\n'
"""One more worker node, at the end of it."""
UNITS: Final = ("ssh", "isc-dhcp-server", "named", "ganglia-monitor", "gmetad", "tftpd-hpa")
"""What is switched on where there is systemd."""
_READY_SECONDS: Final = 20
_SETTLED_SECONDS: Final = 40.0
_SSHD: Final = """\
HostKey /etc/ssh/ssh_host_ed25519_key
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
"""
_DEBIANS_SSHD: Final = Path("/usr/share/openssh/sshd_config")
"""What Debian's package configures sshd with, PAM included."""
_RUN_SSHD: Final = ("/usr/sbin/sshd", "-D", "-e")
_FOLDERS: Final = [
    inside.Folder(path=path, owner=owner, mode=0o755)
    for path, owner in {
        "/var/lib/ganglia/rrds": "ganglia",
        **dict.fromkeys(("/run/sshd", "/run/kea", "/var/lib/kea", "/run/lock/subsys"), "root"),
    }.items()
]
"""What there would be if process 1 were an init."""
_APART: Final = ("unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child")
_START: Final = (
    'mount -t tmpfs none "$0" && mkdir -p "$0/upper" "$0/work" "$0/root" && '
    'exec "$1" -P -m threerc.testbed.inside'
)


@dataclass
class Machine:
    """A host that is switched on. `init` is its process 1, as this machine counts."""

    name: str
    net: Namespace
    init: int

    def run(self, *command: str, check: bool = True) -> str:
        """Run a program in it; its output. LabError where it fails."""
        into = ("nsenter", "--target", str(self.init), "--all", "--", *command)
        done = subprocess.run(into, capture_output=True, text=True, check=False)
        if check and done.returncode:
            raise LabError(f"{self.name}: {command}: {done.stdout}{done.stderr}")
        return done.stdout

    def has(self, path: str) -> bool:
        """Whether it has a file."""
        return Path(f"/proc/{self.init}/root{path}").exists()

    @contextmanager
    def unplugged(self) -> Iterator[None]:
        """Pull its cable, and plug it in again."""
        self.net.ip("link", "set", _port(self.name), "down")
        try:
            yield
        finally:
            self.net.ip("link", "set", _port(self.name), "up")


@dataclass
class Land:
    """A site's real hosts, and its files in a folder."""

    site: Rolling
    net: Namespace
    machines: dict[str, Machine]
    text: str

    @property
    def key(self) -> tuple[str, str]:
        """The option that names the administrator's key."""
        return "--key", str(self.site.folder.parent / "user")

    def command(self, name: str, *arguments: str) -> list[str]:
        """The command line of `3rc NAME` in the network of the hosts."""
        ours = str(Path(sys.executable).with_name("3rc"))
        state = ("--state", str(self.site.folder / "state"))
        return [program("ip"), "netns", "exec", self.net.name, ours, name, *arguments, *state]

    def run(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`3rc NAME` to its end."""
        return subprocess.run(
            self.command(name, *arguments), capture_output=True, text=True, check=False
        )

    def apply(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`3rc apply` of what was built last."""
        return self.run("apply", str(self.site.out), *self.key, *arguments)

    def good(self, *arguments: str) -> str:
        """The output of an apply that has to succeed."""
        done = self.apply(*arguments)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    def build(self, more: str = "", *, mark: object = "none") -> None:
        """Build the site with more worker nodes; the zone has a `mark`, and so a serial of it."""
        record = f"dns: {{zones: {{example.org: {{records: ['mark TXT {mark}']}}}}}}\n"
        self.site.build(record + self.text + more)

    def ask(self, *question: str) -> str:
        """What dig is answered from the network of the hosts, in short."""
        command = [program("ip"), "netns", "exec", self.net.name, "dig", "+short"]
        done = subprocess.run(
            [*command, "+time=1", "+tries=2", *question],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.strip()

    def serial(self, host: str) -> str:
        """The serial that a host's name server answers with; nothing if it does not."""
        words = self.ask(f"@{ADDRESSES[host]}", "SOA", "example.org").split()
        return words[2] if len(words) == 7 else ""

    def serials(self) -> set[str]:
        """The serials that all of them answer with."""
        return {self.serial(host) for host in ADDRESSES}

    def mark(self) -> set[str]:
        """The mark that each of them has."""
        return {self.ask(f"@{each}", "TXT", "mark.example.org") for each in ADDRESSES.values()}

    def settled(self, *, unless_killed: bool = False) -> bool:
        """Whether soon nobody changes the hosts any more, and nothing is half done.

        What an agent that was killed has left half done is the next one's to undo.
        """
        end = time.monotonic() + _SETTLED_SECONDS
        while time.monotonic() < end:
            if all(self._is_settled(each, unless_killed) for each in self.machines.values()):
                return True
            time.sleep(0.1)
        return False

    @staticmethod
    def _is_settled(machine: Machine, unless_killed: bool) -> bool:
        if machine.run("pgrep", "-f", "^python3 -I", check=False):
            return False
        return unless_killed or not machine.has("/var/lib/3rc/applied/journal.json")


@contextmanager
def land(work: Path, *, systemd: bool = False) -> Iterator[Land]:
    """The hosts, switched on, with nothing applied to them yet."""
    work.mkdir(parents=True, exist_ok=True)
    pair = {name: _key(work / name) for name in ("user", "host")}
    with namespace(work, "192.168.1.1/24") as net, ExitStack() as stack:
        machines = {
            name: stack.enter_context(_machine(net, name, work, systemd)) for name in ADDRESSES
        }
        text = SITE.format(host_key=pair["host"])
        found = Land(Rolling(work / "site"), net, machines, text)
        found.build()
        yield found


@contextmanager
def _machine(net: Namespace, name: str, work: Path, systemd: bool) -> Iterator[Machine]:
    space = f"{net.name}-{name}"
    call("ip", "netns", "add", space)
    try:
        port = ("link", "add", _port(name), "type", "veth", "peer", "name", "eth0", "netns", space)
        net.ip(*port)
        net.ip("link", "set", _port(name), "master", BRIDGE, "up")
        for words in ("link set lo up", "link set eth0 up"):
            call("ip", "-n", space, *words.split())
        call("ip", "-n", space, "address", "add", f"{ADDRESSES[name]}/24", "dev", "eth0")
        with ExitStack() as stack:
            orders = _orders(name, work, systemd)
            command = [program("ip"), "netns", "exec", space, *_APART]
            if systemd:
                group = stack.enter_context(control_group(name))
                command = [*joining(group), *command, "--cgroup"]
            yield Machine(name, net, stack.enter_context(_switched_on(space, orders, command)))
    finally:
        call("ip", "netns", "delete", space)


def _port(name: str) -> str:
    return f"to-{name}"


@contextmanager
def _switched_on(space: str, orders: inside.Orders, command: list[str]) -> Iterator[int]:
    """Process 1 of a host; `command` is what sets it apart."""
    name, root = orders["name"], Path(orders["root"])
    file, log = root.with_suffix(".json"), root.with_suffix(".log")
    root.mkdir()
    file.write_text(json.dumps(orders))
    start = ("sh", "-c", f"{_START} < {file}", str(root), sys.executable)
    with running([*command, *start], log) as process:
        try:
            wait_until(lambda: _listens(space), "sshd listened", process, _READY_SECONDS)
        except LabError as error:
            raise LabError(f"{name}: {error}\n{tail(log)}") from error
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        yield int(children[0])
        process.send_signal(signal.SIGKILL)  # unshare does not end when it is asked to


def _listens(space: str) -> bool:
    sockets = call("ip", "netns", "exec", space, "cat", "/proc/net/tcp").splitlines()
    return any(words[1].endswith(":0016") and words[3] == "0A" for words in map(str.split, sockets))


def _orders(name: str, work: Path, systemd: bool) -> inside.Orders:
    return inside.Orders(
        name=name,
        root=str(work / f"{name}.disk"),
        first=True,
        disks=[],
        tree=None,
        folders=[] if systemd else _FOLDERS,
        files=_files(name, work, _DEBIANS_SSHD.read_text() if systemd else _SSHD),
        binds=[],
        devices=[],
        settings={},
        command=[*BECOME, *UNITS] if systemd else [program("tini"), "--", *_RUN_SSHD],
    )


def _files(name: str, work: Path, sshd_config: str) -> list[inside.File]:
    texts = {
        "/etc/hostname": f"{name}\n",
        "/etc/ssh/sshd_config": sshd_config,
        "/etc/ssh/ssh_host_ed25519_key": (work / "host").read_text(),
        "/root/.ssh/authorized_keys": (work / "user.pub").read_text(),
        "/etc/default/isc-dhcp-server": "INTERFACESv4=eth0\n",
    }
    return [
        inside.File(path=path, text=text, source=None, mode=0o600, owner="root")
        for path, text in texts.items()
    ]


def _key(path: Path) -> str:
    """Make a pair of keys; the public one."""
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)]
    subprocess.run(command, check=True)
    return path.with_suffix(".pub").read_text().strip()
