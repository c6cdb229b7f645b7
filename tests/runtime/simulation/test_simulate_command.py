"""`3rc simulate`, as it is typed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.runtime.simulation.support import SCENARIOS, SNS_PISA
from threerc.runtime.config import load
from threerc.runtime.simulation.cli import simulate
from threerc.runtime.simulation.hypervisor import SimHypervisor

NIGHT = SCENARIOS / "gridce-2008-12-14"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(simulate(load), [str(each) for each in arguments])


def test_a_scenario_that_comes_out_prints_its_log() -> None:
    result = run("--scenario", NIGHT)
    assert result.exit_code == 0
    assert result.stdout == (NIGHT / "expected.log").read_text(encoding="utf-8")
    assert "1 scenario, 0 not as expected" in result.stderr


def test_one_that_does_not_shows_the_difference(tmp_path: Path) -> None:
    folder = _copy(tmp_path)
    log = (folder / "expected.log").read_text(encoding="utf-8")
    (folder / "expected.log").write_text(log.replace("alfa04", "alfa03"), encoding="utf-8")
    result = run("--scenario", folder)
    assert result.exit_code == 1
    assert "+>> RESTART VM gridce on PH alfa04 [from OLD PH alfa01]" in result.stderr
    assert run("--scenario", folder, "--update").exit_code == 0
    assert (folder / "expected.log").read_text(encoding="utf-8") == log


def _copy(path: Path) -> Path:
    folder = path / "night"
    shutil.copytree(NIGHT, folder)
    text = (folder / "scenario.yaml").read_text(encoding="utf-8")
    text = text.replace("../../golden/sns-pisa/bibe/etc/3rc/controller.yaml", str(SNS_PISA))
    (folder / "scenario.yaml").write_text(text, encoding="utf-8")
    return folder


def test_a_scenario_as_json() -> None:
    data = json.loads(run("--scenario", NIGHT, "--json").stdout)
    gridce = data["virtual_machines"]["gridce"]
    assert (gridce["host"], gridce["state"]) == ("alfa04", "up")
    assert [(move["from"], move["to"]) for move in gridce["moves"]] == [("alfa01", "alfa04")]
    assert gridce["down"][0]["from"] == "2008-12-14/04:29:40"
    assert 500 < gridce["down"][0]["seconds"] < 540
    assert gridce["reasons"][0]["step"] == "REBOOT"
    assert (data["violations"], data["wrong"]) == ([], [])


def test_a_campaign_as_json() -> None:
    result = run(SNS_PISA, "--crashes", 30, "--fault", "poweroff", "--steps", "restart", "--json")
    data = json.loads(result.stdout)
    assert data["unrecovered"] == 0
    assert 150 < data["mean"] < 220
    assert data["ladder"]["crashes"] == 1
    assert run(SNS_PISA, "--crashes", 30, "--steps", "restart", "--json").stdout == result.stdout


def test_a_campaign_explains_itself() -> None:
    told = run(SNS_PISA, "--crashes", 5, "--steps", "restart").stdout
    assert "5 x poweroff, steps: restart" in told
    assert "60/sqrt(12) = 17.3 s" in told


def test_a_report_is_written(tmp_path: Path) -> None:
    run(SNS_PISA, "--crashes", 5, "--steps", "restart", "--report", tmp_path / "r.html")
    assert "<svg" in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_a_question() -> None:
    assert "gridce" in run(SNS_PISA, "--what-if", "kill gridce").stdout
    data = json.loads(run(SNS_PISA, "--what-if", "kill gridce", "--json").stdout)
    assert data["virtual_machines"]["gridce"]["to"] == "alfa01"


def test_a_search_that_finds_nothing(tmp_path: Path) -> None:
    result = run("--search", 3, "--keep", tmp_path / "trouble")
    assert (result.exit_code, result.stdout) == (0, "3 schedules, 0 broke an invariant\n")
    assert not (tmp_path / "trouble").exists()


def test_a_search_that_finds_something(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SimHypervisor, "kill", lambda _self, _vm: None)
    result = run("--search", 12, "--keep", tmp_path / "trouble")
    assert result.exit_code == 1
    assert list((tmp_path / "trouble").glob("*/scenario.yaml"))


def test_a_search_as_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert json.loads(run("--search", 2, "--json").stdout)["findings"] == []
    monkeypatch.setattr(SimHypervisor, "kill", lambda _self, _vm: None)
    data = json.loads(run("--search", 12, "--keep", tmp_path / "trouble", "--json").stdout)
    assert Path(data["findings"][0]["folder"], "scenario.yaml").exists()


def test_several_scenarios_as_json_are_a_list() -> None:
    both = json.loads(run("--scenario", NIGHT, "--scenario", NIGHT, "--json").stdout)
    assert [each["wrong"] for each in both] == [[], []]


USAGE = (
    ((), "say what: one of --scenario, --search, SITE --what-if, or SITE --crashes"),
    ((SNS_PISA,), "say what: one of"),
    (("--crashes", 3), "--crashes needs a SITE"),
    ((SNS_PISA, "--search", 3), "a SITE does not go with --search"),
    (("--search", 3, "--report", "r.html"), "--report does not go with --search"),
    (("--scenario", NIGHT, "--seed", 2), "--seed does not go with --scenario"),
    ((SNS_PISA, "--what-if", "kill bibe", "--crashes", 3), "not --what-if and --crashes: one of"),
    ((SNS_PISA, "--crashes", 3, "--fault", "fire"), "fire takes no VM away; these do: poweroff, "),
    ((SNS_PISA, "--crashes", 3, "--steps", "pray"), "'pray' is none of the steps: reboot, "),
    ((SNS_PISA, "--crashes", 3, "--steps", "restart=0"), "'restart=0' leaves no step"),
    ((SNS_PISA, "--what-if", "burn alfa01"), "say kill, cut or hang, and a host or VM"),
    ((SNS_PISA, "--what-if", "kill alfa09"), "sns-pisa has alfa01, alfa02, "),
)


@pytest.mark.parametrize(("arguments", "problem"), USAGE, ids=[problem for _, problem in USAGE])
def test_what_cannot_be_asked_is_refused(arguments: tuple[object, ...], problem: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert problem in result.stderr.replace("\n", " ")


def test_its_help_ends_with_examples() -> None:
    assert "3rc simulate --scenario tests/scenarios/gridce-2008-12-14" in run("--help").stdout
