"""A physical host's hypervisor and power, as a controller reaches them from its own host."""

from __future__ import annotations

from threerc.runtime.errors import Refused, Unreachable
from threerc.runtime.records import Step
from threerc.runtime.simulation.calls import Caller
from threerc.runtime.simulation.guests import Guest, Stage
from threerc.runtime.simulation.machines import Board, Host, Ssh
from threerc.runtime.simulation.site import Site


class SimHypervisor:
    """The hypervisor of `there`, over ssh from `here`."""

    def __init__(self, site: Site, caller: Caller, here: Host, there: Host) -> None:
        self.site = site
        self.caller = caller
        self.here = here
        self.there = there

    def _reach(self, call: str) -> None:
        """Log in and give the order. Raises Unreachable, Refused."""
        timing, config = self.site.timing, self.site.config
        name = self.there.name
        self.caller.call(call, timing.ssh)
        if not self.here.reaches(self.there):
            self.caller.spend(config.ssh.connect)
            raise Unreachable(f"{name}: no answer within {config.ssh.connect} s")
        if self.there.ssh is Ssh.DEAD:
            raise Unreachable(f"{name}: Connection refused")
        if self.there.ssh is Ssh.HANG:
            self.caller.spend(config.deadline)
            raise Unreachable(f"{name}: no answer within {config.deadline} s")
        self.caller.spend(timing.command)
        if not self.here.reaches(self.there):
            raise Unreachable(f"{name}: the connection was lost")
        if not self.there.hypervisor:
            raise Refused(f"{name}: failed to connect to the hypervisor")

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
        self._reach("kill")
        self._guest(vm).end(self.there.name)
        self._answer()

    def start(self, vm: str) -> None:
        """Switch a VM on. Raises Unreachable, Refused."""
        self.site.attempt(vm, Step.RESTART, self.caller.name)
        self._reach("start")
        self._switch_on(self._guest(vm))
        self._answer()

    def restore(self, vm: str) -> None:
        """Switch a VM on from its last snapshot. Raises Unreachable, Refused."""
        self.site.attempt(vm, Step.SNAPSHOT, self.caller.name)
        self._reach("restore")
        guest = self._guest(vm)
        if self.there.name in guest.copies:
            raise Refused(f"{self.there.name}: {vm} is running")
        self._switch_on(guest)
        guest.erased = False
        self._answer()

    def _switch_on(self, guest: Guest) -> None:
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

    def migrate(self, vm: str, to: str) -> None:
        """Move a running VM to another host. Raises Unreachable, Refused."""
        self._reach("migrate")
        guest = self._guest(vm)
        copy = guest.copies.get(self.there.name)
        other = self.site.hosts[to]
        if copy is None or copy.stage is not Stage.UP or not self.there.reaches(other):
            raise Refused(f"{self.there.name}: cannot migrate '{vm}' to {to}")
        guest.migrate(self.there.name, other)
        self._answer()


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
