"""What of a campaign needs no machines: what is still to do, what is foretold, the reports."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, cast

import pytest

from tests.testbed.test_report import lost, trials
from threerc.runtime.config import ControllerConfig
from threerc.runtime.simulation.brief import complete
from threerc.runtime.simulation.campaign import HOST_CRASHES, Crash, crash_of
from threerc.testbed import events
from threerc.testbed.campaign import (
    HISTORY,
    MARKS,
    Asked,
    Campaign,
    Taken,
    claim,
    foretell,
    most_at_once,
    write_reports,
)
from threerc.testbed.client import Testbed
from threerc.testbed.crashes import NotStruck
from threerc.testbed.errors import TestbedError
from threerc.testbed.events import Event, Kind
from threerc.testbed.faults import CRASHES, FAULTS, HOST, VM
from threerc.testbed.grip import Grip
from threerc.testbed.report import this_machine
from threerc.testbed.runs import Run
from threerc.testbed.spans import Span, campaign_spans
from threerc.testbed.trials import Trial, append, resume

NOBODY = cast("Grip", None)


def small(hosts: int, vms: int, share: float = 1 / 3) -> ControllerConfig:
    site = {
        "brake": {"share": share},
        "physical_hosts": {f"alfa[1-{hosts}]": {}},
        "virtual_machines": {f"vrt[1-{vms}]": {"home": "alfa1", "inst": 1}},
    }
    return ControllerConfig.model_validate(complete(site))


def knowing(folder: Path, config: ControllerConfig) -> Grip:
    """A grip of a site that does not run: it knows what its controllers would read."""
    file = folder / "tree/bibe/etc/3rc/controller.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(config.model_dump_json(exclude_unset=True), encoding="utf-8")
    return Grip(Testbed(Run(folder)))


def todo(asked: Asked, done: list[int]) -> list[tuple[int, str]]:
    history = [replace(lost(0), number=number) for number in done]
    campaign = Campaign(NOBODY, asked, print)
    return [(number, fault.name) for number, fault in campaign._todo(history)]  # noqa: SLF001


def test_faults_take_turns_and_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    asked = Asked(("poweroff", "panic"), 3, tmp_path)
    all_of_it = [(n, ("poweroff", "panic")[n % 2]) for n in range(6)]
    assert todo(asked, []) == all_of_it
    assert todo(asked, [0, 1, 4]) == [all_of_it[2], all_of_it[3], all_of_it[5]]
    assert todo(asked, list(range(6))) == []


BOTH = [(0, FAULTS["erase-boot", VM]), (1, FAULTS["poweroff", VM])]


def test_a_crash_whose_machines_are_busy_waits_and_others_do_not(tmp_path: Path) -> None:
    """Only vrt1 may be erased; others have taken it."""
    site = small(2, 2).model_dump(exclude_unset=True)
    site["virtual_machines"]["vrt2"]["inst"] = 0
    grip = knowing(tmp_path, ControllerConfig.model_validate(site))
    campaign = Campaign(grip, Asked(("erase-boot", "poweroff"), 1, tmp_path), print)
    todo, free = list(BOTH), ["vrt2"]
    taken = campaign._take(todo, free)  # noqa: SLF001
    assert taken is not None
    assert (taken[:5], todo, free) == ((*BOTH[1], "vrt2", ["vrt2"], ["vrt2"]), BOTH[:1], [])
    found: list[object] = []
    worker = threading.Thread(target=lambda: found.append(campaign._take(todo, free)))  # noqa: SLF001
    worker.start()
    assert found == []
    with campaign._changed:  # noqa: SLF001
        free.append("vrt1")
        campaign._changed.notify_all()  # noqa: SLF001
    worker.join(30)
    assert [each[:3] for each in cast("Any", found)] == [(*BOTH[0], "vrt1")]


class Placed(Grip):
    """A grip of a site of which it is known where its machines run."""

    def running(self) -> dict[str, list[str]]:
        return {"alfa1": ["vrt1", "vrt2"], "alfa2": ["vrt3"], "alfa3": [], "alfa4": ["other"]}


def test_a_host_is_crashed_while_nobody_has_any_machine(tmp_path: Path) -> None:
    """Whoever asks for it meanwhile waits, or all were never free; it takes what runs on it."""
    grip = Placed(knowing(tmp_path, small(4, 3)).testbed)
    campaign = Campaign(grip, Asked(("power", "poweroff"), 1, tmp_path), print)
    campaign.machines = ("vrt1", "vrt2", "vrt3")
    todo, free = list(campaign._todo([])), ["vrt3", "vrt1"]  # noqa: SLF001
    found: list[Taken | None] = []
    worker = threading.Thread(target=lambda: found.append(campaign._take(todo, free)))  # noqa: SLF001
    worker.start()
    worker.join(0.5)
    assert (found, free) == ([], ["vrt3", "vrt1"])
    with campaign._changed:  # noqa: SLF001
        free.append("vrt2")
        campaign._changed.notify_all()  # noqa: SLF001
    worker.join(30)
    (taken,) = found
    assert taken is not None
    assert (taken.number, taken.fault) == (0, FAULTS["power", HOST])
    assert taken.machines == {"alfa1": ["vrt1", "vrt2"], "alfa2": ["vrt3"]}[taken.target]
    assert (taken.held, free) == (["vrt3", "vrt1", "vrt2"], [])


def test_what_could_not_be_done_is_done_later_and_not_for_ever(tmp_path: Path) -> None:
    """It does not count; after some in a row the campaign says so and ends."""

    class Up(Placed):
        def is_up(self, vm: str) -> bool:
            return vm in self.config.virtual_machines

    grip = Up(knowing(tmp_path, small(4, 3)).testbed)
    campaign = Campaign(grip, Asked(("poweroff",), 1, tmp_path), print)
    todo, why = list(campaign._todo([])), NotStruck("vrt1 is not up before its crash")  # noqa: SLF001
    for _ in range(3):
        taken = campaign._take(todo, ["vrt1"])  # noqa: SLF001
        assert taken is not None
        assert todo == []
        campaign._put_back(taken, todo, why)  # noqa: SLF001
        assert todo == [(0, FAULTS["poweroff", VM])]
    assert resume(tmp_path / HISTORY) == []
    taken = campaign._take(todo, ["vrt1"])  # noqa: SLF001
    assert taken is not None
    with pytest.raises(TestbedError, match="4 crashes could not be done, the last: vrt1 is not"):
        campaign._put_back(taken, todo, why)  # noqa: SLF001


def test_a_host_fault_without_any_machine_left_is_told(tmp_path: Path) -> None:
    campaign = Campaign(
        Placed(knowing(tmp_path, small(4, 3)).testbed), Asked(("power",), 1, tmp_path), print
    )
    campaign.machines = ("vrt9",)
    with pytest.raises(TestbedError, match="power: no physical host runs a machine any more"):
        campaign._take(list(campaign._todo([])), ["vrt9"])  # noqa: SLF001


def test_campaigns_strike_the_same_hosts_as_simulated_ones() -> None:
    assert {name for name, fault in CRASHES.items() if fault.of == HOST} == {*HOST_CRASHES}
    for name, fault in CRASHES.items():
        assert crash_of(name).of == fault.of


def test_who_waits_for_a_machine_is_ended_with_the_campaign(tmp_path: Path) -> None:
    campaign = Campaign(knowing(tmp_path, small(2, 2)), Asked(("poweroff",), 1, tmp_path), print)
    campaign._stop.set()  # noqa: SLF001
    assert campaign._take(list(BOTH), []) is None  # noqa: SLF001


def test_who_fails_stops_the_others(tmp_path: Path) -> None:
    """As where a history cannot be written any more, whoever notices that."""
    campaign = Campaign(NOBODY, Asked(("poweroff",), 1, tmp_path), print)
    number = count()

    def work() -> None:
        if next(number) == 1:
            raise OSError("disk full")
        campaign._stop.wait()  # noqa: SLF001

    with pytest.raises(OSError, match="disk full"):
        campaign._side_by_side(work, 2)  # noqa: SLF001


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"faults": ("panic",)}, "has crashes of the faults poweroff, not panic"),
        ({"profile": "fast"}, "has crashes of the profile thesis, not fast"),
        ({"seed": 2}, "has crashes of the seed 1, not 2"),
    ],
)
def test_no_history_has_two_kinds_of_crashes(
    tmp_path: Path, other: dict[str, Any], said: str
) -> None:
    asked = Asked(("poweroff",), 1, tmp_path)
    claim(replace(asked, **other), "ci")  # which crashed nothing
    claim(asked, "ci")
    append(asked.folder / HISTORY, lost(0))
    claim(replace(asked, crashes=9), "ci")
    with pytest.raises(TestbedError, match=said):
        claim(replace(asked, **other), "ci")
    with pytest.raises(TestbedError, match="has crashes of the site ci, not sns-pisa"):
        claim(asked, "sns-pisa")


def test_a_history_of_which_nobody_knows_what_it_is_of(tmp_path: Path) -> None:
    asked = Asked(("poweroff",), 1, tmp_path)
    append(asked.folder / HISTORY, lost(0))
    with pytest.raises(TestbedError, match="nobody knows what its crashes are of"):
        claim(asked, "ci")


@pytest.mark.parametrize(
    ("hosts", "vms", "share", "most"),
    [(2, 2, 1 / 3, 1), (4, 8, 1 / 3, 4), (4, 4, 1 / 3, 2), (1, 1, 0.1, 1)],
)
def test_no_more_at_once_than_the_brake_lets(
    hosts: int, vms: int, share: float, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 64)
    assert most_at_once(small(hosts, vms, share)) == most


def resumed(folder: Path, run: str, at: float, *seen: Event) -> Campaign:
    """A campaign that has just come to a testbed, on which there were such faults."""
    own = folder / f"ci-{run}"
    grip = Grip(Testbed(Run(own))) if own.exists() else knowing(own, small(2, 2))
    campaign = Campaign(grip, Asked(("poweroff",), 9, folder), print)
    claim(campaign.asked, "ci")
    campaign.come(at)
    events.add(grip.events_file, seen)
    return campaign


def fault(at: float, of: str, kind: Kind = Kind.FAULT) -> Event:
    return Event(at, kind, of, {"fault": "ssh"})


def crashed(at: float, number: int) -> Trial:
    return replace(lost(number), crash=Crash("vrt1", at, 50.0))


def test_a_campaign_that_is_killed_keeps_the_marks_of_its_crashes(tmp_path: Path) -> None:
    """None of these has come to its own end. The second testbed has no fault of the first."""
    campaign = resumed(tmp_path, "aa", 100.0, fault(50.0, "alfa2"), fault(110.0, "alfa1"))
    campaign.keep([crashed(105.0, 0)])
    campaign = resumed(tmp_path, "aa", 200.0, fault(180.0, "alfa1", Kind.HEAL))
    campaign.keep([crashed(205.0, 1)])
    campaign = resumed(tmp_path, "bb", 400.0, fault(410.0, "alfa1"))
    campaign.keep([crashed(405.0, 2)])
    marks = events.read(tmp_path / MARKS)
    assert campaign_spans(marks, [155.0, 255.0, 455.0]) == [
        Span("alfa2: ssh", 100.0, 255.0),
        Span("alfa1: ssh", 110.0, 180.0),
        Span("alfa1: ssh", 410.0, 455.0),
    ]


def test_a_crash_that_did_not_recover_lasts_until_it_is_given_up(tmp_path: Path) -> None:
    """Of that time nothing is left out of the report's picture."""
    begun = time.time()
    campaign = resumed(tmp_path, "aa", begun - 9000.0)
    campaign.keep([replace(lost(0), crash=Crash("vrt1", begun - 8000.0))])
    campaign.keep([crashed(begun - 7000.0, 1)])
    given_up, recovered = resume(tmp_path / HISTORY)
    assert begun <= given_up.end <= time.time()
    assert (recovered.given_up, recovered.end) == (None, begun - 6950.0)


