"""Campaigns: the thesis's means come out, because of what is modelled and not by tuning."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from pathlib import Path

import pytest

from tests.runtime.simulation.support import sns_pisa
from threerc.runtime.simulation.campaign import (
    HOST_CRASHES,
    PARTS,
    Campaign,
    CampaignError,
    Crash,
    campaign,
    with_steps,
)
from threerc.runtime.simulation.report import write_report
from threerc.runtime.simulation.simulation import Start
from threerc.runtime.simulation.statistics import MONTH, figures, lines, percentile


@pytest.fixture(scope="module")
def restarts() -> Campaign:
    return campaign(sns_pisa(), 400, "poweroff", "restart")


@pytest.fixture(scope="module")
def reinstalls() -> Campaign:
    return campaign(sns_pisa(), 200, "erase-boot", "reinstall")


def test_a_non_destructive_crash_takes_as_long_as_in_the_thesis(restarts: Campaign) -> None:
    found = figures(restarts)
    assert found["unrecovered"] == 0
    assert found["mean"] == pytest.approx(181, abs=10)
    assert found["sigma"] == pytest.approx(20.8, abs=2)


def test_a_destructive_crash_takes_as_long_as_in_the_thesis(reinstalls: Campaign) -> None:
    found = figures(reinstalls)
    assert found["unrecovered"] == 0
    assert found["mean"] == pytest.approx(542, abs=15)
    assert found["sigma"] == pytest.approx(24.9, abs=3.5)


def test_each_part_is_what_the_model_makes_of_it(reinstalls: Campaign) -> None:
    """Uniform over 20 and 60 seconds, then as thesis 7.13 has it: 70 s +/- 10, 352 s."""
    parts = figures(reinstalls)["parts"]
    assert parts["detection"]["mean"] == pytest.approx(70, abs=1.5)
    assert parts["detection"]["sigma"] == pytest.approx(20 / math.sqrt(12), abs=0.8)
    assert parts["schedule"]["mean"] == pytest.approx(30, abs=4)
    assert parts["schedule"]["sigma"] == pytest.approx(60 / math.sqrt(12), abs=2)
    assert parts["install"]["mean"] == pytest.approx(362, abs=4)
    assert parts["boot"]["mean"] == pytest.approx(80, abs=3)


def test_the_parts_add_up(restarts: Campaign, reinstalls: Campaign) -> None:
    for crash in (*restarts.crashes, *reinstalls.crashes):
        assert crash.total == pytest.approx(sum(getattr(crash, part) for part in PARTS))


def test_the_whole_ladder_takes_longer() -> None:
    found = figures(campaign(sns_pisa(), 30, "poweroff"))
    assert 300 < found["mean"] < 480
    assert found["parts"]["ladder"]["mean"] > 150


def test_the_same_seed_gives_the_same_campaign_and_another_does_not() -> None:
    first, again = (campaign(sns_pisa(), 20, "poweroff", "restart") for _ in range(2))
    other = campaign(sns_pisa(), 20, "poweroff", "restart", start=Start(seed=2))
    assert first.crashes == again.crashes
    assert first.times != other.times


def test_a_destructive_fault_strikes_those_only_that_may_be_reinstalled(
    reinstalls: Campaign,
) -> None:
    machines = sns_pisa().virtual_machines
    assert {machines[crash.vm].inst for crash in reinstalls.crashes} == {1}


def test_what_no_step_helps_is_counted_and_mended() -> None:
    found = campaign(sns_pisa(), 3, "erase-boot", "restart")
    assert found.times == []
    assert figures(found)["unrecovered"] == 3
    assert lines(figures(found))[1] == "  none of the 3 recovered"


@pytest.mark.parametrize("steps", ["", "retart", "restart=x", "restart,,"])
def test_steps_that_are_none(steps: str) -> None:
    with pytest.raises(CampaignError, match="none of the steps"):
        with_steps(sns_pisa(), steps)


def test_steps_are_those_of_every_vm() -> None:
    changed = with_steps(sns_pisa(), "reboot, restart=2")
    for machine in changed.virtual_machines.values():
        steps = changed.policy(machine).steps
        assert (steps.reboot, steps.restart, steps.reinstall) == (1, 2, 0)


def test_faults_that_are_none() -> None:
    with pytest.raises(CampaignError, match=r"tea takes no VM away; these do: poweroff, .*power"):
        campaign(sns_pisa(), 1, "tea")


@pytest.mark.parametrize("fault", HOST_CRASHES)
def test_a_host_takes_all_its_machines_away(fault: str) -> None:
    """They are back elsewhere, each a crash of its own, and so is the host for the next time."""
    found = campaign(sns_pisa(), 30, fault, "restart")
    together = Counter(crash.at for crash in found.crashes)
    assert len(together) == 30
    assert max(together.values()) > 1
    assert figures(found)["unrecovered"] == 0
    assert 100 < figures(found)["mean"] < 400
    for crash in found.crashes:
        assert crash.total == pytest.approx(sum(getattr(crash, part) for part in PARTS))
        assert min(getattr(crash, part) for part in PARTS) >= 0


@pytest.mark.parametrize("fault", HOST_CRASHES)
def test_machines_that_no_step_helps_are_back_for_the_next_crash_of_a_host(fault: str) -> None:
    """Their host cannot reboot them."""
    found = campaign(sns_pisa(), 3, fault, "reboot")
    assert len({crash.at for crash in found.crashes}) == 3
    assert found.times == []


def test_figures() -> None:
    crashes = [Crash("v", 0.0, total=float(seconds)) for seconds in range(1, 101)]
    found = figures(Campaign("poweroff", "restart", 1, [*crashes, Crash("v", 0.0)]), MONTH)
    assert found["crashes"] == 101
    assert found["unrecovered"] == 1
    assert found["mean"] == 50.5
    assert found["sigma"] == pytest.approx(statistics.pstdev(range(1, 101)), abs=1e-6)
    assert found["percentiles"] == {"5": 5.0, "50": 50.0, "95": 95.0, "99": 99.0}
    assert found["availability"] == pytest.approx(MONTH / (MONTH + 50.5), abs=1e-6)
    assert found["nines"] == pytest.approx(4.71, abs=0.01)
    assert percentile([7.0], 5) == 7.0


def test_the_report_is_one_file_with_both_curves(restarts: Campaign, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_report([restarts, Campaign("poweroff", "restart", 1, [Crash("v", 0.0)])], path, MONTH)
    page = path.read_text(encoding="utf-8")
    assert page.count("<svg") == 1
    for words in ("Gaussian fit", "thesis, 7.13", "seconds", "None of them recovered"):
        assert words in page
    assert "http" not in page.replace("http://www.w3.org", "").replace(
        "http://purl.org", ""
    ).replace("http://creativecommons.org", "").replace("https://matplotlib.org", "")
