"""What one tick knows: the monitor's words, what is remembered, what follows from both. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from threerc.runtime.brake import Before, Silence, went_silent
from threerc.runtime.config import ControllerConfig
from threerc.runtime.memory import Memory
from threerc.runtime.observation import TMAX, Observation
from threerc.runtime.placement import Host, Request
from threerc.runtime.records import Intent


@dataclass
class View:
    """A tick's knowledge."""

    config: ControllerConfig
    memory: Memory
    observation: Observation
    now: float

    @cached_property
    def down(self) -> set[str]:
        """The site's hosts that are silent for too long."""
        names = (*self.config.physical_hosts, *self.config.virtual_machines)
        return self.observation.down(names, self.config.monitors.down_after)

    @cached_property
    def owners(self) -> dict[str, str]:
        """The physical host that each VM is on, as far as is remembered."""
        owners = {vm: each.home for vm, each in self.config.virtual_machines.items()}
        known = {vm: held.record.host for vm, held in self.memory.held.items()}
        known |= {vm: it.guess.host for vm, it in self.memory.unread.items() if it.guess}
        return owners | {vm: host for vm, host in known.items() if vm in owners}

    @cached_property
    def unread(self) -> list[str]:
        """The VMs whose records cannot be read, sorted: where they are is only guessed."""
        return sorted(self.memory.unread.keys() & self.config.virtual_machines.keys())

    def unreadable(self, vm: str) -> str:
        """Why nothing is done for a VM whose record cannot be read, or nothing."""
        unread = self.memory.unread.get(vm)
        if unread is None:
            return ""
        until = (
            f"it can (is another controller's 3RC newer?), or `3rc resume {vm}` writes it anew"
            if unread.version
            else "that record is removed, with all controllers stopped"
        )
        why = f"its record vm/{vm} cannot be read ({unread.why})"
        return f"{why}: nothing is done for it until {until}"

    @cached_property
    def absent(self) -> list[str]:
        """Hosts that the monitor has never heard of, or has forgotten."""
        return sorted(name for name in self.down if name not in self.observation.hosts)

    @cached_property
    def down_vms(self) -> list[str]:
        """The VMs that are down, those first which others wait for, then by priority and name."""
        machines = self.config.virtual_machines
        vms = [vm for vm in self.down if vm in machines]
        return sorted(vms, key=lambda vm: (self.depth(vm), -machines[vm].priority, vm))

    def depth(self, vm: str, seen: frozenset[str] = frozenset()) -> int:
        """How many VMs have to be up one after another before this one."""
        after = self.config.virtual_machines[vm].start_after
        deeper = (self.depth(each, seen | {vm}) for each in after if each not in seen)
        return max(deeper, default=-1) + 1

    def known(self, vm: str) -> bool:
        """Whether a VM was ever seen up, or cared for."""
        held = self.memory.held.get(vm)
        remembered = vm in self.memory.unread or (held is not None and held.version > 0)
        return remembered or vm in self.memory.known or vm in self.observation.hosts

    def forgotten(self, host: str) -> float | None:
        """For how many seconds the monitor has not known a host; None where it is no news.

        One that begins anew hears of everybody within a heartbeat's time, or they are down.
        """
        if host in self.observation.hosts:
            return None
        seconds = self.now - self.memory.absent.get(host, self.now)
        return seconds if seconds <= self.config.monitors.down_after * TMAX else None

    def silent(self, host: str) -> float:
        """Seconds since a host's last heartbeat; as long as it is absent, where it is."""
        seen = self.observation.hosts.get(host)
        return seen.silent if seen else self.now - self.memory.absent.get(host, self.now)

    def places(self, vm: str) -> tuple[str, ...]:
        """Where a VM may be, whoever has put it there: people heed no list of allowed hosts."""
        return self.config.places(self.config.virtual_machines[vm])

    def fell_with(self, vm: str) -> list[str]:
        """Other hosts that fell silent when a VM did: it may run there, moved behind our back.

        Not all of them are down yet, but one that is alive was heard long after the VM.
        """
        quiet, silent = self._quiet, self.silent(vm)
        about = self.config.monitors.down_after * TMAX / 2
        return [
            name
            for name in self.places(vm)
            if name in quiet and name != self.owners[vm] and abs(quiet[name] - silent) <= about
        ]

    @cached_property
    def _quiet(self) -> dict[str, float]:
        """For how long the physical hosts were not heard that should have been."""
        silent = {name: self.silent(name) for name in self.config.physical_hosts}
        return {name: seconds for name, seconds in silent.items() if seconds > TMAX}

    def vms_on(self, host: str) -> list[str]:
        """The VMs of a host, sorted."""
        return sorted(self._by_host.get(host, ()))

    def vms_about(self, host: str) -> list[str]:
        """The VMs that may be on a host: its own, those that were begun to be sent there, and
        those of which nobody knows where they are.
        """
        unclear = (vm for vm in self.unread if host in self.places(vm))
        return sorted({*self._by_host.get(host, ()), *self.sent_to.get(host, ()), *unclear})

    def lately_written(self, vm: str) -> bool:
        """Whether somebody may be at a VM whose record cannot be read."""
        unread = self.memory.unread.get(vm)
        return unread is not None and self.now - unread.since <= 2 * self.config.deadline

    @cached_property
    def sent_to(self) -> Mapping[str, list[str]]:
        """By host the VMs that were begun to be sent there; whether they were is not known."""
        found: dict[str, list[str]] = {}
        for vm in self.owners:
            held = self.memory.held.get(vm)
            unread = self.memory.unread.get(vm)
            record = held.record if held else unread.guess if unread else None
            if record is not None and record.intent is not None:
                found.setdefault(record.intent.to, []).append(vm)
        return found

    def under_way(self, vm: str) -> Intent | None:
        """The action on a VM that somebody has begun and may still be at."""
        held = self.memory.held.get(vm)
        if held is None or held.record.intent is None:
            return None
        elapsed = self.memory.elapsed(vm, held.record)
        return held.record.intent if elapsed <= 2 * self.config.deadline else None

    @cached_property
    def _by_host(self) -> Mapping[str, list[str]]:
        found: dict[str, list[str]] = {}
        for vm, owner in self.owners.items():
            found.setdefault(owner, []).append(vm)
        return found

    def silence(self) -> Silence:
        """What the brake has to know."""
        after = self.config.monitors.down_after
        down = {name for name in self.down if name not in self.owners or self.known(name)}
        memory = self.memory
        before = Before(memory.judged, memory.was_down, memory.absent)
        since = went_silent(self.observation, down, after, self.now, before)
        known = len(self.config.physical_hosts) + len(self.owners)
        return Silence(since, self.owners | self._fell(), known, memory.judged)

    def _fell(self) -> dict[str, str]:
        """Where VMs went down that are not up yet: one that was moved since is no second death."""
        records = ((vm, held.record) for vm, held in self.memory.held.items() if vm in self.owners)
        return {vm: record.fell for vm, record in records if record.up is None and record.fell}

    def hosts(
        self, moving: Iterable[str], lost: Iterable[str], seen: Mapping[str, Iterable[str]] = {}
    ) -> dict[str, Host]:
        """The physical hosts for the placement, without the VMs that are to be placed.

        A VM whose record cannot be read counts wherever it may be: where it was, where it was to
        be started, and on the hosts on which it was `seen`.
        """
        gone = set(moving)
        hosts = {name: self._host(name) for name in self.config.physical_hosts}
        for name in lost:
            hosts[name].why_not = hosts[name].why_not or "does not answer ssh"
        for vm, owner in self.owners.items():
            host = hosts.get(owner)
            if host is not None and vm not in gone:
                host.put(self.request(vm))
        for vm in self.unread:
            sent = (name for name, vms in self.sent_to.items() if vm in vms)
            for name in {*seen.get(vm, ()), *sent} & hosts.keys() - {self.owners[vm]}:
                hosts[name].put(self.request(vm))
        for host in hosts.values():
            host.sent = 0
        return hosts

    def _host(self, name: str) -> Host:
        settings = self.config.physical_hosts[name]
        why_not = "down" if name in self.down else ""
        if name in self.memory.maintenance:
            why_not = why_not or "in maintenance"
        return Host(
            name=name,
            maxl=settings.maxl,
            load=self.observation.load(name),
            cpus=settings.cpus and settings.cpus * self.config.overcommit,
            memory=settings.memory,
            why_not=why_not,
        )

    def request(self, vm: str) -> Request:
        """A VM for the placement."""
        settings = self.config.virtual_machines[vm]
        held = self.memory.held.get(vm)
        return Request(
            vm=vm,
            home=self.owners[vm],
            allowed=self.config.allowed_hosts(settings),
            cpus=settings.cpus,
            memory=settings.memory,
            group=settings.anti_affinity,
            priority=settings.priority,
            avoid=held.record.avoid if held else (),
        )
