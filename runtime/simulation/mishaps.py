"""What happens to a random site: faults, one by one or several at once, drawn at random."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any, Final

from threerc.runtime.simulation.faults import FAULTS, SITE

SERVICES: Final = ("bibe", "bussolo")
FOR_EVER: Final = "disk-errors"
"""The fault that may last to the end: of such a VM nobody promises that it will be up."""
_MOST_CALLS: Final = 45
_VM_FAULTS: Final = (
    *("poweroff", "halt", "panic", "freeze", "overload", "erase-boot", FOR_EVER),
    *("network", "gmond", "start-fails", "install-fails"),
)
_AT_ONCE: Final = ("poweroff", "halt", "panic", "erase-boot")
"""What does not end by itself."""
_HOST_FAULTS: Final = (
    *("power", "power", "network", "network", "hang", "ssh", "ssh", "libvirtd", "gmond", "board"),
    "overload",
)
_LATE: Final = (5, 20, 40, 55)
"""For so many seconds an order may lie on a host: no longer than an action takes."""
_TOO_LATE: Final = (90, 200, 400)
"""And for so many where the disks can only be opened once: nothing else would help."""

Entry = dict[str, Any]


class Mishaps:
    """Draws faults that all are over by `end`, but for those that are for ever."""

    def __init__(self, random: Random, site: Mapping[str, Any], end: int, *, locks: bool) -> None:
        self.random = random
        self.end = end
        self.locks = locks
        self.hosts: Sequence[str] = list(site["physical_hosts"])
        self.inst = {vm: bool(each["inst"]) for vm, each in site["virtual_machines"].items()}
        self.vms: Sequence[str] = list(self.inst)
        self.home = {vm: str(each["home"]) for vm, each in site["virtual_machines"].items()}
        self.lies = site["split_brain"]["policy"] == "wait"

    def draw(self) -> list[Entry]:
        """What happens next: one fault, or some that go together."""
        kinds: tuple[tuple[int, Callable[[], list[Entry]]], ...] = (
            (50, self._of_vm),
            (50, self._of_host),
            (20, self._of_service),
            (20, self._of_monitor),
            (40, self._of_controller),
            (10, self._of_site),
            (4, self._of_all_monitors),
            (6, self._of_all_controllers),
            (6, self._of_several_hosts),
            (6, self._of_a_host_that_seems_dead),
        )
        draws = self.random.choices([each for _, each in kinds], [weight for weight, _ in kinds])
        return draws[0]()

    def _entry(self, fault: str, of: Any = None, *, ends: bool = True) -> Entry:
        begin = self.random.randint(60, self.end - 300)
        entry: Entry = {"at": f"+{begin}s", "fault": fault}
        if of is not None:
            entry["of"] = of
        if ends:
            end = begin + self.random.choice((5, 30, 90, 200, 600, 1500))
            entry["until"] = f"+{min(end, self.end - 1)}s"
        return entry

    def _of_vm(self) -> list[Entry]:
        vm = self.random.choice(self.vms)
        fault = self.random.choice(_VM_FAULTS)
        if fault == "erase-boot" and not self.inst[vm]:
            fault = "panic"
        if fault in ("start-fails", "install-fails"):
            return [self._entry(fault, vm) | {"times": self.random.randint(1, 2)}]
        ever = fault == FOR_EVER and self.random.random() < 0.06
        return [self._entry(fault, vm, ends=fault not in _AT_ONCE and not ever)]

    def _of_host(self) -> list[Entry]:
        fault = self.random.choice(_HOST_FAULTS)
        entry = self._entry(fault, self.random.choice(self.hosts))
        modes = {"ssh": ("dead", "hang", "mute", "late"), "board": ("dead", "failing", "stuck")}
        if fault in modes:
            entry["mode"] = self.random.choice(modes[fault])
        if entry.get("mode") == "late":
            entry["seconds"] = self.random.choice(_LATE + _TOO_LATE * self.locks)
        return [entry]

    def _of_service(self) -> list[Entry]:
        fault = self.random.choice(("power", "network", "gmond", "hang"))
        return [self._entry(fault, self.random.choice(SERVICES))]

    def _of_monitor(self) -> list[Entry]:
        fault = self.random.choice(("gmetad", "collector", "collector-restart"))
        host = "bibe" if fault == "gmetad" else self.random.choice(SERVICES)
        if fault == "collector-restart":
            return [self._entry(fault, host, ends=False)]
        entry = self._entry(fault, host)
        if self.lies and self.random.random() < 0.5:
            names = [*self.hosts, *self.vms]
            return [entry | {"silent": self.random.sample(names, self.random.randint(1, 3))}]
        modes = ("dead", "frozen", "empty") + ("stale",) * (fault == "gmetad")
        return [entry | {"mode": self.random.choice(modes)}]

    def _of_all_monitors(self) -> list[Entry]:
        """Nobody has heard anything, or nobody can be asked."""
        if self.random.random() < 0.5:
            return [self._entry("collector-restart", list(SERVICES), ends=False)]
        mode = self.random.choice(("dead", "empty"))
        collectors = self._entry("collector", list(SERVICES)) | {"mode": mode}
        return [collectors, collectors | {"fault": "gmetad", "of": "bibe"}]

    def _of_controller(self) -> list[Entry]:
        host = self.random.choice(SERVICES)
        how = self.random.choice(("dies", "dies", "dies", "off", "stalls", "slow"))
        if how == "off":
            return [self._entry("controller", host)]
        if how == "slow":
            return [self._entry("slow", host) | {"seconds": self.random.choice((0.5, 2.0, 6.0))}]
        entry = self._entry("controller", host) | {"call": self.random.randint(1, _MOST_CALLS)}
        if how == "stalls":
            entry["stall"] = self.random.choice((5, 40, 90))
        return [entry]

    def _of_all_controllers(self) -> list[Entry]:
        """Nobody looks for a while, and something happens meanwhile."""
        gap = self._entry("controller", list(SERVICES))
        begin, end = (int(gap[key][1:-1]) for key in ("at", "until"))
        found = [gap]
        for _ in range(self.random.randint(0, 3)):
            for entry in (self._of_vm if self.random.random() < 0.5 else self._of_host)():
                entry["at"] = f"+{self.random.randint(begin, end)}s"
                if "until" in entry:
                    entry["until"] = f"+{self.random.randint(end, self.end - 1)}s"
                found.append(entry)
        return found

    def _of_several_hosts(self) -> list[Entry]:
        """A room without power, a switch: too many at once, as the brake has it, or just not."""
        hosts = self.random.sample(self.hosts, self.random.randint(2, len(self.hosts)))
        return [self._entry(self.random.choice(("power", "network", "gmond", "hang")), hosts)]

    def _of_a_host_that_seems_dead(self) -> list[Entry]:
        """Neither heard nor reached; of its VMs one is down, and some are not heard, but live."""
        host = self.random.choice(list(self.home.values()))
        quiet = self._entry("gmond", host)
        begin = int(quiet["at"][1:-1])
        quiet["until"] = f"+{self.random.randint(begin + 200, self.end - 1)}s"
        there = [vm for vm, home in self.home.items() if home == host]
        down = self.random.choice(there)
        found = [quiet, quiet | {"fault": "ssh", "mode": "dead"}]
        found.append({"at": quiet["at"], "fault": "poweroff", "of": down})
        mute = [vm for vm in there if vm != down and self.random.random() < 0.5]
        found += [quiet | {"of": vm} for vm in mute]
        if self.random.random() < 0.5:
            at = f"+{begin + self.random.randint(60, 250)}s"
            found.append({"at": at, "fault": "collector-restart", "of": list(SERVICES)})
        return found

    def _of_site(self) -> list[Entry]:
        fault = self.random.choice(("dhcp", "tftp", "dns", "state", "switch"))
        if fault == "state":
            return [self._entry(fault) | {"mode": self.random.choice(("lost", "full"))}]
        if fault == "switch":
            hosts = [*self.hosts, *SERVICES]
            return [self._entry(fault, self.random.sample(hosts, self.random.randint(1, 3)))]
        return [self._entry(fault) | {"mode": self.random.choice(FAULTS[fault, SITE].modes)}]
