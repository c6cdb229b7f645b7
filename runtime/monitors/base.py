"""What all monitors share: the protocol, whose names are whose, and when data are fresh."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Final, Protocol

from threerc.runtime.observation import Observation, Seen

FRESH_POLLS: Final = 3
FRESH_SECONDS: Final = 60
ANSWER_SECONDS: Final = 6.0
"""How long one source may take to answer."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}(?:\.[A-Za-z0-9_-]{1,63}){0,8}\.?")
_ADDRESS: Final = re.compile(r"[0-9.]+|[0-9A-Fa-f]*:[0-9A-Fa-f:.]+")


class Monitor(Protocol):
    """One source of news about all hosts."""

    @property
    def name(self) -> str:
        """For people."""

    @property
    def host(self) -> str:
        """The host that it runs on, or nothing where that is not known."""

    def read(self) -> Observation:
        """What it says of all hosts. Raises MonitorLost where that is nothing, or not fresh."""


class Hosts:
    """The hosts of a site by short name, whatever a monitor calls them.

    `names` are those that the controllers care for; `others` are known too. `addresses` tells
    the name for each address.
    """

    def __init__(
        self,
        names: Iterable[str] = (),
        addresses: Mapping[str, str] | None = None,
        others: Iterable[str] = (),
    ) -> None:
        self.names = frozenset(names)
        self._by_address = {
            ip_address(address).compressed: name for address, name in (addresses or {}).items()
        }
        known = (*self._by_address.values(), *others, *self.names)
        self._by_name = {name.lower(): name for name in known}

    def short(self, told: str) -> str | None:
        """The short name for a full one in any case, or for an address.

        Others keep the first part of their name in lower case, or their address; None if no host
        can have such a name.
        """
        if _ADDRESS.fullmatch(told):
            try:
                address = ip_address(told).compressed
            except ValueError:
                pass  # a name may be all digits, too
            else:
                return self._by_address.get(address, address)
        if not _NAME.fullmatch(told):
            return None
        short = told.partition(".")[0].lower()
        return self._by_name.get(short, short)


def fresh_seconds(poll_interval: float) -> float:
    """How old data may be that are polled so often: three polls failed, or a minute.

    A minute, since a gmetad that writes many RRDs polls less often than it is told to.
    """
    return max(FRESH_POLLS * poll_interval, FRESH_SECONDS)


def put(hosts: dict[str, Seen], name: str, seen: Seen) -> None:
    """Add a host; of one that is told of twice, the sign of life that is newer is believed."""
    before = hosts.get(name)
    if before is None or seen.silent < before.silent:
        hosts[name] = seen
