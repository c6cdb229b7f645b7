"""What of a campaign needs no machines: what is still to do, what is foretold, the reports."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from tests.testbed.test_report import lost, trials
from threerc.runtime.config import ControllerConfig
from threerc.runtime.simulation.brief import complete
from threerc.testbed.campaign import Asked, Campaign, foretell, most_at_once, write_reports
from threerc.testbed.grip import Grip

NOBODY = cast("Grip", None)


def small(hosts: int, vms: int, share: float = 1 / 3) -> ControllerConfig:
    site = {
        "brake": {"share": share},
        "physical_hosts": {f"alfa[1-{hosts}]": {}},
        "virtual_machines": {f"vrt[1-{vms}]": {"home": "alfa1", "inst": 1}},
    }
    return ControllerConfig.model_validate(complete(site))


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


@pytest.mark.parametrize(
    ("hosts", "vms", "share", "most"),
    [(2, 2, 1 / 3, 1), (4, 8, 1 / 3, 4), (4, 4, 1 / 3, 2), (1, 1, 0.1, 1)],
)
def test_no_more_at_once_than_the_brake_lets(
    hosts: int, vms: int, share: float, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 64)
    assert most_at_once(small(hosts, vms, share)) == most


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
