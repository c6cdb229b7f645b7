from __future__ import annotations

from tests.compiler.support import ROOT
from threerc.runtime.simulation.outcome import Outcome
from threerc.runtime.simulation.run import run_scenario
from threerc.testbed.events import Event, Kind
from threerc.testbed.splitting import decision
from threerc.testbed.stories import beside, differences, real, simulated

BEGIN = 5000.0


def night() -> Outcome:
    return run_scenario(ROOT / "tests/scenarios/gridce-2008-12-14")


def action(at: float, step: str, to: str) -> Event:
    event = {"time": BEGIN + at, "vm": "gridce", "kind": "action", "step": step, "to": to}
    return decision(event)


def events(*, host: str = "alfa04") -> list[Event]:
    return [
        Event(BEGIN - 100, Kind.STARTED, "gridce", {"host": "alfa02"}),
        Event(BEGIN + 580, Kind.FAULT, "gridce", {"fault": "poweroff"}),
        Event(BEGIN + 580.1, Kind.STOPPED, "gridce"),
        action(661, "REBOOT", "alfa01"),
        action(901, "RESTART", host),
        Event(BEGIN + 903, Kind.STARTED, "gridce", {"host": host}),
        Event(BEGIN + 960, Kind.BOOTED, "gridce"),
        Event(BEGIN + 970, Kind.BOOTED, "lcg"),
    ]


def test_the_same_story_twice() -> None:
    ours = simulated(night())
    theirs = real(events(), {"gridce": "alfa01"}, BEGIN, BEGIN + 1800)
    assert theirs["gridce"].down == 380
    both = {"gridce": ours["gridce"]}
    assert differences(both, theirs) == []
    assert beside(both, theirs) == [
        "gridce      simulated                                   real",
        "            +09:40 down                                 +09:40 down",
        "            +11:01 REBOOT on alfa01                     +11:01 REBOOT on alfa01",
        "            +15:01 RESTART on alfa04                    +15:01 RESTART on alfa04",
        "            +18:15 up                                   +16:00 up",
        "            up on alfa04, away 515 s                    up on alfa04, away 380 s",
    ]


def test_what_went_otherwise_is_told() -> None:
    ours = {"gridce": simulated(night())["gridce"]}
    theirs = real(events(host="alfa02")[:-2], {"gridce": "alfa01"}, BEGIN, BEGIN + 1800)
    assert differences(ours, theirs) == [
        (
            "gridce: steps: simulated REBOOT on alfa01, RESTART on alfa04, "
            "real REBOOT on alfa01, RESTART on alfa02"
        ),
        "gridce: host: simulated alfa04, real alfa02",
        "gridce: state: simulated up, real down",
    ]
    lines = beside(ours, theirs)
    assert "            +15:01 RESTART on alfa04" in lines
    assert "            " + " " * 44 + "+15:01 RESTART on alfa02" in lines
    assert lines[-1].endswith("down on alfa02, away 1220 s")
