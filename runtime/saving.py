"""Many records written side by side: a disk or a server takes hardly longer for all than for one.

When a host dies with all its VMs, each of them has its intent written before its action, and the
outcome after it. One after another that would take the time in which they could be up again.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from threerc.runtime.errors import Conflict, ControllerError, StoreLost, Unwritable
from threerc.runtime.memory import Memory
from threerc.runtime.records import Record
from threerc.runtime.world import World

QUICKER = "another controller was quicker"


def save_all(
    world: World, memory: Memory, records: Mapping[str, Record], seconds: float
) -> dict[str, str]:
    """Write the records of VMs within so many seconds; why those were not that were not.

    Raises StoreLost where none could be. What was written of some is to be acted on all the same:
    given up they would count as tried, and be left alone for long.
    """
    if not records:
        return {}
    if len(records) == 1:
        ((vm, record),) = records.items()
        try:
            memory.save(vm, record)
        except Conflict as error:
            return {vm: _why_not(error)}
        return {}
    jobs = {vm: partial(memory.save, vm, record) for vm, record in records.items()}
    failed: dict[str, str] = {}
    lost: StoreLost | None = None
    for vm, answer in world.together(jobs, seconds).items():
        if isinstance(answer, ControllerError):
            failed[vm] = _why_not(answer)
            lost = answer if isinstance(answer, StoreLost) else lost
        elif isinstance(answer, Exception):
            raise answer
    if lost is not None and len(failed) == len(records):
        raise lost
    return failed


def _why_not(error: ControllerError) -> str:
    if isinstance(error, Conflict) and not isinstance(error, Unwritable):
        return QUICKER
    return f"its record could not be written: {error}"
