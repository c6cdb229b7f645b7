"""A record that cannot be read: its VM stands still, loudly, and all others go on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.tiny_world import START, TinyHost, TinyWorld, config, seen_well
from threerc.runtime import operators
from threerc.runtime.config import ControllerConfig
from threerc.runtime.controller import tick
from threerc.runtime.daemon import measured_tick
from threerc.runtime.errors import Conflict, StoreLost, Unwritable
from threerc.runtime.memory import Memory
from threerc.runtime.metrics import Figures
from threerc.runtime.records import Intent, Record
from threerc.runtime.simulation.store import MemoryStore
from threerc.runtime.status import status, status_lines, word_lines
from threerc.runtime.stores.directory import DirectoryStore
from threerc.runtime.view import View
from threerc.runtime.world import Leave, Versioned

SITE = config()
NEWER = {"host": "alfa01", "up": 0.0, "moods": ["good"]}
"""What another version of 3RC may write."""


class Tearing(MemoryStore):
    """Some of its keys are torn."""

    def __init__(self) -> None:
        super().__init__()
        self.torn: set[str] = set()

    def get(self, key: str) -> Versioned | None:
        """As ever, or torn."""
        found = super().get(key)
        return self._torn(found) if found and key in self.torn else found

    def list(self, prefix: str) -> Mapping[str, Versioned]:
        """As ever, but some are torn."""
        listed = super().list(prefix)
        return {key: self._torn(it) if key in self.torn else it for key, it in listed.items()}

    def put(self, key: str, value: Mapping[str, Any], expect: int) -> int:
        """As ever; what is written anew is whole."""
        self.torn.discard(key)
        return super().put(key, value, expect)

    @staticmethod
    def _torn(found: Versioned) -> Versioned:
        return replace(found, value={"text": '{"host": "al'}, damage="it is no JSON object")


def world() -> TinyWorld:
    """Both VMs run at home, and both are remembered."""
    hosts = {name: TinyHost() for name in ("alfa01", "alfa02", "alfa03")}
    hosts["alfa01"].running = {"gridce"}
    hosts["alfa02"].running = {"other"}
    store = Tearing()
    for key, found in seen_well("bibe", "bussolo").list("seen/").items():
        store.put(key, found.value, 0)
    return TinyWorld(hosts, store=store)


def remember(world: TinyWorld, vm: str, record: Record, torn: bool = True) -> None:
    memory = Memory(world.store, world.zone, "bibe", world.time)
    memory.load()
    memory.save(vm, record)
    if torn:
        tear(world, f"vm/{vm}")


def tear(world: TinyWorld, key: str) -> None:
    assert isinstance(world.store, Tearing)
    world.store.torn.add(key)


def damaged(how: str) -> TinyWorld:
    """A site in which gridce's record is torn, or of a newer version."""
    site = world()
    if how == "torn":
        remember(site, "gridce", Record(host="alfa01", up=0.0))
    else:
        site.store.put("vm/gridce", NEWER, 0)
    return site


@pytest.mark.parametrize("how", ["torn", "newer"])
def test_its_vm_stands_still_and_all_others_are_brought_back(how: str) -> None:
    site = damaged(how)
    site.silent |= {"gridce": 500.0, "other": 500.0}
    site.hosts["alfa01"].running.clear()
    site.hosts["alfa02"].running.clear()
    for _ in range(20):
        report = tick(site, SITE, "bibe")
        site.time += 60
    assert (site.copies("gridce"), site.copies("other")) == (0, 1)
    (case,) = (case for case in report.cases if case.vm == "gridce")
    assert case.reason.startswith("its record vm/gridce cannot be read (")
    assert "`3rc resume gridce` writes it anew" in case.reason


@pytest.mark.parametrize("how", ["torn", "newer"])
@pytest.mark.parametrize("silent", [True, False])
def test_people_hear_of_it_also_while_the_vm_is_up(how: str, silent: bool) -> None:
    site = damaged(how)
    if silent:
        site.silent["gridce"] = 500.0
    tick(site, SITE, "bibe")
    (told,) = site.told
    assert (told["kind"], told["vm"]) == ("standstill", "gridce")
    assert told["reason"].startswith("its record vm/gridce cannot be read (")
    (now,) = word_lines(site.store, "gridce", site.zone)
    assert now.startswith("now: its record vm/gridce cannot be read")
    assert word_lines(site.store, "other", site.zone) == []


