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

Seconds = Annotated[float, Field(ge=0)]
_LEAST: Final = 1.0


class Timing(Part):
    """How long things take, in seconds; `sigma` is the standard deviation of what is before it.

    `pxe` is what a VM needs to read its boot link, `no_pxe` until it gives up where nobody
    answers. `host_boot` is a physical host's whole start. `ssh` is a login, `command` what the
    hypervisor needs, `board` a management board, `state` one access to the shared state.
    """

    pxe: Seconds = 10
    no_pxe: Seconds = 60
    boot: Seconds = 70
    boot_sigma: Seconds = 10
    install: Seconds = 352
    install_sigma: Seconds = 13.7
    host_boot: Seconds = 120
    ssh: Seconds = 0.3
    command: Seconds = 0.7
    board: Seconds = 3
    monitor: Seconds = 0.1
    state: Seconds = 0.002


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
