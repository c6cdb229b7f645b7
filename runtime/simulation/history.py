"""What truly happened to each VM, as one who sees everything writes it down."""

from __future__ import annotations

from dataclasses import dataclass, field

from threerc.runtime.records import Step
from threerc.runtime.simulation.guests import Guest
from threerc.runtime.simulation.site import Site


@dataclass(frozen=True, slots=True)
class Move:
    """A VM was started, or moved to, another host than the one that it was on before."""

    time: float
    origin: str
    to: str


@dataclass
class Life:
    """One VM: on which host it was started last, its moves, when its users could not reach it.

    `copies` are the hosts on which it runs. A down time is from and to; the end is None as long as
    it lasts.
    """

    host: str
    serving: bool
    copies: frozenset[str] = frozenset()
    moves: list[Move] = field(default_factory=list)
    downs: list[tuple[float, float | None]] = field(default_factory=list)


def _life(guest: Guest, host: str) -> Life:
    return Life(host, guest.serving, frozenset(guest.copies))


class History:
    """A witness of all VMs."""

    def __init__(self, site: Site, where: dict[str, str]) -> None:
        self.timeline = site.timeline
        now = site.timeline.now
        self.lives = {vm: _life(site.guests[vm], host) for vm, host in where.items()}
        for life in self.lives.values():
            if not life.serving:
                life.downs.append((now, None))

    def copies_changed(self, guest: Guest) -> None:
        """Write down where it is, and whether it serves."""
        life, now = self.lives[guest.name], self.timeline.now
        for to in guest.copies.keys() - life.copies:
            if to != life.host:
                life.moves.append(Move(now, life.host, to))
                life.host = to
        life.copies = frozenset(guest.copies)
        serving = guest.serving
        if serving and not life.serving:
            life.downs[-1] = (life.downs[-1][0], now)
        elif life.serving and not serving:
            life.downs.append((now, None))
        life.serving = serving

    def linked(self, vm: str, target: str, controller: str) -> None:
        """Boot links are no part of it."""

    def attempted(self, vm: str, step: Step, controller: str) -> None:
        """Nor are orders: only what comes of them."""

    def fenced(self, host: str, controller: str) -> None:
        """The copies tell the same."""