def test_status_and_metrics_have_it(tmp_path: Path) -> None:
    site = damaged("newer")
    path = tmp_path / "3rc.prom"
    measured_tick(site, config(metrics={"textfile": str(path)}), Figures("bibe"))
    text = path.read_text()
    assert 'threerc_vm_unreadable{controller="bibe",vm="gridce"} 1.0' in text
    assert 'threerc_vm_unreadable{controller="bibe",vm="other"} 0.0' in text
    assert 'threerc_vm_actions{controller="bibe",vm="gridce"}' not in text
    memory = Memory(site.store, site.zone, "bibe", site.time)
    memory.load()
    shown = status_lines(status(View(SITE, memory, site.observe(), site.time)), site.zone)
    (line,) = (line for line in shown if line.startswith("VM gridce"))
    assert "on alfa01" in line
    assert "its record vm/gridce cannot be read (moods: is no key that is known here)" in line


def powered(**more: Any) -> ControllerConfig:
    """A site whose hosts' power can be cut, and carry 100 each."""
    hosts = {
        f"alfa0{n}": {"maxl": 10, "hypervisor": "libvirt", "memory": 100} for n in (1, 2, 3)
    } | more.pop("physical_hosts", {})
    return config(physical_hosts=hosts, **more)


def test_it_counts_where_it_was_and_where_it_is_seen() -> None:
    """The line says alfa03, and alfa01 says that it runs there: neither has room for another."""
    sizes = {"gridce": 60, "other": 60}
    homes = {"gridce": "alfa01", "other": "alfa02"}
    vms = {vm: {"home": homes[vm], "memory": size} for vm, size in sizes.items()}
    site = world()
    remember(site, "gridce", Record(host="alfa03", up=0.0))
    site.silent["other"] = 500.0
    site.hosts["alfa02"].running.clear()
    site.loads["alfa02"] = 50.0
    (case,) = tick(site, powered(virtual_machines=vms), "bibe").cases
    assert case.step is None
    assert "alfa01 (40 MiB" not in case.reason  # bytes, told as MiB
    assert set(case.refused) == {"alfa01", "alfa02", "alfa03"}
    assert "of memory left" in case.refused["alfa01"]
    assert "of memory left" in case.refused["alfa03"]


def with_alfa01_lost() -> TinyWorld:
    """It does not answer, and its board would cut its power; `other` was on it, and is silent."""
    site = world()
    site.hosts["alfa01"].ssh = False
    site.hosts["alfa01"].power = "ok"
    remember(site, "other", Record(host="alfa01", up=0.0), torn=False)
    site.silent |= {"alfa01": 500.0, "other": 500.0}
    return site


def test_a_host_on_which_it_may_be_alive_is_not_fenced() -> None:
    """Its line says alfa03, which does not run it; alfa01 does not answer, and may."""
    site = with_alfa01_lost()
    remember(site, "gridce", Record(host="alfa03", up=0.0))
    (case, *_) = tick(site, SITE, "bibe").cases
    assert "gridce which may be on it, is alive: its power is not cut" in case.reason
    assert site.copies("gridce") == 1


def test_a_host_is_fenced_where_another_one_says_that_it_has_it() -> None:
    """Which has to be asked for that, though it is no host for the VM that is down."""
    peers = {"alfa01": "/dev/vg/other", "alfa02": "/dev/vg/other"}
    volumes = {"v": {"minor": 1, "port": 7789, "size": 1, "peers": peers}}
    vms = SITE.model_dump(mode="json")["virtual_machines"]
    vms["other"] |= {"volume": "v", "allowed": [*peers]}
    site = with_alfa01_lost()
    site.hosts["alfa01"].running.clear()
    site.hosts["alfa03"].running.add("gridce")
    remember(site, "gridce", Record(host="alfa01", up=0.0))
    (case, *_) = tick(site, config(volumes=volumes, virtual_machines=vms), "bibe").cases
    assert case.step == "RESTART"
    assert "the power of alfa01 was cut" in case.reason


def test_a_host_that_can_be_read_is_kept_though_the_rest_is_damaged() -> None:
    """`status` said that it was at home, and `resume` wrote that."""
    site = world()
    site.store.put("vm/gridce", {"host": "alfa02", "state": "zzz"}, 0)
    memory = Memory(site.store, site.zone, "bibe", site.time)
    memory.load()
    lines = status_lines(status(View(SITE, memory, site.observe(), site.time)), site.zone)
    assert any(line.startswith("VM gridce") and "on alfa02" in line for line in lines)
    said = operators.resume(site.store, SITE, "gridce")
    assert "is written anew, with alfa02 as its host" in said
    found = site.store.get("vm/gridce")
    assert found is not None
    record = found.read(Record)
    assert (record.host, record.behind) == ("alfa02", ("alfa01", "alfa03"))


