"""Scenarios played on the service side of examples/ci, without machines: what is done, and when."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab import requires_real
from tests.testbed import without_machines
from threerc.runtime.simulation.scenario import Scenario
from threerc.testbed import scenarios
from threerc.testbed.errors import TestbedError
from threerc.testbed.events import Kind
from threerc.testbed.grip import Grip
from threerc.testbed.outliving import wrong

pytestmark = requires_real()


@pytest.fixture(scope="module")
def grip(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grip]:
    folder = tmp_path_factory.mktemp("scenarios")
    with without_machines.running(folder, "fast", vms=()) as testbed:
        yield Grip(testbed)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scenario begins at any second, not at the one of two minutes that it says."""
    monkeypatch.setattr(scenarios, "_PERIOD", 1.0)


def scenario(**entries: Any) -> Scenario:
    start = {"site": {}, "start": "2008-12-14 04:20:00", "duration": "8s"}
    return Scenario.model_validate(start | entries)


def test_faults_come_and_go_when_the_scenario_says_so(grip: Grip) -> None:
    """And one that it does not end is healed with it."""
    before = len(grip.events())
    faults = [
        {"at": "+1s", "until": "+4s", "fault": "dns"},
        {"at": "+2s", "fault": "gmond", "of": ["ph1"]},
    ]
    said: list[str] = []
    operator = [{"at": "+3s", "do": "maintenance", "of": ["ph2"], "why": "a disk"}]
    scenarios.play(grip, scenario(faults=faults, operator=operator), said.append)
    own = [
        (event.kind, event.of, event.detail["fault"])
        for event in grip.events()[before:]
        if "fault" in event.detail
    ]
    assert own[:3] == [
        (Kind.FAULT, "*", "dns"),
        (Kind.FAULT, "ph1", "gmond"),
        (Kind.HEAL, "*", "dns"),
    ]
    assert (Kind.HEAL, "ph1", "gmond") in own[3:]
    assert [line.partition(" s ")[2] for line in said[1:]] == [
        "the site: dns",
        "ph1: gmond",
        "operator: maintenance ph2",
        "the site: dns is over",
    ]
    assert grip.faults() == []
    assert list(wrong(grip)) == []
    grip.threerc("maintenance", "ph2", "--end")


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"faults": [{"at": "+1s", "fault": "clock", "of": ["one"]}]}, "clock cannot happen to"),
        (
            {"faults": [{"at": "+1s", "fault": "board", "of": ["ph1"], "mode": "lying"}]},
            "board cannot be lying for real",
        ),
        (
            {"operator": [{"at": "+1s", "do": "move", "of": ["vm1"], "on": "ph2"}]},
            "operator: `move` cannot be had for real",
        ),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is(
    grip: Grip, entries: dict[str, Any], said: str
) -> None:
    first = {"at": "+0s", "fault": "dns"}
    entries = entries | {"faults": [first, *entries.get("faults", [])]}
    before = grip.events()
    with pytest.raises(TestbedError, match=said):
        scenarios.play(grip, scenario(**entries), lambda _: None)
    assert [e for e in grip.events()[len(before) :] if e.kind is Kind.FAULT] == []
