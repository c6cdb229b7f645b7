"""What scenario.yaml may say, and how its errors are told."""

from __future__ import annotations

import runpy
from datetime import UTC
from pathlib import Path

import pytest

from tests.compiler.support import ROOT
from tests.runtime.simulation.support import folder_with
from threerc.runtime.config import ConfigError
from threerc.runtime.simulation.load import load
from threerc.runtime.simulation.times import after, duration, moment

GOOD = """\
site:
  physical_hosts: {"p[1-3]": {power: true, memory: 4GiB}}
  virtual_machines: {"v[01-12]": {home: p1}, web: {home: p2, memory: 512MiB}}
start: 2026-01-05 23:50:00
duration: 1h30m
"""


def test_a_brief_site_is_completed(tmp_path: Path) -> None:
    scenario, config = load(folder_with(tmp_path, GOOD))
    assert scenario.duration == 5400
    assert list(config.physical_hosts) == ["p1", "p2", "p3"]
    assert len(config.virtual_machines) == 13
    assert config.physical_hosts["p2"].memory == 4 << 30
    assert config.virtual_machines["web"].memory == 512 << 20
    assert config.physical_hosts["p3"].power is not None
    links = {vm.boot.links for vm in config.virtual_machines.values() if vm.boot}
    assert len(links) == 13


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("durations: 5m", ": durations: is no key that is known here"),
        ("timezone: Mars/Olympus", ": timezone: no such time zone"),
        ("loads: {p9: 3}", ": loads: p9 is none of the site"),
        ("off: v99", ": off: v99 is none of the site"),
        ('state: {web: "p1 yesterday 0"}', ": state.web: not `PH YYYY-MM-DD/HH:MM:SS FLAG`"),
        ("faults: [{at: '10:00:00', fault: explode, of: web}]", ": faults.0.fault: no such fault"),
        ("faults: [{at: noon, fault: panic, of: web}]", ": faults.0.at: not a time such as"),
        ("faults: [{at: '10:00:00', fault: panic, of: p1}]", ": faults.0: panic cannot strike p1"),
        ("faults: [{at: '10:00:00', fault: panic}]", ": faults.0: panic needs `of`"),
        ("faults: [{at: '10:00:00', fault: switch}]", ": faults.0: switch needs `of`"),
        (
            "faults: [{at: '10:00:00', fault: switch, of: sw1}]",
            ": faults.0: sw1 is none of the site",
        ),
        (
            "faults: [{at: '10:00:00', fault: switch, of: web}]",
            ": faults.0: switch cannot strike web",
        ),
        (
            "faults: [{at: '10:00:00', fault: dns, of: p1}]",
            ": faults.0: dns strikes the whole site, and takes no `of`: p1",
        ),
        (
            "faults: [{at: '10:00:00', fault: panic, of: web, until: '10:05:00'}]",
            ": faults.0: panic does not end by itself",
        ),
        (
            "faults: [{at: '10:00:00', fault: panic, of: web, mode: dead}]",
            ": faults.0: panic has no key `mode`",
        ),
        (
            "faults: [{at: '10:00:00', fault: ssh, of: p1, mode: odd}]",
            ": faults.0: ssh has no mode `odd`, only dead, hang, mute",
        ),
        ("operator: [{at: '10:00:00', do: start, of: web}]", ": operator.0: start needs `on`"),
        ("operator: [{at: '10:00:00', do: pray}]", ": operator.0.do: no such command"),
        ("operator: [{at: '10:00:00', do: pause, of: p1}]", ": operator.0: p1 is none of the site"),
        ("expect: {violations: [sloth]}", ": expect.violations: no such invariant"),
        ("expect: {vms: {v99: {moves: 1}}}", ": expect.vms: v99 is none of the site"),
        ("seed: many", ": seed: has to be a whole number, got `many`"),
    ],
)
def test_errors_name_the_line_and_the_key(tmp_path: Path, line: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(folder_with(tmp_path, f"{GOOD}{line}\n"))
    place, _, told = (
        str(caught.value).removeprefix(f"{tmp_path / 'scenario.yaml'}:").partition(": ")
    )
    assert place.startswith("6:")
    assert f": {told}".startswith(problem)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (GOOD + "seed: [\n", ":7:1: "),
        (GOOD.replace("start: 2026-01-05 23:50:00\n", ""), ":1:1: start: is missing"),
        ("", ":1:1: has to be a mapping of its settings"),
        (
            GOOD.replace("memory: 512MiB", "colour: red"),
            ":3:62: site.virtual_machines.web.colour: is no key that is known here",
        ),
        (
            GOOD.replace("memory: 4GiB", "maxl: much"),
            ":2:44: site.physical_hosts.p[1-3].maxl: has to be a number, got `much`",
        ),
    ],
)
def test_errors_of_the_file_and_of_the_site(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(folder_with(tmp_path, text))
    assert str(caught.value).startswith(f"{tmp_path / 'scenario.yaml'}{problem}")


def test_times() -> None:
    start = moment("2026-01-05 23:50:00", UTC)
    assert after(start, "23:55:00", UTC) - start == 300
    assert after(start, "00:10:00", UTC) - start == 1200
    assert after(start, "+1h30m", UTC) - start == 5400
    assert duration("2d") == 172800
    assert duration("1.5s") == 1.5
    assert duration(90) == 90


@pytest.mark.parametrize("text", ["", "5", "5 m", "-5m", "m", True])
def test_what_is_no_duration(text: object) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        duration(text)


def test_a_time_is_a_text_and_on_is_no_boolean(tmp_path: Path) -> None:
    text = "operator: [{at: 23:59:10, do: start, of: web, on: p3}]\n"
    scenario, _ = load(folder_with(tmp_path, GOOD + text))
    assert (scenario.operator[0].at, scenario.operator[0].on) == ("23:59:10", "p3")


def test_the_reference_is_current() -> None:
    page = runpy.run_path(str(ROOT / "dev/scenarios.py"))["page"]()
    written = (ROOT / "docs/reference/scenarios.md").read_text(encoding="utf-8")
    assert written == page, "run `make docs`"
