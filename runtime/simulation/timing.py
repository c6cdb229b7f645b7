"""How long things take, and the chance in it.

Source: thesis 7.13 for boot and installation: 80 s (10 for PXE, 70 for the boot) +/- 10, and
442 s (10 + 352 + 80) +/- 17; of the latter 10 are the boot's, the rest is the installer's.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Annotated, Final

from pydantic import Field

from threerc.runtime.config import Part
from threerc.runtime.observation import TMAX

Seconds = Annotated[float, Field(ge=0)]
_LEAST: Final = 1.0


class Timing(Part):
    """How long things take, in seconds; `sigma` is a standard deviation."""

    pxe: Seconds = Field(10, description="A VM reads its boot link over PXE.")
    no_pxe: Seconds = Field(60, description="It gives up where nobody answers.")
    boot: Seconds = Field(70, description="It boots from its disk, after PXE.")
    boot_sigma: Seconds = Field(10, description="By so much boots differ.")
    install: Seconds = Field(352, description="Its installer runs, between two times PXE.")
    install_sigma: Seconds = Field(13.7, description="By so much installations differ.")
    heartbeat: Annotated[float, Field(gt=0, le=TMAX)] = Field(
        TMAX, description="A gmond sends one heartbeat in so many seconds."
    )
    host_boot: Seconds = Field(120, description="A host boots when its power is back.")
    ssh: Seconds = Field(0.3, description="A login.")
    command: Seconds = Field(0.7, description="What a hypervisor needs for a command.")
    board: Seconds = Field(3, description="What a management board needs for one.")
    monitor: Seconds = Field(0.1, description="What a monitor needs to answer.")
    state: Seconds = Field(0.002, description="One access to the shared state.")


class Chance:
    """All chance of a run, from one seed; each name has its own, whoever else is there."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._each: dict[str, Random] = {}

    def of(self, name: str) -> Random:
        """The chance of one matter, such as the boots of a VM."""
        found = self._each.get(name)
        if found is None:
            found = self._each[name] = Random(f"{self.seed}/{name}")  # noqa: S311 - no secret
        return found

    def around(self, name: str, mean: float, sigma: float) -> float:
        """A normally distributed time; never less than a second, or than the mean if shorter."""
        if not sigma:
            return mean
        return max(min(mean, _LEAST), self.of(name).gauss(mean, sigma))


Draw = Callable[[str, float, float], float]
