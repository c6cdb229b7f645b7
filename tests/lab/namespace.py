"""A network namespace with one bridge, apart from the machine's own network."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.lab.process import LabError, call, program

BRIDGE: Final = "br0"
# Set, so that it does not become that of the first machine which is plugged in.
_BRIDGE_MAC: Final = "02:00:00:00:00:01"
_BRIDGE_LINK_LOCAL: Final = "fe80::1/64"


@dataclass(frozen=True)
class Namespace:
    """A namespace of this run; its links live in it alone, so that their names clash with none."""

    name: str
    work: Path

    def command(self, name: str, *arguments: str) -> list[str]:
        """The argument list that runs a program of the lab inside; it keeps its process id."""
        return [program("ip"), "netns", "exec", self.name, program(name), *arguments]

    def ip(self, *arguments: str) -> str:
        """Run `ip` on the links inside."""
        return call("ip", "-n", self.name, *arguments)

    def udp_port_is_bound(self, port: int) -> bool:
        """Whether some process inside listens on a UDP port."""
        tables = ("/proc/net/udp", "/proc/net/udp6")
        sockets = call("ip", "netns", "exec", self.name, "cat", *tables)
        local = (line.split()[1] for line in sockets.splitlines() if ":" in line)
        return any(address.endswith(f":{port:04X}") for address in local)

    @contextmanager
    def tap(self, mac: str) -> Iterator[str]:
        """A TAP device on the bridge for the machine with this MAC address."""
        tap = "tap" + mac.replace(":", "")[-6:]
        self.ip("tuntap", "add", tap, "mode", "tap")
        try:
            self.ip("link", "set", tap, "master", BRIDGE, "up")
            yield tap
        finally:
            self.ip("link", "delete", tap)


@contextmanager
def namespace(work: Path, *addresses: str) -> Iterator[Namespace]:
    """A new namespace whose bridge has `addresses` (with prefix length); logs go to `work`."""
    if os.geteuid() != 0:
        raise LabError("network namespaces need root")
    work.mkdir(parents=True, exist_ok=True)
    net = Namespace(f"threerc-{os.getpid()}-{secrets.token_hex(3)}", work)
    call("ip", "netns", "add", net.name)
    try:
        _add_bridge(net, addresses)
        yield net
    finally:
        call("ip", "netns", "delete", net.name)


def _add_bridge(net: Namespace, addresses: tuple[str, ...]) -> None:
    net.ip("link", "set", "lo", "up")
    # Without a delay, a port forwards as soon as its machine is there.
    net.ip("link", "add", BRIDGE, "address", _BRIDGE_MAC, "type", "bridge", "forward_delay", "0")
    # Without duplicate detection, the router advertises as soon as it is asked.
    net.ip("link", "set", BRIDGE, "addrgenmode", "none")
    net.ip("address", "add", _BRIDGE_LINK_LOCAL, "dev", BRIDGE, "nodad")
    for address in addresses:
        net.ip("address", "add", address, "dev", BRIDGE)
    net.ip("link", "set", BRIDGE, "up")
