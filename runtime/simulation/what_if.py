"""What would happen if: the controllers of a site, tried on one disaster.

`kill alfa01` cuts a host's power or switches a VM off, `cut alfa01` takes its network, `hang
alfa01` freezes it; several are told with `and` or commas between them, and happen at once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from threerc.runtime.config import ControllerConfig
from threerc.runtime.errors import ControllerError
from threerc.runtime.simulation.brief import names
from threerc.runtime.simulation.faults import HOST, VM
from threerc.runtime.simulation.faults.base import kinds
from threerc.runtime.simulation.outcome import Outcome
from threerc.runtime.simulation.run import run
from threerc.runtime.simulation.scenario import Scenario
from threerc.runtime.simulation.site import host_names

_FAULTS: Final = {
    ("kill", HOST): "power",
    ("kill", VM): "poweroff",
    ("cut", HOST): "network",
    ("cut", VM): "network",
    ("hang", HOST): "hang",
    ("hang", VM): "freeze",
}
_MOST_NAMES: Final = 30
_BEGIN: Final = 600
_HOURS: Final = 3
_SPLIT: Final = re.compile(r"\s*(?:,|;|\band\b)\s*")


class WhatIfError(ControllerError):
    """A question that is not understood."""


def what_if(
    config: ControllerConfig, text: str, loads: Mapping[str, float] | None = None
) -> dict[str, Any]:
    """Which VMs move where, which wait and why, and for how many seconds each is down.

    `loads` are the hosts' 5-minute loads; those without have next to none. Raises WhatIfError.
    """
    scenario = Scenario.model_validate(
        {
            "site": "given",
            "start": "2026-01-05 10:00:00",
            "duration": _BEGIN + _HOURS * 3600,
            "timing": {"boot_sigma": 0, "install_sigma": 0},
            "loads": dict(loads or {}),
            "faults": [
                {"at": f"+{_BEGIN}s", "fault": fault, "of": name}
                for fault, name in _understood(config, text)
            ],
        }
    )
    return _answer(text, run(scenario, config))


def _understood(config: ControllerConfig, text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for part in filter(None, _SPLIT.split(text.strip())):
        verb, _, told = part.partition(" ")
        for name in names(told.strip()):
            fault = _fault(config, verb, name)
            if fault is None:
                raise WhatIfError(f"not understood: {part!r}: {_valid(config, verb)}")
            found.append((fault, name))
    if not found:
        raise WhatIfError("nothing happens: say, for example, 'kill alfa01'")
    return found


def _valid(config: ControllerConfig, verb: str) -> str:
    """What could have been said: verbs, or where that was right, names."""
    verbs = list(dict.fromkeys(verb for verb, _ in _FAULTS))
    if verb not in verbs:
        return f"say {', '.join(verbs[:-1])} or {verbs[-1]}, and a host or VM"
    known = [*host_names(config), *config.virtual_machines]
    more = f" and {len(known) - _MOST_NAMES} more" if len(known) > _MOST_NAMES else ""
    return f"{config.site} has {', '.join(known[:_MOST_NAMES])}{more}"


def _fault(config: ControllerConfig, verb: str, name: str) -> str | None:
    there = (_FAULTS.get((verb, kind)) for kind in kinds(config, name))
    return next(filter(None, there), None)


def _answer(text: str, outcome: Outcome) -> dict[str, Any]:
    told = outcome.json
    machines: dict[str, Any] = {}
    for vm, life in told["virtual_machines"].items():
        if life["down"] or life["moves"]:
            said = life["reasons"]
            waits = [each["reason"] for each in said if each["kind"] == "wait"]
            machines[vm] = {
                "from": life["moves"][0]["from"] if life["moves"] else life["host"],
                "to": life["host"] if life["state"] == "up" else None,
                "down": None if life["state"] != "up" else sum(d["seconds"] for d in life["down"]),
                "why": waits[-1] if waits and life["state"] != "up" else "",
                "steps": [each["step"] for each in said if each["kind"] == "action"],
            }
    standstills = dict.fromkeys(each["reason"] for each in told["standstills"])
    return {
        "what": text,
        "virtual_machines": machines,
        "standstills": list(standstills),
        "violations": told["violations"],
    }


def lines(answer: Mapping[str, Any]) -> list[str]:
    """The answer for people."""
    found = [f"{answer['what']}:"]
    for vm, each in sorted(answer["virtual_machines"].items()):
        steps = ", ".join(each["steps"])
        if each["to"] is None:
            reason = each["why"] or "nothing helps"
            found.append(f"  {vm:<15} {each['from']}: down for good{_after(steps)}: {reason}")
        elif each["to"] == each["from"]:
            down = f"down for {each['down']:.0f} s{_after(steps)}"
            found.append(f"  {vm:<15} {each['from']}, stays: {down}")
        else:
            down = f"down for {each['down']:.0f} s{_after(steps)}"
            found.append(f"  {vm:<15} {each['from']} -> {each['to']}: {down}")
    found += [f"  the controllers stand still: {reason}" for reason in answer["standstills"]]
    found += [f"  WRONG: {each['kind']}: {each['what']}" for each in answer["violations"]]
    return found if len(found) > 1 else [*found, "  no virtual machine is concerned"]


def _after(steps: str) -> str:
    return f" ({steps})" if steps else ""
