"""The commands of the running site: what they refuse, and in which words."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.runtime.tiny_world import config
from threerc.runtime.cli import COMMANDS
from threerc.runtime.config import dump
from threerc.runtime.real import RealWorld
from threerc.runtime.stores.directory import DirectoryStore

NOBODY = {"host": "bibe", "address": "127.0.0.1", "port": 1}
MONITORS = {"cluster": "tiny", "poll_interval": 15}
THREERC = (sys.executable, "-c", "from threerc.compiler.cli import main; main()")


def site(folder: Path, **settings: Any) -> Path:
    """A controller.yaml whose monitor does not answer, and its state."""
    settings = {"monitors": {**MONITORS, "collectors": [NOBODY]}} | settings
    written = config(state_directory=str(folder / "ha"), **settings)
    path = folder / "controller.yaml"
    path.write_text(dump(written))
    DirectoryStore.create(folder / "ha")
    return path


def run(folder: Path, name: str, *arguments: str, **settings: Any) -> Result:
    command = next(each for each in COMMANDS if each.name == name)
    path = site(folder, **settings)
    return CliRunner().invoke(command, [*arguments, "--config", str(path)])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("controller --once --every 5", "--every and --once do not go together"),
        ("controller --dry-run --every 5", "--every and --dry-run do not go together"),
        ("controller --create-state --once", "--once and --create-state do not go together"),
        ("controller --create-state --json", "--json and --create-state do not go together"),
        ("controller --json", "--json needs --once or --dry-run"),
        ("controller --once --as alfa01", "say with --as HOST which one to be"),
        ("status --text --json", "--text and --json do not go together"),
        ("maintenance alfa01 --drain --end", "--drain and --end do not go together"),
        ("maintenance gridce", "gridce is a virtual machine, no physical host: see `3rc pause"),
        ("maintenance alfa", "tiny has no physical host alfa; did you mean alfa0"),
        ("pause alfa01", "alfa01 is a physical host, no virtual machine: see `3rc maintenance"),
        ("pause gridze", "tiny has no virtual machine gridze; did you mean gridce?"),
        ("resume xyz", "tiny has no virtual machine xyz\n"),
        ("installed alfa01", "alfa01 is a physical host"),
        ("explain alfa01", "alfa01 is a physical host"),
    ],
)
def test_a_mistake_in_what_was_typed_exits_2_and_says_what_to_type(
    tmp_path: Path, arguments: str, words: str
) -> None:
    done = run(tmp_path, *arguments.split())
    assert done.exit_code == 2
    assert words in done.output


@pytest.mark.parametrize("options", [(), ("--json",), ("--text",)])
def test_a_site_without_controllers_has_a_status_too(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    done = run(tmp_path, "status", *options, controllers={})
    assert done.exit_code == 0, done.exception
    assert "no monitor has fresh data" in done.output


def test_a_dry_run_takes_no_lock_and_leaves_nothing(tmp_path: Path) -> None:
    done = run(tmp_path, "controller", "--once", "--dry-run", "--as", "bibe")
    assert "no monitor has fresh data" in done.output
    assert not list((tmp_path / "ha").glob(".*"))
    assert not list((tmp_path / "ha" / "state").glob("[a-z]*"))


def test_a_controller_says_which_definitions_it_lacks(tmp_path: Path) -> None:
    """Not only when a VM is down that has to be defined."""
    domains = tmp_path / "domains"
    domains.mkdir()
    (domains / "other.xml").touch()
    written = config(state_directory=str(tmp_path / "ha"), domains=str(domains))
    DirectoryStore.create(tmp_path / "ha")
    said = RealWorld(written, "bibe").lacking()
    assert said == (
        f"bibe has no definition that it can read of gridce in {domains}: build the site, and lay "
        "the controllers' files out again"
    )
    (domains / "gridce.xml").touch()
    assert RealWorld(written, "bibe").lacking() == ""
    vms = {f"vm{n:02}": {"home": "alfa01", "memory": 1} for n in range(40)}
    many = RealWorld(written.model_validate(written.model_dump() | {"virtual_machines": vms}), "b")
    assert "vm08, vm09 and 30 more in" in many.lacking()
    xen = {name: {"maxl": 1, "hypervisor": "xen"} for name in written.physical_hosts}
    other = written.model_validate(written.model_dump() | {"physical_hosts": xen})
    (domains / "gridce.xml").unlink()
    assert RealWorld(other, "bibe").lacking() == ""


def test_a_story_ends_with_what_holds_now(tmp_path: Path) -> None:
    assert run(tmp_path, "controller", "--once", "--as", "bibe").exit_code == 0
    told = run(tmp_path, "explain", "gridce").output.splitlines()
    assert "bibe: no monitor has fresh data" in told[0]
    assert told[-1].startswith("now: no monitor has fresh data")
    data = json.loads(run(tmp_path, "explain", "gridce", "--json").output)
    assert [event["kind"] for event in data] == ["standstill"]


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken:  # noqa: S104 - as the metrics do
        port = taken.getsockname()[1]
        done = run(tmp_path, "controller", "--as", "bibe", metrics={"port": port})
    assert done.exit_code == 1
    assert f"no metrics on port {port}: Address already in use" in done.output


@pytest.mark.parametrize(
    ("options", "left"),
    [
        ((), "what it had begun stands in the records as under way, and the next tick takes it up"),
        (("--dry-run",), "nothing was done"),
    ],
)
def test_an_interrupted_tick_says_what_it_leaves(
    tmp_path: Path, options: tuple[str, ...], left: str
) -> None:
    """It may have killed a machine, and not started it: `nothing is left half done` is not so."""
    with socket.create_server(("127.0.0.1", 0)) as monitor:
        port = monitor.getsockname()[1]
        path = site(tmp_path, monitors={**MONITORS, "collectors": [NOBODY | {"port": port}]})
        command = [*THREERC, "controller", "--config", str(path), "--as", "bibe", "--once"]
        tick = subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True)
        with monitor.accept()[0]:  # which says nothing: the tick waits
            # What Ctrl-C is, also where a shell keeps SIGINT from what runs in the background.
            tick.send_signal(signal.SIGTERM)
            _, said = tick.communicate(timeout=60)
    assert tick.returncode == 130
    assert said == f"3rc: interrupted; {left}\n"


def test_a_tick_is_over_although_nobody_can_be_told(tmp_path: Path) -> None:
    """Were the command still alive, its output would hold us up."""
    path = site(tmp_path, notify={"command": ("sh", "-c", "sleep 1000")})
    command = [*THREERC, "controller", "--config", str(path), "--as", "bibe"]
    done = subprocess.run(
        [*command, "--once"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0
    assert "nobody was told: no answer from sh within 10 s" in done.stderr
