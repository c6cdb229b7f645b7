"""A physical host's hypervisor and power, as a controller reaches them from its own host."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial

from threerc.runtime.errors import Refused, Unreachable
from threerc.runtime.records import Step
from threerc.runtime.simulation.calls import Caller
from threerc.runtime.simulation.guests import Guest, Stage
from threerc.runtime.simulation.machines import Board, Host, Ssh
from threerc.runtime.simulation.site import Site
from threerc.runtime.world import Leave


class SimHypervisor:
    """The hypervisor of `there`, over ssh from `here`; with `leave` for an action."""

    def __init__(
        self, site: Site, caller: Caller, here: Host, there: Host, leave: Leave | None = None
    ) -> None:
        self.site = site
        self.caller = caller
        self.here = here
        self.there = there
        self.leave = leave

    def _reach(
        self,
        call: str,
        on_sent: Callable[[], None] = lambda: None,
        late: Callable[[], None] | None = None,
    ) -> None:
        """Log in and give the order. Raises Unreachable, Refused, and what `leave` raises.

        `late` is what the order does, where it may be carried out when nobody waits any more.
        """
        timing, config = self.site.timing, self.site.config
        name = self.there.name
        self.caller.call(call, timing.ssh)
        left = self.leave() if self.leave is not None else config.deadline
        on_sent()
        if not self.here.reaches(self.there):
            self.caller.spend(min(left, config.ssh.connect))
            raise Unreachable(f"{name}: no answer within {config.ssh.connect} s")
        if self.there.ssh is Ssh.DEAD:
            raise Unreachable(f"{name}: Connection refused")
        if self.there.ssh is Ssh.HANG:
            self.caller.spend(left)
            raise Unreachable(f"{name}: no answer within {left:.0f} s")
        if self.there.ssh is Ssh.LATE:
            self._be_late(left, late)
        self.caller.spend(timing.command)
        if not self.here.reaches(self.there):
            raise Unreachable(f"{name}: the connection was lost")
        if not self.there.hypervisor:
            raise Refused(f"{name}: failed to connect to the hypervisor")

    def _be_late(self, left: float, order: Callable[[], None] | None) -> None:
        """Wait for the host; who cannot wait so long leaves the order there. Raises Unreachable."""
        late, timeline = self.there.late, self.site.timeline
        if late <= left:
            self.caller.spend(late)
            return
        if order is not None:
            timeline.at(timeline.now + late, partial(self._do_late, order, self.there.boots))
        self.caller.spend(left)
        raise Unreachable(f"{self.there.name}: no answer within {left:.0f} s")

    def _do_late(self, order: Callable[[], None], boots: int) -> None:
        """Carry out an order that has waited on the host, unless that was switched off since."""
        if self.there.runs and self.there.boots == boots and self.there.hypervisor:
            with suppress(Refused):
                order()

    def _answer(self) -> None:
        """Hear that it is done. Raises Unreachable."""
        if self.there.ssh is Ssh.MUTE:
            self.caller.spend(self.site.config.deadline)
            raise Unreachable(f"{self.there.name}: the answer was lost")

    def _guest(self, vm: str) -> Guest:
        guest = self.site.guests.get(vm)
        if guest is None:
            raise Refused(f"{self.there.name}: failed to get domain '{vm}'")
        return guest

    def running(self) -> frozenset[str]:
        """The VMs that run there. Raises Unreachable, Refused."""
        self._reach("running")
        self._answer()
        name = self.there.name
        return frozenset(vm for vm, guest in self.site.guests.items() if name in guest.copies)

    def kill(self, vm: str) -> None:
        """Switch a VM off. Raises Unreachable, Refused."""
        self._do("kill", lambda: self._guest(vm).end(self.there.name))

    def start(self, vm: str) -> None:
        """Switch a VM on. Raises Unreachable, Refused."""
        self._switch("start", vm, Step.RESTART, self._start)

    def restore(self, vm: str) -> None:
        """Switch a VM on from its last snapshot. Raises Unreachable, Refused."""
        self._switch("restore", vm, Step.SNAPSHOT, self._restore)

    def migrate(self, vm: str, to: str) -> None:
        """Move a running VM to another host. Raises Unreachable, Refused."""
        self._do("migrate", lambda: self._migrate(self._guest(vm), to))

    def _do(
        self, call: str, order: Callable[[], None], on_sent: Callable[[], None] = lambda: None
    ) -> None:
        """Have an order carried out there. Raises as `_reach`."""
        self._reach(call, on_sent, order)
        order()
        self._answer()

    def _switch(self, call: str, vm: str, step: Step, on: Callable[[Guest], None]) -> None:
        attempt = partial(self.site.attempt, vm, step, self.caller.name)
        self._do(call, lambda: on(self._guest(vm)), attempt)

    def _start(self, guest: Guest) -> None:
        name = self.there.name
        if name in guest.copies:
            return
        for where in (name, "*"):
            if guest.failing_starts.get(where, 0) > 0:
                guest.failing_starts[where] -= 1
                raise Refused(f"{name}: failed to start domain '{guest.name}'")
        if self.site.locks and guest.copies:
            raise Refused(f"{name}: the disk of {guest.name} is in use by another host")
        guest.start(self.there)

    def _restore(self, guest: Guest) -> None:
        if self.there.name in guest.copies:
            raise Refused(f"{self.there.name}: {guest.name} is running")
        self._start(guest)
        guest.erased = False

    def _migrate(self, guest: Guest, to: str) -> None:
        copy = guest.copies.get(self.there.name)
        other = self.site.hosts[to]
        if copy is None or copy.stage is not Stage.UP or not self.there.reaches(other):
            raise Refused(f"{self.there.name}: cannot migrate '{guest.name}' to {to}")
        guest.migrate(self.there.name, other)


class SimPower:
    """The power of a physical host. Its board has a network of its own."""

    def __init__(self, site: Site, caller: Caller, there: Host) -> None:
        self.site = site
        self.caller = caller
        self.there = there

    def _reach(self, call: str) -> None:
        self.caller.call(call, self.site.timing.board)
        if self.there.board is Board.DEAD:
            self.caller.spend(self.site.config.ssh.connect)
            raise Unreachable(f"the board of {self.there.name} does not answer")
        if self.there.board is Board.FAILING:
            raise Refused(f"the board of {self.there.name}: insufficient privilege level")

    def off(self) -> None:
        """Cut it. Raises Unreachable, Refused."""
        self._reach("off")
        if self.there.board is Board.OK:
            self.site.fence(self.there.name, self.caller.name)

    def is_on(self) -> bool:
        """Whether it is on. Raises Unreachable, Refused."""
        self._reach("is_on")
        return self.there.powered and self.there.board is not Board.LYING
