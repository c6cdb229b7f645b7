"""Waiting for machines, by the file of events alone; tests/real starts real ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compiler.support import TODAY
from tests.testbed.test_campaign import knowing
from threerc.compiler.artefacts.controller import controller_config
from threerc.compiler.lock import Lock
from threerc.compiler.model import Site
from threerc.compiler.tree import Output, Tree
from threerc.testbed.errors import TestbedError
from threerc.testbed.events import Event, Kind, append
from threerc.testbed.machines import Machines
from threerc.testbed.waits import Waits


def silent(_line: str) -> None:
    """Nobody looks on."""


@pytest.fixture
def machines(tmp_path: Path, sns_pisa: Site) -> Machines:
    out = Output("test", Tree(), Lock(TODAY))
    config = controller_config(sns_pisa, out, known_hosts=True)
    return Machines(knowing(tmp_path / "sns-pisa-1", config), "mini")


def happened(machines: Machines, *events: Event) -> None:
    for event in events:
        append(machines.grip.events_file, event)


def test_a_machine_is_waited_for_from_a_time_on(machines: Machines) -> None:
    happened(
        machines,
        Event(5.0, Kind.INSTALLED, "gridce"),
        Event(12.0, Kind.INSTALLED, "gridse"),
        Event(15.0, Kind.INSTALLED, "gridce"),
    )
    told: list[str] = []
    event = machines.await_event("gridce", Kind.INSTALLED, 10.0, 1.0, Waits(told.append))
    assert event.time == 15.0
    assert told[0].startswith("gridce: installed: ")


def test_an_installer_that_gives_up_is_believed(machines: Machines) -> None:
    detail = {"phase": "failed", "text": "there is no /dev/sda"}
    happened(machines, Event(12.0, Kind.INSTALLING, "gridce", detail))
    with pytest.raises(TestbedError, match="gridce: there is no /dev/sda"):
        machines.await_event("gridce", Kind.INSTALLED, 10.0, 60.0, Waits(silent))


def test_a_wait_in_vain_says_for_what_and_where_to_look(machines: Machines) -> None:
    with pytest.raises(TestbedError, match=r"0 s in vain for gridce: booted; .*gridce.console.log"):
        machines.await_event("gridce", Kind.BOOTED, 10.0, 0.0, Waits(silent))


def test_nobody_waits_on_after_the_end(machines: Machines) -> None:
    waits = Waits(silent)
    waits.end()
    with pytest.raises(TestbedError, match="did not wait any longer for gridce: booted"):
        machines.await_event("gridce", Kind.BOOTED, 10.0, 60.0, waits)


def test_a_machine_that_the_site_does_not_have(machines: Machines) -> None:
    with pytest.raises(TestbedError, match="no virtual machine nobody"):
        machines.install("nobody", Waits(silent))
