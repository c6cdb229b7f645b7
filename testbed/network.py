"""The lab's network: bridges, the cables between them, and the cables to capsules and machines.

All of it is in the lab's own network namespace, and so vanishes with the lab.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Any, Final

from pyroute2 import AsyncIPRoute
from pyroute2.netlink.exceptions import NetlinkError

from threerc.testbed.errors import TestbedError
from threerc.testbed.parts import Bridge, Card

_NO_IPV6: Final = Path("/proc/sys/net/ipv6/conf/default/disable_ipv6")
_REPLUG_SECONDS: Final = 0.1
"""How long a host takes to notice that its switch is dead: what a bond with miimon 100 takes."""


@dataclass(slots=True)
class Cable:
    """A cable from a card to the first of `bridges` that works; `end` is its end at the bridge."""

    owner: str
    card: str
    end: str
    bridges: tuple[str, ...]
    cut: bool = False
    bridge: str | None = None


_Groups = frozenset[frozenset[str]]
"""The groups apart from all others that a host is in; hosts that are in the same ones meet."""


class Network:
    """The bridges and cables that there are.

    They change one after another: the power of a host that goes meanwhile takes no cable away from
    under a switch that fails. What the kernel takes away by itself, with a dead host, is skipped.
    """

    def __init__(self) -> None:
        self.bridges: dict[str, Bridge] = {}
        self.down: set[str] = set()
        self.cables: list[Cable] = []
        self._cut: set[tuple[str, str]] = set()
        self._apart: set[frozenset[str]] = set()
        self._places: dict[tuple[_Groups, str], str] = {}
        self._still: set[str] = set()
        self._count = 0
        self._turn = asyncio.Lock()

    async def build(self, bridges: Iterable[Bridge]) -> None:
        """Make the bridges, and the cables between those of one network."""
        if _NO_IPV6.exists():  # bridges need no address, and should be silent
            _NO_IPV6.write_text("1", encoding="ascii")
        self.bridges = {bridge.name: bridge for bridge in bridges}
        async with _netlink("bridges") as links:
            await _set(links, "lo", state="up")
            for name in self.bridges:
                # Without a delay, a port forwards as soon as its host is there.
                await links.link("add", ifname=name, kind="bridge", br_forward_delay=0)
                await _set(links, name, state="up")
            for one, other in _tree(self.bridges.values()):
                await self._uplink(links, one, other)

    async def _uplink(self, links: AsyncIPRoute, one: str, other: str) -> None:
        ends = [self._name("u"), self._name("u")]
        await links.link("add", ifname=ends[0], kind="veth", peer={"ifname": ends[1]})
        for end, bridge in zip(ends, (one, other), strict=True):
            master = await _index(links, bridge)
            await _set(links, end, master=master, state="up")

    def _name(self, letter: str) -> str:
        self._count += 1
        return f"{letter}{self._count}"

    # -- hosts

    async def connect(
        self, owner: str, pid: int, cards: Iterable[Card], gateway: str | None
    ) -> None:
        """Cable the capsule whose process 1 is `pid`, and give it its addresses."""
        cards = tuple(cards)
        with Path(f"/proc/{pid}/ns/net").open("rb") as there:
            async with self._turn, _netlink(owner) as links:
                for card in cards:
                    cable = self._cable(owner, card.name, "v", card.bridges)
                    peer = {"ifname": card.name, "address": card.mac, "net_ns_fd": there.fileno()}
                    await links.link("add", ifname=cable.end, kind="veth", peer=peer)
                    self.cables.append(cable)
                    await self._plug(links, cable)
        async with _netlink(owner, f"/proc/{pid}/ns/net") as links:
            await _set(links, "lo", state="up")
            for card in cards:
                await _configure(links, card)
            if gateway is not None:
                await links.route("add", dst="default", gateway=gateway)

    async def tap(self, owner: str, card: str, bridges: tuple[str, ...]) -> str:
        """A cable to a QEMU of the lab's own; returns the name of its TAP device."""
        cable = self._cable(owner, card, "t", bridges)
        async with self._turn, _netlink(owner) as links:
            await links.link("add", ifname=cable.end, kind="tuntap", mode="tap")
            self.cables.append(cable)
            await self._plug(links, cable)
        return cable.end

    def _cable(self, owner: str, card: str, letter: str, bridges: tuple[str, ...]) -> Cable:
        """A new one; a cut outlives the power of whom it goes to."""
        return Cable(owner, card, self._name(letter), bridges, cut=(owner, card) in self._cut)

    async def disconnect(self, owner: str) -> None:
        """Take away the cables of a host, which may be gone already."""
        async with self._turn, _netlink(owner) as links:
            self._still.discard(owner)
            for cable in [each for each in self.cables if each.owner == owner]:
                self.cables.remove(cable)
                for index in await links.link_lookup(ifname=cable.end):
                    await _delete(links, index)

    # -- failures

    async def bridge(self, name: str, *, up: bool) -> None:
        """Let one network of one switch fail, or work again; cables are then plugged anew."""
        if name not in self.bridges:
            raise TestbedError(f"no bridge {name} (there are: {', '.join(self.bridges)})")
        await self._fail([name], up=up)

    async def switch(self, name: str, *, up: bool) -> None:
        """Let a switch fail, or work again: all networks that it has."""
        its = [bridge.name for bridge in self.bridges.values() if bridge.switch == name]
        if not its:
            known = sorted({bridge.switch for bridge in self.bridges.values()})
            raise TestbedError(f"no switch {name} (there are: {', '.join(known)})")
        await self._fail(its, up=up)

    async def _fail(self, bridges: list[str], *, up: bool) -> None:
        async with self._turn:
            (self.down.difference_update if up else self.down.update)(bridges)
            async with _netlink(", ".join(bridges)) as links:
                for name in bridges:
                    await _set(links, name, state="up" if up else "down")
            await asyncio.sleep(_REPLUG_SECONDS)
            async with _netlink(", ".join(bridges)) as links:
                for cable in self.cables:
                    if not set(bridges).isdisjoint(cable.bridges):
                        await self._plug(links, cable)
            self._forget_places({self.bridges[name].network for name in bridges})

    async def apart(self, owners: tuple[str, ...], *, are: bool) -> None:
        """Let hosts only reach one another, as when the uplink of their switch is dead, or all.

        A host in several such groups only reaches those that are in the same ones. One that is off
        keeps nobody apart, and finds itself where it belongs when it is on.
        """
        group = frozenset(owners)
        async with self._turn:
            unknown = group - {cable.owner for cable in self.cables}
            if are and unknown:
                raise TestbedError(f"{min(unknown)} has no cable")
            (self._apart.add if are else self._apart.discard)(group)
            async with _netlink(", ".join(owners)) as links:
                for cable in self.cables:
                    if cable.owner in group:
                        await self._plug(links, cable)
                await self._remove_empty_places(links)
            self._forget_places({bridge.network for bridge in self.bridges.values()})

    def _groups(self, owner: str) -> _Groups:
        return frozenset(group for group in self._apart if owner in group)

    async def _place(self, links: AsyncIPRoute, cable: Cable) -> str:
        """The bridge of those that are apart from all others with its owner, for its network."""
        key = self._groups(cable.owner), self.bridges[cable.bridges[0]].network
        if key not in self._places:
            name = self._name("i")
            await links.link("add", ifname=name, kind="bridge", br_forward_delay=0)
            await _set(links, name, state="up")
            self._places[key] = name
        return self._places[key]

    async def _remove_empty_places(self, links: AsyncIPRoute) -> None:
        """Those of groups that have ended; who is off may be in others."""
        for groups, network in [key for key in self._places if not key[0] <= self._apart]:
            name = self._places.pop((groups, network))
            for index in await links.link_lookup(ifname=name):
                await _delete(links, index)

    async def card(self, owner: str, name: str | None, *, cut: bool) -> None:
        """Cut the cable of a card (without a name: of all of a host's), or mend it."""
        async with self._turn, _netlink(owner) as links:
            found = [c for c in self.cables if c.owner == owner and name in {None, c.card}]
            if not found:
                raise TestbedError(f"{owner} has no cable" + (f" to {name}" if name else ""))
            for cable in found:
                cable.cut = cut
                (self._cut.add if cut else self._cut.discard)((owner, cable.card))
                await self._plug(links, cable)

    async def still(self, owner: str, *, frozen: bool) -> None:
        """Let a host's cards answer nobody, as those of one whose kernel hangs, or work again."""
        async with self._turn, _netlink(owner) as links:
            (self._still.add if frozen else self._still.discard)(owner)
            for cable in self.cables:
                if cable.owner == owner:
                    await self._plug(links, cable)

    async def _plug(self, links: AsyncIPRoute, cable: Cable) -> None:
        """Plug a cable in where it belongs; its host may have died with it, just now."""
        works = (bridge for bridge in cable.bridges if bridge not in self.down)
        dead = cable.cut or cable.owner in self._still
        cable.bridge = None if dead else next(works, None)
        what: dict[str, Any] = {"state": "down"}
        if cable.bridge is not None:
            if self._groups(cable.owner):
                cable.bridge = await self._place(links, cable)
            what = {"master": await _index(links, cable.bridge), "state": "up"}
        with _may_be_gone():
            for index in await links.link_lookup(ifname=cable.end):
                await links.link("set", index=index, **what)

    def _forget_places(self, networks: set[str]) -> None:
        """Have the bridges learn anew behind which port who is, as a bond's own words would."""
        for bridge in self.bridges.values():
            if bridge.network in networks:
                flush = Path(f"/sys/class/net/{bridge.name}/bridge/flush")
                flush.write_text("1", encoding="ascii")


