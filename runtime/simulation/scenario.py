"""The schema of scenario.yaml."""

from __future__ import annotations

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
    """A fault: what, whom it strikes, when it begins and, if it does, ends.

    `of` are names or ranges of names; a fault of the whole site needs none. The other keys are
    those of some faults only. `call` is a call of the controller's to the outside, by its name in
    runtime/world.py and, where it is not the first of that name in a tick, its number: `kill`,
    `put 2`; or a number alone, of all its calls.
    """

    at: Time
    fault: Annotated[str, Field(json_schema_extra={"enum": list(NAMES)})]
    of: Names = ()
    until: Time | None = None
    mode: str | None = None
    times: Annotated[int, Field(ge=1)] | None = None
    on: HostName | None = None
    load: Annotated[float, Field(ge=0)] | None = None
    silent: Names | None = None
    call: Annotated[str, BeforeValidator(str), Field(pattern=_CALL)] | None = None
    stall: Duration | None = None
    seconds: float | None = None

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

    at: Time
    do: Annotated[str, Field(json_schema_extra={"enum": list(COMMANDS)})]
    of: Names = ()
    on: HostName | None = None
    to: str | None = None
    why: str = ""
    drain: bool = False

    @field_validator("do")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in COMMANDS:
            raise PydanticCustomError("do", "no such command; there are " + ", ".join(COMMANDS))
        return name


class ControllerEntry(Part):
    """A controller that is not as the site has it.

    `minutes` are `even`, `odd` or `every`; `every` seconds, for one that runs as a daemon. Its
    clock is `ahead` by so many seconds, and gains `drift` in each second.
    """

    minutes: Minutes | None = None
    every: Annotated[int, Field(ge=1)] | None = None
    ahead: float = 0.0
    drift: float = 0.0


class ExpectedVm(Part):
    """What must be true of a VM at the end: its host, its state, how often it moved.

    `state` is `up`, `down` or `off` (no copy of it runs). `down` is the longest time that its
    users may not have reached it.
    """

    host: HostName | None = None
    state: Literal["up", "down", "off"] | None = None
    moves: Annotated[int, Field(ge=0)] | None = None
    down: Duration | None = None


class Expected(Part):
    """What must be true at the end, beside the log.

    `violations` are the invariants that are broken, usually none.
    """

    vms: dict[str, ExpectedVm] = Field(default_factory=dict)
    violations: tuple[Annotated[str, Field(json_schema_extra={"enum": list(KINDS)})], ...] = ()


class Scenario(Part):
    """The whole of scenario.yaml.

    `site` is the path of a controller.yaml, seen from the scenario's folder, or the site itself:
    the keys of controller.yaml, all with a default. `state` are lines of the state directory:
    `VM: PH YYYY-MM-DD/HH:MM:SS FLAG`. VMs in `off` do not run at the start. `loads` are the
    physical hosts' 5-minute loads. With `locks` the disk of a VM can only be opened once. With
    `installers_say_so` an installer's last word is `3rc installed`. With `reasons` expected.log
    has the reasons too, and what happens to the site.
    """

    site: str | dict[str, Any]
    start: str
    timezone: str = "UTC"
    duration: Duration
    seed: int = 1
    timing: Timing = Timing()
    controllers: dict[HostName, ControllerEntry] = Field(default_factory=dict)
    state: dict[HostName, str] = Field(default_factory=dict)
    off: Names = ()
    loads: dict[HostName, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    locks: bool = False
    installers_say_so: bool = False
    faults: tuple[FaultEntry, ...] = ()
    operator: tuple[CommandEntry, ...] = ()
    reasons: bool = False
    expect: Expected = Expected()

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
