"""What a tick says: the thesis's log lines to the character, and an event for each decision.

Source: thesis 8.10, 8.11 and appendix.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any

from threerc.runtime.records import Record, State, Step, stamp
from threerc.runtime.recovery import Outcome

WAIT = "..wait"
NOTHING_LEFT = "ACT"
"""What the thesis's code leaves in its variable when no step is left."""


@dataclass(slots=True)
class Case:
    """A VM that is down, and what this tick made of it.

    `before` is its record at the start of the tick, `after` the one at its end. `step` is what was
    done, if anything; `host` and `to` are the hosts before and after it.
    """

    vm: str
    before: Record
    after: Record
    reason: str
    outcome: Outcome = Outcome.STAY
    step: Step | None = None
    to: str = ""
    cleared: bool = False
    silent: bool = False
    refused: Mapping[str, str] = field(default_factory=dict)

    def lines(self, now: float, zone: tzinfo | None) -> list[str]:
        """The lines of the log; none for a VM that is not cared for at all."""
        if self.silent:
            return []
        found = [">> Clear history"] if self.cleared else []
        origin = self.before.host
        to = self.to or origin
        if self.step is Step.REBOOT:
            found.append(f">> REBOOT VM {self.vm} on PH {origin}")
        elif self.step is not None:
            found.append(f">> {self.step} VM {self.vm} on PH {to} [from OLD PH {origin}]")
        last = stamp(self.before.last, zone)
        what = self.step or (NOTHING_LEFT if self.outcome is Outcome.EXHAUSTED else WAIT)
        state = f"{self.vm} - {origin} {to} - {last} [{self.after.flag}] {what}"
        return [*found, f"{stamp(now, zone)} -- {state}"]

    def event(self, now: float, me: str) -> dict[str, Any]:
        """The same for programs, with the reasons."""
        event: dict[str, Any] = {
            "time": now,
            "controller": me,
            "vm": self.vm,
            "kind": "action" if self.step else "wait",
            "host": self.before.host,
            "state": self.after.state.value,
            "outcome": self.outcome.value,
            "reason": self.reason,
        }
        if self.step:
            event |= {"step": self.step.value, "to": self.to or self.before.host}
        if self.cleared:
            event["cleared"] = True
        if self.refused:
            event["refused"] = dict(self.refused)
        return event


def standstill(now: float, me: str, reason: str, vm: str = "") -> dict[str, Any]:
    """The event of a tick in which nothing is done at all, or nothing for a VM."""
    of_one = {"vm": vm} if vm else {}
    return {"time": now, "controller": me, **of_one, "kind": "standstill", "reason": reason}


def recovered(now: float, me: str, vm: str, record: Record) -> dict[str, Any]:
    """The event of a VM that is up again."""
    nothing = record.state is State.NORMAL
    done = "by itself, or by hand" if nothing else f"after it was {record.state.value}"
    return {
        "time": now,
        "controller": me,
        "vm": vm,
        "kind": "recovered",
        "host": record.host,
        "state": record.state.value,
        "reason": f"up again {done}",
    }


def noted(now: float, me: str, vm: str, reason: str) -> dict[str, Any]:
    """The event of anything else that people may want to know of a VM or host."""
    return {"time": now, "controller": me, "vm": vm, "kind": "note", "reason": reason}
