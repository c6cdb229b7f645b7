"""DHCP clients: a namespace of its own on the lab's bridge, in which dhclient asks."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.lab.namespace import BRIDGE, Namespace
from tests.lab.process import call, program, running, tail, wait_until

_LINK: Final = "eth0"
_ASKED: Final = 20


@dataclass(frozen=True)
class Client:
    """A machine's network card, and nothing else of the machine."""

    name: str
    work: Path

    def lease(self, *, architecture: int | None = None) -> dict[str, str]:
        """What a DHCP server tells it that boots with this architecture (RFC 4578), if any."""
        sent = "" if architecture is None else f"send client-architecture {architecture};"
        text = f"""
            option client-architecture code 93 = unsigned integer 16;
            {sent}
            request subnet-mask, routers, domain-name, domain-name-servers, domain-search,
                host-name, vendor-class-identifier;
        """
        said = self._ask("-4", text)
        return dict(re.findall(r"^ +(?:option )?([a-z][a-z-]+) (.+);$", said, re.MULTILINE))

    def addresses6(self) -> list[str]:
        """The IPv6 addresses that a DHCP server leases it."""
        return re.findall(r"iaaddr (\S+) \{", self._ask("-6", "", "-D", "LL"))

    def host(self, work: Path, address: str) -> Namespace:
        """The card's namespace as that of a host with an address, whose logs go to `work`."""
        work.mkdir()
        for command in (("address", "add", address, "dev", _LINK), ("link", "set", "lo", "up")):
            call("ip", "-n", self.name, *command)
        return Namespace(self.name, work)

    def _ask(self, version: str, text: str, *arguments: str) -> str:
        kinds = ("conf", "leases", "log", "pid")
        config, leases, log, pid = (self.work / f"{self.name}.{kind}" for kind in kinds)
        config.write_text(text)
        leases.unlink(missing_ok=True)
        command = [
            *(program("ip"), "netns", "exec", self.name, program("dhclient"), version),
            *("-d", "-v", "-1", "-sf", "/bin/true", *arguments),
            *("-cf", str(config), "-lf", str(leases), "-pf", str(pid), _LINK),
        ]
        with running(command, log) as process:
            wait_until(
                lambda: leases.exists() and "\n}\n" in leases.read_text(),
                f"it had a lease: {tail(log)}",
                process,
                _ASKED,
            )
            return leases.read_text()


@contextmanager
def client(net: Namespace, mac: str) -> Iterator[Client]:
    """A network card with that MAC address on the bridge."""
    suffix = mac.replace(":", "")[-6:]
    found = Client(f"{net.name}-{suffix}", net.work)
    port = f"card{suffix}"
    call("ip", "netns", "add", found.name)
    try:
        net.ip(
            *("link", "add", port, "type", "veth", "peer", "name", _LINK),
            *("address", mac, "netns", found.name),
        )
        net.ip("link", "set", port, "master", BRIDGE, "up")
        inside = ("-n", found.name)
        # Without duplicate detection it can ask at once.
        call("ip", *inside, "link", "set", _LINK, "addrgenmode", "none")
        call("ip", *inside, "link", "set", _LINK, "up")
        call("ip", *inside, "address", "add", "fe80::c/64", "dev", _LINK, "nodad")
        yield found
    finally:
        call("ip", "netns", "delete", found.name)
