"""What is kept of VMs that are up or were installed: boot links, and where each of them is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any

import pytest

from tests.runtime.tiny_world import START, TinyHost, TinyHypervisor, TinyWorld, config
from threerc.runtime.controller import tick
from threerc.runtime.errors import MonitorLost, Refused, Unreachable
from threerc.runtime.memory import Memory, say_so
from threerc.runtime.observation import Observation
from threerc.runtime.operators import maintain
from threerc.runtime.records import MIGRATE, Intent, Record, State
from threerc.runtime.simulation.store import MemoryStore
from threerc.runtime.survey import Survey
from threerc.runtime.upkeep import _where
from threerc.runtime.world import Job, Leave


@dataclass
class Watched(TinyWorld):
    """A world that writes down in which order what is done, and may be blind or late."""

    done: list[str] = field(default_factory=list)
    blind: bool = False
    deaf: bool = False
    late: bool = False

    def observe(self) -> Observation:
        """Nothing, if it is blind."""
        if self.blind:
            raise MonitorLost("all are dead")
        return super().observe()

    def hypervisor(self, host: str, leave: Leave | None = None) -> TinyHypervisor:
        """With a note of it, where something is to be done."""
        self.done += [host] if leave is not None else []
        return super().hypervisor(host, leave)

    def booted(self, vm: str) -> str | None:
        """With a note of it; the TFTP server may be deaf."""
        self.done.append(f"booted {vm}")
        if self.deaf:
            raise Unreachable("tftp: no answer within 5 s")
        return super().booted(vm)

    def boot(self, vm: str, target: str, leave: Leave | None = None) -> None:
        """With a note of it."""
        self.done.append(f"boot {vm} {target}")
        super().boot(vm, target, leave)

    def together(
        self, jobs: Mapping[str, Job], seconds: float, hosts: Mapping[str, str] | None = None
    ) -> Mapping[str, Any]:
        """Where it is late, what may take a minute takes longer."""
        if self.late and seconds == 60:
            return {name: Unreachable("not done within 60 s") for name in jobs}
        return super().together(jobs, seconds, hosts)


def installed(since: float, **more: Any) -> Watched:
    """A site in which gridce was reinstalled so many seconds ago, and is still down."""
    hosts = {name: TinyHost() for name in ("alfa01", "alfa02", "alfa03")}
    world = Watched(hosts, store=MemoryStore())
    world.hosts["alfa02"].running = {"other"}
    at = START - since
    record = Record(host="alfa01", state=State.REINSTALLED, tries=1, done=1, last=at, link=at)
    world.store.put("vm/gridce", record.model_copy(update=more).dump(), 0)
    for me in ("bibe", "bussolo"):
        memory = Memory(world.store, UTC, me, START - 60)
        memory.load()
        memory.note(())
    world.links["gridce"] = "sl4"
    world.silent["gridce"] = 100.0
    return world


def record(world: TinyWorld, vm: str = "gridce") -> Record:
    found = world.store.get(f"vm/{vm}")
    assert found is not None
    return Record.load(found.value)


@pytest.mark.parametrize(("since", "word", "back"), [(130, 0, 1), (60, 0, 0), (60, 1, 1)])
def test_a_link_goes_back_by_its_deadline_or_word_also_while_no_monitor_answers(
    since: float, word: bool, back: bool
) -> None:
    for blind in (True, False):
        world = installed(since)
        world.blind = blind
        if word:
            say_so(world.store, "installed", "gridce", {})
        report = tick(world, config(), "bibe")
        assert (world.links["gridce"] == "local") is bool(back)
        assert (record(world).link is None) is bool(back)
        assert world.store.get("installed/gridce") is None
        assert ("all are dead" in report.standstill) is blind


def test_without_act_no_link_goes_back() -> None:
    world = installed(130)
    world.blind = True
    tick(world, config(), "bibe", act=False)
    assert world.links["gridce"] == "sl4"


def test_links_go_back_after_what_was_done_for_those_that_are_down() -> None:
    world = installed(130)
    world.deaf = True
    world.silent["other"] = 100.0
    report = tick(world, config(), "bibe")
    assert "alfa02" in world.done
    assert world.done[-1] == "booted gridce"
    assert world.done.count("booted gridce") == 1
    reasons = [str(event["reason"]) for event in report.events]
    assert "its boot link may still say install: tftp: no answer within 5 s" in reasons


def test_a_vm_is_not_installed_again_because_its_link_is_still_to_go_back() -> None:
    """It is restarted in the very tick in which the link is due."""
    world = installed(4000)
    tick(world, config(), "bibe")
    assert world.done.index("boot gridce local") < world.done.index("alfa01")
    assert world.copies("gridce") == 1


def test_the_link_that_somebody_else_has_switched_is_left_alone() -> None:
    world = installed(4000)
    world.links["gridce"] = "rescue"
    tick(world, config(), "bibe")
    assert world.copies("gridce") == 1
    assert world.links["gridce"] == "rescue"


def test_an_installation_that_begins_forgets_the_word_of_the_one_before() -> None:
    steps = {"reboot": 0, "restart": 0, "reinstall": 1}
    site = config(recovery=config().recovery.model_dump() | {"steps": steps})
    world = installed(4000)
    say_so(world.store, "installed", "gridce", {})
    tick(world, site, "bibe")
    assert (world.links["gridce"], record(world).link) == ("sl4", START)
    assert world.store.get("installed/gridce") is None
    world.time += 60
    tick(world, site, "bussolo")
    assert world.links["gridce"] == "sl4"


YES, NO, NOBODY = True, False, None


@pytest.mark.parametrize(
    ("step", "age", "here", "there", "host"),
    [
        ("RESTART", 60, NO, YES, "alfa02"),
        ("RESTART", 60, NOBODY, YES, "alfa02"),
        ("RESTART", 60, YES, NO, "alfa01"),
        ("RESTART", 60, YES, NOBODY, "alfa01"),
        ("RESTART", 60, NO, NO, None),
        ("RESTART", 60, NO, NOBODY, None),
        (MIGRATE, 60, NO, YES, "alfa02"),
        (MIGRATE, 60, YES, YES, None),  # it is on its way
        (MIGRATE, 60, YES, NO, None),  # it may set out yet
        (MIGRATE, 60, NOBODY, YES, None),  # there it may be a copy that only arrives
        (MIGRATE, 3601, YES, YES, None),
        (MIGRATE, 3601, YES, NO, "alfa01"),
        (MIGRATE, 3601, YES, NOBODY, None),
        (MIGRATE, 3601, NO, NO, None),
        (MIGRATE, 3601, NO, NOBODY, None),
    ],
)
def test_where_a_vm_is_whose_action_nobody_saw_the_end_of(
    step: str, age: float, here: bool | None, there: bool | None, host: str | None
) -> None:
    intent = Intent(step=step, to="alfa02", by="bibe", since=START - age)
    survey = Survey()
    for name, runs in (("alfa01", here), ("alfa02", there)):
        if runs is not None:
            survey.running[name] = frozenset({"gridce"} if runs else ())
    assert _where("gridce", Record(host="alfa01", intent=intent), survey, START) == host


def draining() -> tuple[Watched, str]:
    """A site in which gridce is moved off alfa01, for longer than a tick; and to where."""
    world = Watched({name: TinyHost() for name in ("alfa01", "alfa02", "alfa03")}, late=True)
    world.hosts["alfa01"].running = {"gridce"}
    world.hosts["alfa02"].running = {"other"}
    maintain(world.store, config(), "alfa01", drain=True)
    tick(world, config(), "bibe")
    intent = record(world).intent
    assert intent is not None
    return world, intent.to


def later(world: TinyWorld, minutes: int) -> None:
    for minute in range(minutes):
        world.time += 60
        tick(world, config(), ("bussolo", "bibe")[minute % 2])


def test_a_migration_that_takes_long_is_written_down_when_it_is_over() -> None:
    world, to = draining()
    world.hosts[to].running.add("gridce")  # libvirt lists what arrives, too
    later(world, 5)
    assert record(world).host == "alfa01"
    world.hosts["alfa01"].running = set()
    later(world, 1)
    assert (record(world).host, record(world).intent) == (to, None)


def test_a_migration_that_fails_after_long_leaves_the_vm_where_it_was() -> None:
    world, to = draining()
    world.hosts[to].running.add("gridce")
    later(world, 5)
    world.hosts[to].running.discard("gridce")
    later(world, 62)
    assert (record(world).host, record(world).intent) != ("alfa01", None)  # it goes again
    assert world.hosts["alfa01"].running == {"gridce"}
    world.late = False
    later(world, 62)
    assert record(world).intent is None
    assert world.copies("gridce") == 1
    assert "gridce" in world.hosts[record(world).host].running


def test_a_migration_that_is_refused_is_tried_again_soon(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise Refused("no room")

    world, _ = draining()
    world.store.delete("vm/gridce", 1)
    world.late = False
    monkeypatch.setattr(TinyHypervisor, "migrate", refuse)
    later(world, 1)
    assert record(world).intent is None
    monkeypatch.undo()
    later(world, 1)
    assert record(world).host != "alfa01"


def test_a_vm_that_is_up_again_where_nobody_started_it_is_looked_for() -> None:
    """The start on alfa03 was refused, and the old copy on alfa01 is back with its network."""
    world = Watched({name: TinyHost() for name in ("alfa01", "alfa02", "alfa03")})
    world.hosts["alfa01"].running = {"gridce"}
    world.store.put("vm/gridce", Record(host="alfa03", done=1, last=START - 300).dump(), 0)
    tick(world, config(), "bibe")
    assert record(world).host == "alfa01"
    world.hosts["alfa03"].running = {"gridce"}
    later(world, 1)
    assert record(world).host == "alfa01"


@pytest.mark.parametrize("age", [10, 119, 121, 3600])
def test_the_record_of_a_vm_on_which_somebody_acts_is_left_alone(age: float) -> None:
    """It was heard at the last moment: to write so would stop the other one after its kill.

    Who looks for the first time cannot know how old it is: the other's clock may be behind.
    """
    intent = Intent(step="RESTART", to="alfa01", by="bussolo", since=START - age)
    world = installed(age, link=None, state=State.RESTARTED, intent=intent)
    world.silent["gridce"] = 1.0
    world.hosts["alfa01"].running = {"gridce"}
    before = world.store.get("vm/gridce")
    for _ in range(2):
        tick(world, config(), "bibe")
        assert world.store.get("vm/gridce") == before
        world.time += 60
    later(world, 3)
    assert record(world).intent is None