def test_the_host_of_a_damaged_record_is_not_fenced_while_its_vm_is_alive() -> None:
    """Not even one on which the VM's volume does not belong: people heed no such list."""
    peers = {"alfa02": "/dev/vg/gridce", "alfa03": "/dev/vg/gridce"}
    volumes = {"v": {"minor": 1, "port": 7789, "size": 1, "peers": peers}}
    vms = SITE.model_dump(mode="json")["virtual_machines"]
    vms["gridce"] |= {"volume": "v", "home": "alfa02", "allowed": [*peers]}
    site = with_alfa01_lost()
    site.store.put("vm/gridce", {"host": "alfa01", "state": "zzz"}, 0)
    (case, *_) = tick(site, config(volumes=volumes, virtual_machines=vms), "bibe").cases
    assert "gridce on it is alive: its power is not cut" in case.reason
    assert site.copies("gridce") == 1


def test_a_host_is_not_fenced_while_somebody_may_be_starting_it_there() -> None:
    """Its record was written a moment ago; it may hold an intent, and who acts holds the record."""
    site = with_alfa01_lost()
    remember(site, "gridce", Record(host="alfa03", up=0.0))
    site.silent["gridce"] = 500.0

    def of_other() -> str:
        cases = {case.vm: case for case in tick(site, SITE, "bibe").cases}
        return cases["other"].reason

    assert "somebody may be starting gridce there, whose record cannot be read" in of_other()
    site.time += 120
    assert "somebody may be starting gridce there" in of_other()
    site.time += 60
    assert "the power of alfa01 was cut" in of_other()


def test_it_is_not_drained_and_its_second_copy_is_not_ended() -> None:
    site = world()
    site.store.put("vm/gridce", NEWER | {"behind": ["alfa03"]}, 0)
    site.hosts["alfa03"].running.add("gridce")
    operators.maintain(site.store, SITE, "alfa01", drain=True)
    report = tick(site, SITE, "bibe")
    assert site.copies("gridce") == 2
    said = [event["reason"] for event in report.events if event["kind"] == "note"]
    assert [reason[:52] for reason in said] == [
        "it stays on its host: its record vm/gridce cannot be",
    ]


def test_its_boot_link_goes_back_all_the_same() -> None:
    """Or it would install itself for ever; but not while somebody may just have switched it."""
    site = damaged("torn")
    site.silent["gridce"] = 500.0
    site.links["gridce"] = "sl4"
    tick(site, SITE, "bibe")
    site.time += 60
    tick(site, SITE, "bussolo")
    assert site.links["gridce"] == "sl4"
    site.time += 60
    report = tick(site, SITE, "bibe")
    assert site.links["gridce"] == "local"
    assert "its boot link says local again" in [event["reason"] for event in report.events]


def test_its_boot_link_is_left_to_who_has_just_switched_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other controller can read the record, and begins to install between two looks of ours."""
    site = damaged("newer")
    site.silent["gridce"] = 500.0
    site.links["gridce"] = "sl4"
    for _ in range(2):
        tick(site, SITE, "bibe")
        site.time += 60

    def boot(vm: str, target: str, leave: Leave | None = None) -> None:
        site.store.put("vm/gridce", {**NEWER, "done": 1}, 1)
        assert leave is not None
        leave()
        site.links[vm] = target

    monkeypatch.setattr(site, "boot", boot)
    tick(site, SITE, "bibe")
    assert site.links["gridce"] == "sl4"


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("paused/gridce", "paused, until `3rc resume`"),
        ("maintenance/alfa01", "in maintenance and not drained"),
        ("seen/bibe", "that controller counts as one that has not looked yet"),
        ("known", "who was ever up is learned anew"),
    ],
)
def test_what_else_is_damaged_counts_as_what_is_safe(key: str, said: str) -> None:
    site = world()
    tick(site, SITE, "bibe")
    found = site.store.get(key)
    site.store.put(key, {"drain": True}, found.version if found else 0)
    tear(site, key)
    site.silent |= {"gridce": 500.0, "other": 500.0}
    site.time += 60
    report = tick(site, SITE, "bussolo")
    assert f"{key} cannot be read (it is no JSON object): {said}" in str(report.events)
    where = {case.vm: case.to for case in report.cases if case.step}
    assert where["other"] == "alfa02"
    assert where.get("gridce") == {"paused/gridce": None, "maintenance/alfa01": "alfa02"}.get(
        key, "alfa01"
    )


def test_a_brake_that_cannot_be_read_stops_all_until_it_is_released() -> None:
    site = world()
    site.store.put("brake", {"since": "ever"}, 0)
    with pytest.raises(StoreLost, match=r"^brake is none of ours: .*: `3rc release`$"):
        tick(site, SITE, "bibe")
    said = operators.release(site.store)
    assert said == "the brake could not be read and is removed: the next tick judges anew"
    tick(site, SITE, "bibe")


def test_resume_writes_it_anew_and_keeps_what_was_there() -> None:
    site = world()
    site.hosts["alfa01"].running.clear()
    site.hosts["alfa03"].running.add("gridce")
    remember(site, "gridce", Record(host="alfa03", up=0.0))
    said = operators.resume(site.store, SITE, "gridce")
    assert said == (
        "gridce is cared for again: its record, which could not be read (it is no JSON object), is "
        "written anew, with alfa03 as its host; what was there is kept as aside/gridce of the "
        "shared state"
    )
    kept = site.store.get("aside/gridce")
    assert kept is not None
    assert kept.value["was"] == {"text": '{"host": "al'}
    site.silent["gridce"] = 500.0
    site.hosts["alfa03"].running.clear()
    site.time += 700
    tick(site, SITE, "bibe")
    site.time += 60
    (case,) = tick(site, SITE, "bussolo").cases
    assert (case.step, case.to) == ("RESTART", "alfa03")
    assert operators.resume(site.store, SITE, "gridce") == "gridce is cared for already"


def test_what_is_known_of_a_newer_record_is_kept() -> None:
    site = world()
    intent = Intent(step="RESTART", to="alfa02", by="bussolo", since=START)
    record = Record(host="alfa03", done=7, intent=intent, link=START)
    site.store.put("vm/gridce", record.dump() | {"moods": []}, 0)
    operators.resume(site.store, SITE, "gridce")
    found = site.store.get("vm/gridce")
    assert found is not None
    assert found.read(Record) == record


def test_after_a_resume_it_is_looked_for_wherever_it_may_be() -> None:
    """An intent may have been lost with the record: the second copy is seen, and ended."""
    site = damaged("torn")
    site.links["gridce"] = "sl4"
    site.hosts["alfa03"].running.add("gridce")
    operators.resume(site.store, SITE, "gridce")
    tick(site, SITE, "bibe")
    assert site.hosts["alfa01"].running == {"gridce"}
    assert site.copies("gridce") == 1
    assert site.links["gridce"] == "local"


def without_token(folder: Path) -> DirectoryStore:
    """A state directory of which gridce's record has lost the file that names its version."""
    store = DirectoryStore.create(folder)
    store.put("vm/gridce", Record(host="alfa02").dump(), 0)
    (content,) = (folder / "state/vm/gridce").glob("*.json")
    content.with_suffix("").unlink()
    return store


