"""What operators say, and what the next ticks make of it."""

from __future__ import annotations

import pytest

from tests.runtime.tiny_world import TinyHost, TinyHypervisor, TinyWorld, config
from threerc.runtime import operators
from threerc.runtime.brake import Braked
from threerc.runtime.controller import tick
from threerc.runtime.errors import Unreachable
from threerc.runtime.memory import Memory
from threerc.runtime.records import Record
from threerc.runtime.round import Report
from threerc.runtime.status import status, status_lines, story, story_lines, word_lines
from threerc.runtime.view import View

SITE = config()


@pytest.fixture
def world() -> TinyWorld:
    hosts = {name: TinyHost() for name in ("alfa01", "alfa02", "alfa03")}
    hosts["alfa01"].running = {"gridce"}
    hosts["alfa02"].running = {"other"}
    return TinyWorld(hosts)


def reasons(report: Report) -> dict[str, str]:
    return {case.vm: case.reason for case in report.cases}


def test_a_paused_vm_is_left_alone_until_it_is_resumed(world: TinyWorld) -> None:
    said = operators.pause(world.store, SITE, "gridce", "kernel upgrade")
    assert said == "gridce is left alone until `3rc resume`"
    world.silent["gridce"] = 500.0
    report = tick(world, SITE, "bibe")
    assert reasons(report) == {"gridce": "paused by an operator: kernel upgrade"}
    assert report.cases[0].lines(world.time, world.zone) == []
    assert operators.resume(world.store, SITE, "gridce") == "gridce is cared for again"
    assert tick(world, SITE, "bibe").cases[0].step == "RESTART"
    assert operators.resume(world.store, SITE, "gridce") == "gridce is cared for already"


def test_all_may_be_paused(world: TinyWorld) -> None:
    operators.pause(world.store, SITE, None, "")
    world.silent |= {"gridce": 500.0, "other": 500.0}
    report = tick(world, SITE, "bibe")
    assert reasons(report) == dict.fromkeys(("gridce", "other"), "paused by an operator")
    assert operators.resume(world.store, SITE, None) == "all virtual machines are cared for again"


def test_a_host_in_maintenance_gets_nothing(world: TinyWorld) -> None:
    operators.maintain(world.store, SITE, "alfa01", drain=False)
    world.silent["gridce"] = 500.0
    tick(world, SITE, "bibe")
    assert world.hosts["alfa03"].running == {"gridce"}
    assert world.hosts["alfa01"].running == set()
    said = operators.end_maintenance(world.store, SITE, "alfa01")
    assert said == "alfa01 may get VMs again"
    assert operators.end_maintenance(world.store, SITE, "alfa01") == (
        "alfa01 was not in maintenance"
    )


def test_draining_moves_running_vms_and_remembers_where(world: TinyWorld) -> None:
    operators.maintain(world.store, SITE, "alfa01", drain=True)
    report = tick(world, SITE, "bibe")
    assert world.hosts["alfa03"].running == {"gridce"}
    assert [event["reason"] for event in report.events] == ["moved from alfa01 to alfa03, running"]
    assert (
        world.store.published(
            "gridce",
        )
        == "alfa03 1970-01-01/00:00:00 0"
    )
    world.silent["gridce"] = 500.0
    world.time += 60
    case = tick(world, SITE, "bussolo").cases[0]
    assert (case.before.host, case.to) == ("alfa03", "alfa03")


def test_a_vm_that_was_left_to_a_human_is_taken_up_again(world: TinyWorld) -> None:
    why = "left to a human (3rc resume): it failed 5 times"
    left = Record(host="alfa01", left=why, strain=5, strained=world.time)
    world.store.put("vm/gridce", left.dump(), 0)
    world.silent["gridce"] = 500.0
    assert reasons(tick(world, SITE, "bibe"))["gridce"] == why
    operators.resume(world.store, SITE, "gridce")
    assert tick(world, SITE, "bibe").cases[0].step == "RESTART"


def test_the_brake_is_released(world: TinyWorld) -> None:
    assert operators.release(world.store) == "the brake is not on"
    site = config(brake={"share": 0.2, "within": 180})
    world.silent |= {"gridce": 100.0, "other": 100.0}
    report = tick(world, site, "bibe")
    assert report.standstill.startswith("2 of 5 hosts went silent within 180 s")
    assert all("stands still" in reason for reason in reasons(report).values())
    assert Braked.model_validate(world.store.get("brake").value).hosts == (  # type: ignore[union-attr]
        "gridce",
        "other",
    )
    assert operators.release(world.store) == "released: 2 silent hosts are cared for"
    assert operators.release(world.store) == "the brake is released already"
    report = tick(world, site, "bussolo")
    assert {case.step for case in report.cases} == {"RESTART"}
    world.silent = {}
    tick(world, site, "bibe")
    assert world.store.get("brake") is None


