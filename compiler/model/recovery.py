"""Recovery: what the controller may try, how often, and how long it waits in between."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from threerc.compiler.model.types import AbsolutePath, HostName, Model, UserName

Tries = Annotated[int, Field(ge=0, le=100)]
Seconds = Annotated[int, Field(ge=0, le=7 * 86400)]
Minutes = Literal["even", "odd", "every"]


class Steps(Model):
    """How many times each step is tried before the next one (thesis 8.2); 0 leaves it out."""

    reboot: Tries = Field(default=1, description="Tries of REBOOT (ssh).")
    restart: Tries = Field(default=1, description="Tries of RESTART (hypervisor).")
    reinstall: Tries = Field(default=1, description="Tries of REINSTALL; only where INST is 1.")


class Waits(Model):
    """Seconds to stand still after each step (thesis, appendix: 200, 200, 600)."""

    reboot: Seconds = Field(default=200, description="Seconds after a REBOOT.")
    restart: Seconds = Field(default=200, description="Seconds after a RESTART.")
    reinstall: Seconds = Field(
        default=600, description="Seconds after a REINSTALL or a cleared history."
    )


class RestartLimit(Model):
    """A cap on restarts within an interval (thesis 2.18)."""

    restarts: int = Field(default=5, ge=1, le=1000, description="At most so many actions...")
    within: int = Field(default=3600, ge=60, le=30 * 86400, description="...in so many seconds.")


class RecoveryOverrides(Model):
    """One machine's own recovery settings; what is left out is the site's."""

    steps: Steps | None = Field(default=None, description="Tries per step.")
    waits: Waits | None = Field(default=None, description="Seconds after each step.")
    history: Seconds | None = Field(
        default=None, description="Seconds after which the history is cleared."
    )
    limit: RestartLimit | None = Field(default=None, description="Cap on restarts.")


class Recovery(Model):
    """The site's recovery policy, for every VM that does not override it."""

    steps: Steps = Field(default=Steps(), description="Tries per step.")
    waits: Waits = Field(default=Waits(), description="Seconds after each step.")
    history: Seconds = Field(
        default=3600, description="Seconds without an action after which history is cleared."
    )
    limit: RestartLimit = Field(default=RestartLimit(), description="Cap on restarts.")
    minutes: dict[HostName, Minutes] = Field(
        default={},
        description="Which minutes each controller acts in. Default: one controller every "
        "minute; of two, the first on even and the second on odd minutes (thesis 8.6.2).",
        examples=[{"bibe": "even", "bussolo": "odd"}],
    )
    user: UserName = Field(
        default="root", description="User the controller runs as in cron.", examples=["ha"]
    )
    state_directory: AbsolutePath = Field(
        default="/var/spool/ha", description="Shared state and log of all controllers."
    )
    n_plus_one: Literal["error", "warning", "off"] = Field(
        default="warning",
        description="How to take it when some physical host's VMs would not fit on the others.",
    )
