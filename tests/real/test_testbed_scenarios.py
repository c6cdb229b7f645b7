"""Scenarios and crashes on the service side of examples/ci, without machines: what is done, and
when, and what is said of it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab import requires_real
from tests.testbed import without_machines
from threerc.runtime.simulation.scenario import Scenario
from threerc.testbed import crashes, scenarios
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
    operator = [{"at": "+3s", "do": "maintenance", "of": ["ph2"]}]
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
    assert [line.partition(" s ")[2] for line in said[2:]] == [
        "the site: dns",
        "ph1: gmond",
        "operator: maintenance ph2",
        "the site: dns is over",
    ]
    assert grip.faults() == []
    assert list(wrong(grip)) == []
    grip.threerc("maintenance", "ph2", "--end")


def test_what_was_expected_and_did_not_happen_is_said(grip: Grip) -> None:
    expect = {"violations": ["two-copies"]}
    calm = scenario(duration="1s", expect=expect)
    found = scenarios.play(grip, calm, lambda _: None)
    assert found.unmet == ("two-copies was expected, but did not happen",)


@pytest.fixture(scope="module")
def down(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grip]:
    """A site whose machine vm1 does not run."""
    folder = tmp_path_factory.mktemp("down")
    with without_machines.running(folder, "fast", vms=("vm1",)) as testbed:
        yield Grip(testbed)


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"off": ["vm1"]}, "off: all machines here have run before"),
        ({"controllers": {"one": {"ahead": 60}}}, "controllers: they begin here as"),
        ({"state": {"vm1": "ph1 2008-12-14/04:00:00 2"}}, "state: what controllers remember"),
        ({"loads": {"ph1": 12}}, "loads: all hosts here have"),
        ({"locks": True}, "locks: "),
        ({"expect": {"vms": {"vm7": {"state": "up"}}}}, "expect: vm7 is none of the site"),
        ({"expect": {"violations": ["no-reason"]}}, "expect: nobody here would see `no-reason`"),
        ({"operator": [{"at": "+1s", "do": "pause", "of": ["vm7"]}]}, "operator: vm7 is none of"),
        ({"faults": [{"at": "+1s", "fault": "poweroff", "of": ["vm7"]}]}, "faults: vm7 is none of"),
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
    down: Grip, entries: dict[str, Any], said: str
) -> None:
    first = {"at": "+0s", "fault": "dns"}
    entries = entries | {"faults": [first, *entries.get("faults", [])]}
    before = down.events()
    with pytest.raises(TestbedError, match=said):
        scenarios.play(down, scenario(**entries), lambda _: None)
    assert [e for e in down.events()[len(before) :] if e.kind is Kind.FAULT] == []


def test_nothing_is_done_before_all_is_up(grip: Grip, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host here; of machines the same is asked."""
    deaf = crashes.find_fault(grip, "ph1", "gmond")
    crashes.begin(grip, deaf, "ph1", {})
    until(lambda: not is_up(grip, "ph1"), "the controllers miss ph1")
    monkeypatch.setattr(crashes, "UP_SECONDS", 1.0)
    before = grip.events()
    with pytest.raises(TestbedError, match="do not hear ph1"):
        scenarios.play(grip, scenario(faults=[{"at": "+0s", "fault": "dns"}]), lambda _: None)
    assert [e for e in grip.events()[len(before) :] if e.kind is Kind.FAULT] == []
    crashes.heal(grip, deaf, "ph1", {})
    until(lambda: is_up(grip, "ph1"), "the controllers hear ph1")


def is_up(grip: Grip, host: str) -> bool:
    return bool(grip.status()["physical_hosts"][host]["up"])


def until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < end, f"in vain: {what}"
        time.sleep(1)


def typed(grip: Grip, *words: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("3rc")), "testbed", *words]
    state = grip.testbed.run.folder.parents[2]
    return subprocess.run(
        [*command, "--run", grip.testbed.run.id],
        env={**os.environ, "XDG_STATE_HOME": str(state)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_crash_and_its_healing_as_they_are_typed(grip: Grip) -> None:
    """What was not struck is healed too, to be sure, and is no event."""
    struck = typed(grip, "crash", "ph1", "gmond", "--json")
    assert struck.returncode == 0
    told = json.loads(struck.stdout)
    assert told.pop("time") == pytest.approx(grip.own_events()[-1].time, abs=0.01)
    assert told == {"of": "ph1", "fault": "gmond", "undo": "3rc testbed heal ph1 gmond"}
    assert struck.stderr.endswith(" ph1: gmond; undo it by `3rc testbed heal ph1 gmond`\n")
    assert grip.faults() == [("ph1", "gmond")]
    healed = typed(grip, "heal", "ph1", "gmond")
    assert (healed.returncode, healed.stdout, healed.stderr) == (0, "", "")
    assert grip.faults() == []

    before = grip.own_events()
    again = typed(grip, "heal", "ph1", "gmond")
    assert again.returncode == 0
    assert "ph1: gmond has not struck, or was healed before; it is healed anyway" in again.stderr
    assert [e for e in grip.own_events()[len(before) :] if "fault" in e.detail] == []


def test_of_what_is_over_at_once_there_is_nothing_to_heal(grip: Grip) -> None:
    struck = typed(grip, "crash", "one", "collector-restart", "--set", "nothing=1")
    assert "takes none" in struck.stderr
    struck = typed(grip, "crash", "one", "collector-restart", "--json")
    assert json.loads(struck.stdout)["undo"] is None
    assert struck.stderr.endswith(" one: collector-restart\n")
    healed = typed(grip, "heal", "one", "collector-restart")
    assert healed.returncode == 0
    assert healed.stderr.endswith("one: there is nothing to heal of collector-restart\n")
