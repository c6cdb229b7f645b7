"""The schema of scenario.yaml."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import tzinfo
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, field_validator
from pydantic_core import PydanticCustomError

from threerc.runtime.config import HostName, Minutes, Part
from threerc.runtime.simulation import brief
from threerc.runtime.simulation.faults import NAMES
from threerc.runtime.simulation.invariants import KINDS
from threerc.runtime.simulation.operators import COMMANDS
from threerc.runtime.simulation.times import duration, is_time, moment
from threerc.runtime.simulation.timing import Timing

Duration = Annotated[float, BeforeValidator(duration)]
Time = Annotated[str, BeforeValidator(is_time)]


def _listed(value: Any) -> Any:
    """One name, a range such as `vm[1-3]`, or a list of them, as a list of names."""
    values = value if isinstance(value, list) else [value]
    return [name for each in values for name in brief.names(str(each))]


Names = Annotated[tuple[str, ...], BeforeValidator(_listed)]


_CALL: Final = r"^(?:[1-9]\d{0,3}|[a-z_]{1,20}(?: [1-9]\d{0,3})?)$"


class FaultEntry(Part):
    """A fault: what, whom it strikes, when it begins and, if it does, ends."""

    at: Time = Field(description="When it begins: `04:29:40` or, from the start, `+10m`.")
    fault: str = Field(description="Its name: see [faults](#faults).")
    of: Names = Field((), description="Whom it strikes: a name, a range `vm[1-3]`, or a list.")
    until: Time | None = Field(None, description="When it ends; without this it does not.")
    mode: str | None = Field(None, description="How: see the fault.")
    times: Annotated[int, Field(ge=1)] | None = Field(
        None, description="How often it happens; without this always."
    )
    on: HostName | None = Field(None, description="The host on which it happens, if not on all.")
    load: Annotated[float, Field(ge=0)] | None = Field(None, description="A 5-minute load.")
    silent: Names | None = Field(None, description="The hosts of which a monitor lies.")
    call: Annotated[str, BeforeValidator(str), Field(pattern=_CALL)] | None = Field(
        None,
        description="A call of the controller's to the outside, by its name in `runtime/world.py` "
        "and, where it is not the first of that name in a tick, its number: `kill`, `put 2`; or a "
        "number alone, of all its calls.",
    )
    stall: Duration | None = Field(None, description="For how long it is stopped there: `90s`.")
    seconds: float | None = Field(None, description="By how many seconds.")

    @field_validator("fault")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in NAMES:
            raise PydanticCustomError("fault", "no such fault; there are " + ", ".join(NAMES))
        return name

    def options(self) -> dict[str, Any]:
        """The keys that only some faults have."""
        keys = ("mode", "times", "on", "load", "silent", "call", "stall", "seconds")
        found = {key: getattr(self, key) for key in keys}
        return {key: value for key, value in found.items() if value is not None}


class CommandEntry(Part):
    """What an operator does: a command, when, and to what."""

    at: Time = Field(description="When, as for faults.")
    do: str = Field(description="The command: see [operator](#operator).")
    of: Names = Field((), description="The VMs or hosts: a name, a range, or a list.")
    on: HostName | None = Field(
        None, description="The host on which to start it, or to move it to."
    )
    to: str | None = Field(None, description="The boot file.")
    why: str = Field("", description="What the operator gives as the reason.")
    drain: bool = Field(False, description="Whether VMs are moved away, running.")

    @field_validator("do")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in COMMANDS:
            raise PydanticCustomError("do", "no such command; there are " + ", ".join(COMMANDS))
        return name


class ControllerEntry(Part):
    """A controller that is not as the site has it."""

    minutes: Minutes | None = Field(
        None, description="When cron starts it: `even`, `odd`, `every`."
    )
    every: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Every how many seconds it ticks as a daemon, instead."
    )
    ahead: float = Field(0.0, description="By how many seconds its clock is ahead.")
    drift: float = Field(0.0, description="How many seconds its clock gains in each second.")


class ExpectedVm(Part):
    """What must be true of a VM at the end."""

    host: HostName | None = Field(None, description="The host on which it was started last.")
    state: Literal["up", "down", "off"] | None = Field(
        None, description="`up`, `down`, or `off`: no copy of it runs."
    )
    moves: Annotated[int, Field(ge=0)] | None = Field(
        None, description="How often it went to another host."
    )
    down: Duration | None = Field(
        None, description="For how long its users may not have reached it, at the most."
    )

    def unmet(self, facts: Mapping[str, Any]) -> Iterator[str]:
        """What is not as expected; `facts` has what came of the VM, by the names of these keys."""
        for key in type(self).model_fields:
            expected, value = getattr(self, key), facts[key]
            if expected is not None and (value > expected if key == "down" else value != expected):
                yield f"{key} is {value}, not {expected}"


class Expected(Part):
    """What must be true at the end, beside the log."""

    vms: dict[str, ExpectedVm] = Field(default_factory=dict, description="What of each VM.")
    violations: tuple[str, ...] = Field(
        (), description="The [invariants](#invariants) that are broken; usually none."
    )

    @field_validator("violations")
    @classmethod
    def _known(cls, kinds: tuple[str, ...]) -> tuple[str, ...]:
        for kind in kinds:
            if kind not in KINDS:
                raise PydanticCustomError(
                    "violation", "no such invariant; there are " + ", ".join(KINDS)
                )
        return kinds

    def missing(self, broken: Iterable[str]) -> list[str]:
        """Which invariants were to be broken, and were not."""
        kinds = sorted({*self.violations}.difference(broken))
        return [f"{kind} was expected, but did not happen" for kind in kinds]


class Scenario(Part):
    """The whole of scenario.yaml."""

    site: str | dict[str, Any] = Field(
        description="The path of a controller.yaml, seen from the scenario's folder, or "
        "[the site itself](#the-site-itself)."
    )
    start: str = Field(description="When it begins: `2008-12-14 04:20:00`.")
    timezone: str = Field("UTC", description="Of all times and of the log: `Europe/Rome`.")
    duration: Duration = Field(description="How long it lasts: `30m`, `1h30m`.")
    seed: int = Field(1, description="Of all chance: phases of heartbeats, boot times.")
    timing: Timing = Field(Timing(), description="How long things take: see [timing](#timing).")
    controllers: dict[HostName, ControllerEntry] = Field(
        default_factory=dict, description="Controllers that are not as the site has them."
    )
    state: dict[HostName, str] = Field(
        default_factory=dict,
        description="What the state directory says of a VM: `alfa01 2008-12-13/13:12:01 0`. A VM "
        "of which it says nothing is at home.",
    )
    off: Names = Field((), description="The VMs that do not run at the start, and never did.")
    loads: dict[HostName, Annotated[float, Field(ge=0)]] = Field(
        default_factory=dict, description="The physical hosts' 5-minute loads; 0.5 without."
    )
    locks: bool = Field(
        False, description="Whether a VM's disk can only be opened once (DRBD, libvirt's locks)."
    )
    installers_say_so: bool = Field(
        False, description="Whether an installer's last word is `3rc installed`."
    )
    faults: tuple[FaultEntry, ...] = Field((), description="What happens: see [faults](#faults).")
    operator: tuple[CommandEntry, ...] = Field(
        (), description="What operators do: see [operator](#operator)."
    )
    reasons: bool = Field(
        False,
        description="Whether expected.log also has the reasons, and what truly happens: see "
        "[expected.log](#expectedlog).",
    )
    expect: Expected = Field(Expected(), description="What must be true: see [expect](#expect).")

    @field_validator("timezone")
    @classmethod
    def _zone_exists(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            raise PydanticCustomError("timezone", "no such time zone") from None
        return name

    @field_validator("start")
    @classmethod
    def _is_moment(cls, text: str) -> str:
        moment(text, ZoneInfo("UTC"))
        return text

    @property
    def zone(self) -> tzinfo:
        """Its time zone."""
        return ZoneInfo(self.timezone)