def test_a_campaign_without_a_crash_begins_anew(tmp_path: Path) -> None:
    resumed(tmp_path, "aa", 100.0)
    resumed(tmp_path, "aa", 200.0)
    assert [each.time for each in events.read(tmp_path / MARKS)] == [200.0]


def test_the_reports_have_what_the_simulator_foretells(tmp_path: Path) -> None:
    config = small(2, 2)
    history = [*trials(8), lost(8)]
    foretold = foretell(config, history)
    assert set(foretold) == {"poweroff", "erase-boot"}
    asked = Asked(("poweroff",), 8, tmp_path)
    write_reports(config, asked, history)
    data: dict[str, Any] = json.loads((tmp_path / "report.json").read_text())
    assert data["crashes"] == 9
    assert data["faults"]["poweroff"]["simulated"]["mean"] > 0
    assert "<svg" in (tmp_path / "report.html").read_text()


def test_a_report_says_of_what_seed_and_machine_it_is(tmp_path: Path) -> None:
    """Of no machine where nobody has noted it, such as before it was drawn anew elsewhere."""
    config = small(2, 2)
    asked = Asked(("poweroff",), 1, tmp_path, seed=5)
    data = write_reports(config, asked, [lost(0)])
    assert (data["faults"]["poweroff"]["seed"], data["profile"]) == (5, "thesis")
    assert f"<p>{config.site}, profile thesis: 1 crash of real machines</p>" in page(tmp_path)
    resumed(tmp_path, "aa", 100.0)
    write_reports(config, asked, [lost(0)])
    assert f" of real machines; {this_machine(kvm=True)}</p>" in page(tmp_path)


def page(folder: Path) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


def test_who_is_installed_is_foretold_to_be_installed_once() -> None:
    """The install server turns the boot link back before the machine asks for it again."""
    again = Crash("vrt1", 0.0, 300.0, install=60.0, boot=30.0)
    foretold = foretell(small(2, 2), [Trial(0, "erase-boot", "fast", again)], "fast")
    assert {round(crash.install) for crash in foretold["erase-boot"].crashes} == {60}