def test_a_death_that_cannot_be_confirmed_is_none(world: TinyWorld) -> None:
    monitors = {"cluster": "tiny", "poll_interval": 15, "probe": "ping"}
    world.silent["gridce"] = 500.0
    world.mute = True
    report = tick(world, config(monitors=monitors), "bibe")
    assert reasons(report) == {"gridce": "it cannot be asked whether it is dead: no route"}
    world.mute = False
    world.unasked = frozenset({"gridce"})
    report = tick(world, config(monitors=monitors), "bibe")
    assert reasons(report) == {"gridce": "it cannot be asked whether it is dead: no such name"}
    world.unasked = frozenset({"other"})
    assert tick(world, config(monitors=monitors), "bibe").cases[0].step == "RESTART"


@pytest.mark.parametrize("name", ["nobody", "alfa01", "*", "../x"])
def test_nobody_is_paused_who_does_not_exist(world: TinyWorld, name: str) -> None:
    with pytest.raises(operators.Unknown, match="no virtual machine"):
        operators.pause(world.store, SITE, name, "")


def test_no_host_is_maintained_that_does_not_exist(world: TinyWorld) -> None:
    with pytest.raises(operators.Unknown, match="no physical host"):
        operators.maintain(world.store, SITE, "gridce", drain=True)


def test_status_and_story(world: TinyWorld) -> None:
    world.silent["gridce"] = 500.0
    world.loads["alfa01"] = 12.5
    operators.maintain(world.store, SITE, "alfa02", drain=False)
    operators.pause(world.store, SITE, "other", "mine")
    tick(world, SITE, "bibe")
    for minute in range(1, 3):
        world.time += 60 * minute
        tick(world, SITE, "bussolo")
    memory = Memory(world.store, world.zone, "bibe", world.time)
    memory.load()
    lines = status_lines(status(View(SITE, memory, world.observe(), world.time)), world.zone)
    assert lines == [
        "tiny: data of tiny, 0 s old",
        "",
        "PH alfa01          up   load  12.50 of 10        0 VMs",
        "PH alfa02          up   load   0.10 of 10         1 VM  in maintenance (yes)",
        "PH alfa03          up   load   0.10 of 10         1 VM",
        "",
        (
            "VM gridce          DOWN on alfa03          restarted 1970-01-12/13:46:40; "
            "restarted 60 s ago; waits 140 s more (said 1970-01-12/13:47:40)"
        ),
        "VM other           up   on alfa02          paused: mine",
    ]
    told = story_lines(story("gridce", world.store.events()), world.zone)
    assert told[:3] == [
        "1970-01-12/13:46:40 bibe: RESTART on alfa03, from alfa01: down",
        "    alfa01 was not taken: load 12.50 above MAXL 10",
        "    alfa02 was not taken: in maintenance",
    ]
    assert told[3:] == ["1970-01-12/13:47:40 bussolo: restarted 60 s ago; waits 140 s more"]
    assert word_lines(world.store, "other") == ["now: paused: mine"]
    assert word_lines(world.store, "gridce", world.zone) == [
        (
            "now: restarted 60 s ago; waits 140 s more; so since 1970-01-12/13:47:40, "
            "bussolo looked last at 1970-01-12/13:49:40"
        )
    ]


def test_a_dry_run_says_what_would_be_done(world: TinyWorld) -> None:
    assert tick(world, SITE, "bibe", act=False).lines() == ["nothing is down"]
    world.silent["gridce"] = 500.0
    report = tick(world, SITE, "bibe", act=False)
    assert report.lines("would ") == ["gridce: would RESTART on alfa01: down"]
    assert world.hosts["alfa01"].running == {"gridce"}
    assert world.store.list("vm/") == {}


def test_a_standstill_is_part_of_everybody_s_story(world: TinyWorld) -> None:
    world.store.log([], [{"time": 5.0, "controller": "bibe", "kind": "standstill", "reason": "x"}])
    assert story_lines(story("gridce", world.store.events()), world.zone) == [
        "1970-01-01/00:00:05 bibe: x"
    ]


def test_who_resumes_hears_what_stays_paused(world: TinyWorld) -> None:
    store = world.store
    operators.pause(store, SITE, "gridce", "")
    operators.pause(store, SITE, None, "")
    said = "gridce is paused with all others until `3rc resume`"
    assert operators.resume(store, SITE, "gridce") == said
    operators.pause(store, SITE, "gridce", "")
    said = "all virtual machines are cared for again, but not gridce: paused by name"
    assert operators.resume(store, SITE, None) == said
    assert operators.resume(store, SITE, "gridce") == "gridce is cared for again"


@pytest.mark.parametrize("hosts", [["alfa01"], ["alfa01", "alfa02", "alfa03"]])
def test_a_reason_has_the_words_of_a_host_that_cannot_be_asked(
    world: TinyWorld, monkeypatch: pytest.MonkeyPatch, hosts: list[str]
) -> None:
    """A key that cannot be read must not look as if the hosts were dead."""
    running = TinyHypervisor.running

    def asked(hypervisor: TinyHypervisor) -> frozenset[str]:
        if hypervisor.host in [world.hosts[name] for name in hosts]:
            raise Unreachable("alfa01: root@alfa01: Permission denied (publickey)")
        return running(hypervisor)

    monkeypatch.setattr(TinyHypervisor, "running", asked)
    world.silent["gridce"] = 500.0
    report = tick(world, SITE, "bibe")
    assert "alfa01: root@alfa01: Permission denied (publickey)" in reasons(report)["gridce"]