def _tree(bridges: Iterable[Bridge]) -> list[tuple[str, str]]:
    """The cables between bridges, without those that would close a ring."""
    group = {bridge.name: bridge.name for bridge in bridges}
    cables = []
    for bridge in bridges:
        for other in bridge.uplinks:
            mine, its = group[bridge.name], group[other]
            if mine != its:
                cables.append((bridge.name, other))
                group = {name: mine if old == its else old for name, old in group.items()}
    return cables


async def _configure(links: AsyncIPRoute, card: Card) -> None:
    holder = card.name
    if card.inner is not None:
        holder = card.inner
        if not list(await links.link_lookup(ifname=holder)):
            await links.link(
                "add", ifname=holder, kind="bridge", br_forward_delay=0, address=card.mac
            )
        await _set(links, card.name, master=await _index(links, holder))
    await _set(links, card.name, state="up")
    if holder != card.name:
        await _set(links, holder, state="up")
    for address in card.addresses:
        more: dict[str, Any] = {
            "index": await _index(links, holder),
            "prefixlen": address.network.prefixlen,
        }
        if isinstance(address, IPv4Interface):
            more["broadcast"] = str(address.network.broadcast_address)
        await links.addr("add", address=str(address.ip), **more)


async def _delete(links: AsyncIPRoute, index: int) -> None:
    with _may_be_gone():
        await links.link("del", index=index)


@contextmanager
def _may_be_gone() -> Iterator[None]:
    """A link goes with its other end, by itself."""
    try:
        yield
    except NetlinkError as error:
        if error.code != errno.ENODEV:
            raise


async def _index(links: AsyncIPRoute, name: str) -> int:
    found: list[int] = list(await links.link_lookup(ifname=name))
    if not found:
        raise TestbedError(f"no network device {name}")
    return found[0]


async def _set(links: AsyncIPRoute, name: str, **what: Any) -> None:
    await links.link("set", index=await _index(links, name), **what)


@asynccontextmanager
async def _netlink(what: str, namespace: str | None = None) -> AsyncIterator[AsyncIPRoute]:
    """The kernel's links here or in another namespace; its refusals are TestbedErrors."""
    try:
        async with AsyncIPRoute(netns=namespace) as links:
            yield links
    except NetlinkError as error:
        raise TestbedError(f"{what}: the kernel refuses a network link: {error}") from error
