"""Random schedules of faults on random small sites, each of them a scenario.

All faults end and all hosts are switched on again by an hour; an operator then takes back what
operators have said. What is still down long after that is a finding.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, Final

from threerc.runtime.simulation.scenario import Scenario

TROUBLE: Final = 3600
"""Seconds in which faults begin and end."""
CALM: Final = 3 * 3600
"""Seconds after that within which every VM has to be up."""
END: Final = (f"+{TROUBLE}s", f"+{TROUBLE + 900}s")
"""When the last words of operators come: all hosts on and all VMs cared for; the brake off."""
_SERVICES: Final = ("bibe", "bussolo")
_MOST_CALLS: Final = 45
_VM_FAULTS: Final = (
    *("poweroff", "halt", "panic", "freeze", "overload", "erase-boot", "disk-errors"),
    *("network", "gmond", "start-fails", "install-fails"),
)
_HOST_FAULTS: Final = (
    *("power", "power", "network", "network", "hang", "ssh", "libvirtd", "gmond", "board"),
    "overload",
)


def schedule(seed: int) -> Scenario:
    """The schedule of a seed."""
    return _Schedule(Random(seed), seed).scenario()  # noqa: S311 - no secret


class _Schedule:
    def __init__(self, random: Random, seed: int) -> None:
        self.random = random
        self.seed = seed
        self.hosts = [f"p{n}" for n in range(1, random.randint(2, 4) + 1)]
        self.vms = [f"v{n}" for n in range(1, random.randint(2, 5) + 1)]
        self.inst = {vm: random.random() < 0.6 for vm in self.vms}

    def scenario(self) -> Scenario:
        """A site, faults on it, and the end of all trouble."""
        faults = [self._fault() for _ in range(self.random.randint(1, 7))]
        return Scenario.model_validate(
            {
                "site": self._site(),
                "start": "2026-01-05 10:00:00",
                "duration": TROUBLE + CALM,
                "seed": self.seed,
                "controllers": self._clocks(),
                "faults": sorted(faults, key=lambda fault: float(fault["at"][1:-1])),
                "operator": [*self._commands(), *self._end()],
                "reasons": True,
            }
        )

    def _site(self) -> dict[str, Any]:
        pick, some = self.random.choice, self.random.random
        machines: dict[str, Any] = {}
        apart: set[str] = set()
        for number, vm in enumerate(self.vms):
            home = pick(self.hosts)
            machines[vm] = {"home": home, "inst": int(self.inst[vm])}
            if some() < 0.3 and home not in apart:
                apart.add(home)
                machines[vm]["anti_affinity"] = "group"
            if number and some() < 0.2:
                machines[vm]["start_after"] = [self.vms[number - 1]]
            if some() < 0.2:
                machines[vm]["priority"] = self.random.randint(1, 5)
        steps = {"reboot": pick((0, 1)), "restart": pick((1, 1, 2)), "reinstall": 1}
        powered = some() < 0.7
        return {
            "recovery": {"steps": steps, "limit": {"restarts": 8, "within": 3600}},
            "monitors": {"probe": pick(("none", "none", "ping"))},
            "brake": {"share": pick((1 / 3, 0.5, 1))},
            "physical_hosts": {
                host: {"power": True} if powered and some() < 0.9 else None for host in self.hosts
            },
            "virtual_machines": machines,
        }

    def _clocks(self) -> dict[str, Any]:
        if self.random.random() < 0.8:
            return {}
        return {"bussolo": {"ahead": self.random.choice((-300, -70, 70, 300))}}

    # -- faults

    def _fault(self) -> dict[str, Any]:
        kinds: tuple[tuple[int, Callable[[], dict[str, Any]]], ...] = (
            (5, self._of_vm),
            (5, self._of_host),
            (2, self._of_service),
            (2, self._of_monitor),
            (4, self._of_controller),
            (1, self._of_site),
        )
        draw = self.random.choices([each for _, each in kinds], [weight for weight, _ in kinds])[0]
        return draw()

    def _entry(self, fault: str, of: Any = None, *, ends: bool = True) -> dict[str, Any]:
        begin = self.random.randint(60, TROUBLE - 300)
        entry: dict[str, Any] = {"at": f"+{begin}s", "fault": fault}
        if of is not None:
            entry["of"] = of
        if ends:
            end = begin + self.random.choice((5, 30, 90, 200, 600, 1500))
            entry["until"] = f"+{min(end, TROUBLE - 1)}s"
        return entry

    def _of_vm(self) -> dict[str, Any]:
        vm = self.random.choice(self.vms)
        fault = self.random.choice(_VM_FAULTS)
        if fault == "erase-boot" and not self.inst[vm]:
            fault = "panic"
        if fault in ("start-fails", "install-fails"):
            return self._entry(fault, vm) | {"times": self.random.randint(1, 2)}
        return self._entry(fault, vm, ends=fault not in ("poweroff", "halt", "panic", "erase-boot"))

    def _of_host(self) -> dict[str, Any]:
        fault = self.random.choice(_HOST_FAULTS)
        entry = self._entry(fault, self.random.choice(self.hosts))
        modes = {"ssh": ("dead", "hang", "mute"), "board": ("dead", "failing", "stuck")}
        if fault in modes:
            entry["mode"] = self.random.choice(modes[fault])
        return entry

    def _of_service(self) -> dict[str, Any]:
        fault = self.random.choice(("power", "network", "gmond", "hang"))
        return self._entry(fault, self.random.choice(_SERVICES))

    def _of_monitor(self) -> dict[str, Any]:
        fault = self.random.choice(("gmetad", "collector", "collector-restart"))
        host = "bibe" if fault == "gmetad" else self.random.choice(_SERVICES)
        if fault == "collector-restart":
            return self._entry(fault, host, ends=False)
        entry = self._entry(fault, host)
        if self.random.random() < 0.5:
            names = [*self.hosts, *self.vms]
            return entry | {"silent": self.random.sample(names, self.random.randint(1, 3))}
        modes = ("dead", "stale", "frozen") if fault == "gmetad" else ("dead", "frozen")
        return entry | {"mode": self.random.choice(modes)}

    def _of_controller(self) -> dict[str, Any]:
        host = self.random.choice(_SERVICES)
        how = self.random.choice(("dies", "dies", "dies", "off", "stalls", "slow"))
        if how == "off":
            return self._entry("controller", host)
        if how == "slow":
            return self._entry("slow", host) | {"seconds": self.random.choice((0.5, 2.0, 6.0))}
        entry = self._entry("controller", host) | {"call": self.random.randint(1, _MOST_CALLS)}
        if how == "stalls":
            entry["stall"] = self.random.choice((5, 40, 90))
        return entry

    def _of_site(self) -> dict[str, Any]:
        fault = self.random.choice(("dhcp", "tftp", "dns", "state", "switch"))
        if fault == "state":
            return self._entry(fault) | {"mode": self.random.choice(("lost", "full"))}
        if fault == "switch":
            hosts = [*self.hosts, *_SERVICES]
            return self._entry(fault, self.random.sample(hosts, self.random.randint(1, 3)))
        return self._entry(fault)

    # -- operators

    def _commands(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        at = f"+{self.random.randint(60, TROUBLE - 60)}s"
        if self.random.random() < 0.15:
            found.append({"at": at, "do": "pause", "of": self.random.choice(self.vms)})
        if self.random.random() < 0.15:
            drain = self.random.random() < 0.5
            host = self.random.choice(self.hosts)
            found.append({"at": at, "do": "maintenance", "of": host, "drain": drain})
        if self.random.random() < 0.1:
            found.append({"at": at, "do": "release"})
        return found

    def _end(self) -> list[dict[str, Any]]:
        """Everything is switched on and taken back; the brake once the hosts have booted."""
        first, later = END
        return [
            {"at": first, "do": "power-on", "of": self.hosts},
            {"at": first, "do": "end-maintenance", "of": self.hosts},
            {"at": first, "do": "resume", "of": self.vms},
            {"at": later, "do": "release"},
            {"at": later, "do": "resume", "of": self.vms},
        ]
