"""Random schedules of faults on random small sites, each of them a scenario.

All faults end and all hosts are switched on again by an hour; an operator then takes back what
operators have said. What is still down long after that is a finding.
"""

from __future__ import annotations

from random import Random
from typing import Any, Final

from threerc.runtime.simulation.mishaps import FOR_EVER, SERVICES, Mishaps
from threerc.runtime.simulation.scenario import Scenario

TROUBLE: Final = 3600
"""Seconds in which faults begin and end."""
CALM: Final = 3 * 3600
"""Seconds after that within which every VM has to be up."""
END: Final = (f"+{TROUBLE}s", f"+{TROUBLE + 900}s")
"""When the last words of operators come: all hosts on and all VMs cared for; the brake off."""


def schedule(seed: int) -> Scenario:
    """The schedule of a seed."""
    return _Schedule(Random(seed), seed).scenario()  # noqa: S311 - no secret


def hopeless(scenario: Scenario) -> frozenset[str]:
    """The VMs that nothing can bring back: their disk is broken to the end."""
    broken = (each for each in scenario.faults if each.fault == FOR_EVER and not each.until)
    return frozenset(vm for each in broken for vm in each.of)


class _Schedule:
    def __init__(self, random: Random, seed: int) -> None:
        self.random = random
        self.seed = seed
        self.hosts = [f"p{n}" for n in range(1, random.randint(2, 4) + 1)]
        self.vms = [f"v{n}" for n in range(1, random.randint(2, 5) + 1)]

    def scenario(self) -> Scenario:
        """A site, faults on it, and the end of all trouble."""
        site, locks = self._site(), self.random.random() < 0.2
        mishaps = Mishaps(self.random, site, TROUBLE, locks=locks)
        draws = (mishaps.draw() for _ in range(self.random.randint(1, 6)))
        faults = [fault for draw in draws for fault in draw]
        return Scenario.model_validate(
            {
                "site": site,
                "start": "2026-01-05 10:00:00",
                "duration": TROUBLE + CALM,
                "seed": self.seed,
                "controllers": self._clocks(),
                "locks": locks,
                "faults": sorted(faults, key=lambda fault: float(fault["at"][1:-1])),
                "operator": [*self._commands(), *self._end()],
                "reasons": True,
            }
        )

    def _site(self) -> dict[str, Any]:
        pick, some = self.random.choice, self.random.random
        powered = pick((0.0, 0.5, 0.9, 1.0))
        return {
            "recovery": self._recovery(),
            "monitors": {"probe": pick(("none", "none", "ping", "ssh"))},
            "brake": {"share": pick((1 / 3, 0.5, 1))},
            "split_brain": self._split_brain(),
            "deadline": pick((60, 60, 60, 30)),
            "physical_hosts": {
                host: {"power": True} if some() < powered else None for host in self.hosts
            },
            "virtual_machines": self._machines(),
        }

    def _recovery(self) -> dict[str, Any]:
        pick = self.random.choice
        steps = {"reboot": pick((0, 1)), "restart": pick((1, 1, 2)), "reinstall": 1}
        if self.random.random() < 0.2:
            steps["snapshot"] = 1
        waits = {"reboot": pick((60, 200)), "restart": pick((100, 200)), "reinstall": 600}
        return {"steps": steps, "waits": waits, "limit": {"restarts": 8, "within": 3600}}

    def _split_brain(self) -> dict[str, Any]:
        if self.random.random() < 0.8:
            return {"policy": "wait"}
        return {"policy": "proceed", "after": self.random.choice((200, 600, 1200))}

    def _machines(self) -> dict[str, Any]:
        pick, some = self.random.choice, self.random.random
        machines: dict[str, Any] = {}
        apart: set[str] = set()
        for number, vm in enumerate(self.vms):
            home = pick(self.hosts)
            machines[vm] = {"home": home, "inst": int(some() < 0.6)}
            if some() < 0.3 and home not in apart:
                apart.add(home)
                machines[vm]["anti_affinity"] = "group"
            if number and some() < 0.2:
                machines[vm]["start_after"] = [self.vms[number - 1]]
            if some() < 0.2:
                machines[vm]["priority"] = self.random.randint(1, 5)
            if some() < 0.3:
                machines[vm]["snapshots"] = {"every": 3600, "keep": 2}
        return machines

    def _clocks(self) -> dict[str, Any]:
        if self.random.random() < 0.8:
            return {}
        return {SERVICES[1]: {"ahead": self.random.choice((-300, -70, 70, 300))}}

    # -- operators

    def _commands(self) -> list[dict[str, Any]]:
        """What operators say and do meanwhile; each now and then."""
        pick, some = self.random.choice, self.random.random
        vm, host = pick(self.vms), pick(self.hosts)
        choices: tuple[tuple[float, dict[str, Any]], ...] = (
            (0.10, {"do": "pause", "of": vm}),
            (0.03, {"do": "pause"}),
            (0.20, {"do": "maintenance", "of": host, "drain": some() < 0.7}),
            (0.10, {"do": "release"}),
            (0.05, {"do": "resume", "of": vm}),
            (0.03, {"do": "installed", "of": vm}),
            (0.05, {"do": "stop", "of": vm}),
            (0.03, {"do": "boot-link", "of": vm, "to": "local"}),
        )
        drawn = [command for chance, command in choices if some() < chance]
        moments = sorted(self.random.randint(60, TROUBLE - 60) for _ in drawn)
        return [{"at": f"+{at}s", **command} for at, command in zip(moments, drawn, strict=True)]

    def _end(self) -> list[dict[str, Any]]:
        """Everything is switched on and taken back; the brake once the hosts have booted."""
        first, later = END
        return [
            {"at": first, "do": "power-on", "of": self.hosts},
            {"at": first, "do": "end-maintenance", "of": self.hosts},
            {"at": first, "do": "resume"},
            {"at": first, "do": "resume", "of": self.vms},
            # One that was just booting may have been cut off once more.
            {"at": later, "do": "power-on", "of": self.hosts},
            {"at": later, "do": "release"},
            {"at": later, "do": "resume", "of": self.vms},
        ]
