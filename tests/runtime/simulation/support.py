"""What the simulation's tests share: small sites and scenarios from a few lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.compiler.support import ROOT
from threerc.runtime.config import ControllerConfig, load
from threerc.runtime.simulation import brief
from threerc.runtime.simulation.outcome import Outcome
from threerc.runtime.simulation.run import run
from threerc.runtime.simulation.scenario import Scenario

SCENARIOS = ROOT / "tests/scenarios"
SNS_PISA = ROOT / "tests/golden/sns-pisa/bibe/etc/3rc/controller.yaml"
SITE: dict[str, Any] = {
    "recovery": {"steps": {"reboot": 0}},
    "physical_hosts": {"alfa[01-03]": None},
    "virtual_machines": {
        "vrt1": {"home": "alfa01", "inst": 1},
        "vrt2": {"home": "alfa02"},
        "vrt3": {"home": "alfa03"},
    },
}


def sns_pisa() -> ControllerConfig:
    """The thesis's site, as compiled."""
    return load(SNS_PISA)


def small(*, power: bool = False) -> ControllerConfig:
    """Three hosts with a VM each; their power can be cut, or not."""
    hosts = {"physical_hosts": {"alfa[01-03]": {"power": power or None}}}
    return ControllerConfig.model_validate(brief.complete(SITE | hosts))


def scenario(*faults: dict[str, Any], **more: Any) -> Scenario:
    """A scenario on the small site, of 40 minutes unless it is said otherwise."""
    data = {"site": SITE, "start": "2026-01-05 10:00:00", "duration": "40m", "reasons": True}
    return Scenario.model_validate(data | {"faults": faults} | more)


def outcome(wanted: Scenario, *, sleep: bool = False) -> Outcome:
    """What comes of a scenario with a site of its own."""
    assert isinstance(wanted.site, dict)
    config = ControllerConfig.model_validate(brief.complete(wanted.site))
    return run(wanted, config, sleep=sleep)


def folder_with(path: Path, text: str) -> Path:
    """A scenario folder with that scenario.yaml."""
    (path / "scenario.yaml").write_text(text, encoding="utf-8")
    return path
