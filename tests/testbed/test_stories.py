from __future__ import annotations

import pytest

from tests.compiler.support import ROOT
from threerc.runtime.simulation.outcome import Outcome
from threerc.runtime.simulation.run import run_scenario
from threerc.runtime.simulation.scenario import Expected, ExpectedVm
from threerc.testbed.events import Event, Kind
from threerc.testbed.splitting import decision
from threerc.testbed.stories import Story, beside, differences, real, simulated, unmet

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
        Event(BEGIN + 580.1, Kind.STOPPED, "gridce", {"host": "alfa01"}),
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


def told(*events: Event) -> list[tuple[float, str]]:
    found = real(events, {"gridce": "alfa01"}, BEGIN, BEGIN + 1800)["gridce"].told
    return [(at, what) for at, what in found if what in {"down", "up"}]


def at(seconds: float, kind: Kind, of: str = "gridce", **detail: str) -> Event:
    return Event(BEGIN + seconds, kind, of, detail)


@pytest.mark.parametrize("fault", ["freeze", "overload", "network"])
def test_what_passes_before_anything_is_done(fault: str) -> None:
    seen = (at(10, Kind.FAULT, fault=fault), at(30, Kind.HEAL, fault=fault))
    assert told(*seen) == [(10, "down"), (30, "up")]


def test_a_new_start_ends_what_does_not_last() -> None:
    struck = at(10, Kind.FAULT, fault="freeze"), at(50, Kind.STOPPED, host="alfa01")
    anew = at(51, Kind.STARTED, host="alfa02"), at(80, Kind.BOOTED)
    assert told(*struck, *anew, at(90, Kind.HEAL, fault="freeze")) == [(10, "down"), (80, "up")]


def test_the_end_of_an_older_copy_is_not_the_machines_end() -> None:
    found = told(
        at(10, Kind.FAULT, "alfa01", fault="hang"),
        at(60, Kind.STARTED, host="alfa02"),
        at(90, Kind.BOOTED),
        at(230, Kind.STOPPED, host="alfa01"),
        at(240, Kind.HEAL, "alfa01", fault="hang"),
    )
    assert found == [(10, "down"), (90, "up")]
    moved = at(20, Kind.STARTED, host="alfa02"), at(21, Kind.STOPPED, host="alfa01")
    assert told(*moved, at(70, Kind.STOPPED, host="alfa02")) == [(70, "down")]


def test_who_is_switched_off_is_off_as_simulated() -> None:
    halted, killed = at(10, Kind.FAULT, fault="halt"), at(10, Kind.STOPPED, host="alfa01")
    moved = at(60, Kind.STARTED, host="alfa02")
    lost = (
        at(20, Kind.FAULT, "alfa01", what="power off"),
        at(20, Kind.FAULT, "alfa01", fault="power"),
    )
    for seen, state in [
        ((halted,), "down"),
        ((killed,), "off"),
        ((killed, moved), "down"),
        (lost, "off"),
    ]:
        assert real(seen, {"gridce": "alfa01"}, BEGIN, BEGIN + 1800)["gridce"].state == state


def test_what_is_expected_is_judged_by_what_was_real() -> None:
    (theirs,) = real(events(), {"gridce": "alfa01"}, BEGIN, BEGIN + 1800).values()
    met = {"host": "alfa04", "state": "up", "moves": 1, "down": "380s"}
    assert unmet(Expected(vms={"gridce": ExpectedVm(**met)}), {"gridce": theirs}) == []
    other = {"host": "alfa01", "state": "off", "moves": 0, "down": "379s"}
    assert unmet(Expected(vms={"gridce": ExpectedVm(**other)}), {"gridce": theirs}) == [
        "gridce: host is alfa04, not alfa01",
        "gridce: state is up, not off",
        "gridce: moves is 1, not 0",
        "gridce: down is 380.0, not 379.0",
    ]


@pytest.mark.parametrize("kind", ["two-copies", "two-copies-by-policy"])
def test_two_copies_are_wrong_unless_they_are_expected(kind: str) -> None:
    one, two = {"gridce": Story()}, {"gridce": Story(copies=2)}
    assert unmet(Expected(), one) == []
    assert unmet(Expected(), two) == ["two-copies: gridce ran on two hosts at once"]
    assert unmet(Expected(violations=(kind,)), two) == []
    assert unmet(Expected(violations=(kind,)), one) == [f"{kind} was expected, but did not happen"]


def test_a_dead_cable_outlives_a_start() -> None:
    struck = at(10, Kind.FAULT, fault="network"), at(50, Kind.STOPPED, host="alfa01")
    anew = at(51, Kind.STARTED, host="alfa01"), at(80, Kind.BOOTED)
    assert told(*struck, *anew, at(90, Kind.HEAL, fault="network")) == [(10, "down"), (90, "up")]


@pytest.mark.parametrize("fault", ["power", "hang", "network"])
def test_a_host_takes_its_machines_along_and_no_others(fault: str) -> None:
    struck = (at(10, Kind.FAULT, "alfa01", fault=fault), at(12, Kind.FAULT, "alfa02", fault=fault))
    anew = at(60, Kind.STARTED, host="alfa03"), at(90, Kind.BOOTED)
    healed = (at(99, Kind.HEAL, "alfa01", fault=fault),)
    assert told(*struck, *anew, *healed) == [(10, "down"), (90, "up")]
    assert told(struck[1], *healed) == []


def test_what_no_user_notices() -> None:
    assert told(at(10, Kind.FAULT, fault="gmond"), at(5, Kind.FAULT, "alfa01", fault="ssh")) == []
    assert told(at(10, Kind.FAULT, fault="install-fails")) == []


def test_who_boots_at_an_address_of_former_times_is_not_up() -> None:
    found = told(
        at(5, Kind.FAULT, "*", fault="dhcp", mode="stale"),
        at(10, Kind.STOPPED, host="alfa01"),
        at(60, Kind.BOOTED),
        at(100, Kind.HEAL, "*", fault="dhcp"),
        at(120, Kind.STOPPED, host="alfa01"),
        at(160, Kind.BOOTED),
    )
    assert found == [(10, "down"), (160, "up")]
    dead = (
        at(5, Kind.FAULT, "*", fault="dhcp"),
        at(10, Kind.STOPPED, host="alfa01"),
        at(60, Kind.BOOTED),
    )
    assert told(*dead) == [(10, "down"), (60, "up")]