def test_a_record_that_cannot_be_written_anew_says_the_way_out(tmp_path: Path) -> None:
    """It said that `3rc resume` writes it anew, which it cannot."""
    site, store = world(), without_token(tmp_path)
    memory = Memory(store, site.zone, "bibe", site.time)
    memory.load()
    said = View(SITE, memory, site.observe(), site.time).unreadable("gridce")
    assert said == (
        f"its record vm/gridce cannot be read ({tmp_path}/state/vm/gridce holds no file that says "
        "which version is the newest; it can only be removed by hand): nothing is done for it "
        "until that record is removed, with all controllers stopped"
    )
    said = operators.resume(store, SITE, None)
    assert said.endswith("it can only be removed by hand)")


def test_a_record_that_cannot_be_written_anew_leaves_nothing_aside(tmp_path: Path) -> None:
    store = without_token(tmp_path)
    with pytest.raises(Unwritable, match="only be removed by hand, with all controllers stopped"):
        operators.resume(store, SITE, "gridce")
    assert store.get("aside/gridce") is None


@pytest.mark.parametrize("kept", [None, {"why": "torn", "was": {}}])
def test_what_was_kept_stays_where_somebody_else_was_first(
    monkeypatch: pytest.MonkeyPatch, kept: dict[str, Any] | None
) -> None:
    site = world()
    site.store.put("vm/gridce", {"host": "alfa02", "state": "zzz"}, 0)
    if kept is not None:
        site.store.put("aside/gridce", kept, 0)
    put = site.store.put

    def put_late(key: str, value: Mapping[str, Any], expect: int) -> int:
        if key == "vm/gridce":
            put(key, NEWER, expect)
        return put(key, value, expect)

    monkeypatch.setattr(site.store, "put", put_late)
    with pytest.raises(Conflict):
        operators.resume(site.store, SITE, "gridce")
    found = site.store.get("aside/gridce")
    assert (found and found.value) == kept


def test_nobody_writes_a_record_anew_by_mistake() -> None:
    site = damaged("newer")
    why = (
        "\nnothing is done for whom no record can be read: gridce (moods: is no key that is known "
        "here); `3rc resume gridce`"
    )
    said = operators.resume(site.store, SITE, None)
    assert said == f"all virtual machines are cared for already{why} writes it anew"
    operators.pause(site.store, SITE, "gridce", "")
    said = operators.resume(site.store, SITE, "gridce")
    assert said == f"gridce is cared for again{why} once more writes it anew"
    found = site.store.get("vm/gridce")
    assert found is not None
    assert found.value == NEWER
