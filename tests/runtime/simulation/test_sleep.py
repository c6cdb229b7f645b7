"""Skipping the ticks in which nothing can happen changes nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.runtime.simulation.support import SITE, outcome, scenario, sns_pisa
from threerc.runtime.simulation.campaign import campaign
from threerc.runtime.simulation.outcome import Outcome
from threerc.runtime.simulation.scenario import Scenario
from threerc.runtime.simulation.schedules import schedule
from threerc.runtime.simulation.sleep import Sleep


def told(found: Outcome) -> tuple[str, dict[str, object]]:
    """All that can be seen from outside, and all that the controllers remember of VMs."""
    store = found.simulation.site.store
    return found.log, {key: it.value for key, it in store.list("vm/").items()}


@pytest.mark.parametrize("seed", range(40))
def test_it_changes_nothing_in_random_schedules(seed: int) -> None:
    wanted = schedule(seed)
    assert told(outcome(wanted, sleep=True)) == told(outcome(wanted))


LONG = {"duration": "30h"}
SHORT_TIMES = {
    "site": SITE | {"monitors": {"poll_interval": 2, "down_after": 0.5}},
    "timing": {"heartbeat": 2},
    "controllers": {"bibe": {"every": 5}, "bussolo": {"every": 5}},
}
"""Those of the testbed's profile `fast`."""
CASES = {
    "crashes far apart": scenario(
        {"at": "+2h", "fault": "poweroff", "of": "vrt1"},
        {"at": "+9h", "fault": "erase-boot", "of": "vrt1"},
        {"at": "+20h", "fault": "panic", "of": "vrt2"},
        **LONG,
    ),
    "a clock that jumps while all sleeps": scenario(
        {"at": "+3h", "fault": "clock", "of": "bussolo", "seconds": 500.0},
        {"at": "+5h", "fault": "poweroff", "of": "vrt1"},
        **LONG,
    ),
    "a clock that drifts": scenario(
        {"at": "+15h", "fault": "poweroff", "of": "vrt1"},
        controllers={"bussolo": {"drift": 0.01}},
        **LONG,
    ),
    "a controller that dies in its first tick after sleep": scenario(
        {"at": "+3h", "fault": "controller", "of": "bibe", "call": "12"},
        {"at": "+5h", "fault": "poweroff", "of": "vrt1"},
        **LONG,
    ),
    "a controller that is off for hours": scenario(
        {"at": "+3h", "until": "+8h", "fault": "controller", "of": "bibe"},
        {"at": "+5h", "fault": "poweroff", "of": "vrt1"},
        {"at": "+10h", "fault": "poweroff", "of": "vrt1"},
        **LONG,
    ),
    "a monitor that goes and comes": scenario(
        {"at": "+3h", "until": "+4h", "fault": "gmetad", "of": "bibe", "mode": "stale"},
        {"at": "+5h", "until": "+6h", "fault": "gmond", "of": "bibe"},
        {"at": "+7h", "fault": "panic", "of": "vrt3"},
        **LONG,
    ),
    "daemons": scenario(
        {"at": "+3h", "fault": "poweroff", "of": "vrt1"},
        controllers={"bibe": {"every": 7}, "bussolo": {"every": 45}},
        duration="6h",
    ),
    "short times": scenario(
        {"at": "+1h", "fault": "poweroff", "of": "vrt1"},
        {"at": "+2h", "fault": "halt", "of": "vrt2"},
        {"at": "+3h", "fault": "freeze", "of": "vrt3"},
        {"at": "+4h", "until": "+5h", "fault": "gmond", "of": "bibe"},
        duration="6h",
        **SHORT_TIMES,
    ),
}


@pytest.mark.parametrize("wanted", CASES.values(), ids=CASES.keys())
def test_it_changes_nothing_here_either(wanted: Scenario) -> None:
    assert told(outcome(wanted, sleep=True)) == told(outcome(wanted))


@pytest.mark.parametrize("times", [{}, SHORT_TIMES], ids=["usual", "short"])
def test_it_skips_most(times: dict[str, Any]) -> None:
    """Or the tests above would prove nothing."""
    found = outcome(scenario(**LONG, **times), sleep=True)
    for controller in found.simulation.controllers.values():
        assert controller.began < found.simulation.start.time + 600
    assert found.simulation.site.store.writes < 10


def test_a_campaign_is_the_same_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asleep = campaign(sns_pisa(), 3, "poweroff", "restart")
    monkeypatch.setattr(Sleep, "_look", lambda _self: None)
    assert campaign(sns_pisa(), 3, "poweroff", "restart").crashes == asleep.crashes
