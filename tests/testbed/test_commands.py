"""The commands, as people type them, on the tiny lab."""

from __future__ import annotations

import json
import secrets
import shutil
import socket
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compiler.support import ROOT
from tests.lab import requires_real
from tests.testbed import tiny, traces
from tests.testbed.tiny import FIRST, SECOND
from threerc.testbed import events, runs
from threerc.testbed.client import Testbed
from threerc.testbed.errors import TestbedError
from threerc.testbed.events import Event, Kind
from threerc.testbed.pictures import png

pytestmark = requires_real()


@pytest.fixture(scope="module")
def testbed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Testbed]:
    folder = tmp_path_factory.mktemp(f"lab-{secrets.token_hex(4)}-")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        with tiny.running(tiny.spec(folder)) as testbed:
            yield testbed
        assert traces.left(folder.name) == []


def typed(*words: str, data: str = "") -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("3rc")), "testbed", *words]
    return subprocess.run(
        command, input=data, capture_output=True, text=True, timeout=60, check=False
    )


def test_status_shows_all_and_what_is_dead(testbed: Testbed) -> None:
    testbed.daemon(SECOND, "sshd", "off")
    testbed.switch("b", "down")
    strike = {"fault": "network"}
    events.append(testbed.run.events, Event(time.time(), Kind.FAULT, FIRST, strike))
    shown = typed("status").stdout.splitlines()
    events.append(testbed.run.events, Event(time.time(), Kind.HEAL, FIRST, strike))
    testbed.switch("b", "up")
    testbed.daemon(SECOND, "sshd", "on")
    assert shown[0].startswith(f"tiny ({testbed.run.id}): running, ")
    assert shown[-1].endswith("/3rc/images")
    assert [line.split() for line in shown[1:-1]] == [
        [FIRST, "physical", "on", "sshd"],
        [SECOND, "physical", "on", "sshd!dead"],
        f"{FIRST}: network; undo it by `3rc testbed heal {FIRST} network`".split(),
        ["switch", "b:", "lan", "is", "down"],
    ]
    assert json.loads(typed("status", "--json").stdout)["run"] == testbed.run.id


def test_ssh_runs_a_command_with_its_words_and_its_end(testbed: Testbed) -> None:
    done = typed(
        "ssh", FIRST, "sh", "-c", 'cat; hostname; echo "$0" "$HOME"; exit 3', "a b", data="x\n"
    )
    assert (done.returncode, done.stdout) == (3, f"x\n{FIRST}\na b /root\n")
    assert testbed.run.lives()


def test_ssh_leaves_all_words_of_a_command_to_it(testbed: Testbed) -> None:
    done = typed("ssh", "--run", testbed.run.id, FIRST, "echo", "--", "--run")
    assert (done.returncode, done.stdout) == (0, "-- --run\n")
    done = typed("ssh", FIRST, "--", "echo a  b; hostname")
    assert (done.returncode, done.stdout) == (0, f"a b\n{FIRST}\n")


def test_ssh_to_a_machine_goes_over_the_network(testbed: Testbed) -> None:
    """To a capsule's sshd under another name: it is really asked, and lets nobody in."""
    testbed.run.write_addresses({"gridce": tiny.SECOND_ADDRESS})
    done = typed("ssh", "gridce", "true")
    assert done.returncode == 255
    assert "Permission denied" in done.stderr
    done = typed("ssh", "nobody")
    assert done.stderr == "3rc: no host nobody (there are: gridce)\n"


def test_logs_of_one_host(testbed: Testbed) -> None:
    shown = typed("logs", SECOND).stdout
    assert f"==> {testbed.run.logs}/{SECOND}/sshd.log <==\nServer listening" in shown
    assert FIRST not in shown
    assert typed("logs", "nobody").returncode == 1


def test_a_console_is_heard_and_typed_to(testbed: Testbed) -> None:
    place = testbed.run.folder / "consoles" / "gridce"
    place.unlink(missing_ok=True)
    heard: list[bytes] = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place))
        listener.listen()

        def machine() -> None:
            connection, _ = listener.accept()
            with connection:
                heard.append(connection.recv(100))
                connection.sendall(b"login: ")

        thread = threading.Thread(target=machine)
        thread.start()
        done = typed("console", "gridce", data="root\n")
        thread.join()
    assert (heard, done.stdout) == ([b"root\n"], "login: ")
    assert "none has no console now" in typed("console", "none").stderr


def test_clean_and_up_say_what_they_do(
    testbed: Testbed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with runs.create("dead") as (run, _):
        pass
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    said = typed("clean").stdout
    assert f"images and packages: 0 MB in {tmp_path}/3rc/images" in said
    assert f"removed {run.folder}" in said
    assert f"3rc testbed down --run {testbed.run.id}" in said
    site = tmp_path / "site.yaml"
    site.write_text("site: x\nnonsense: 1\n")
    done = typed("up", str(site))
    assert done.returncode == 1
    assert "nonsense" in done.stderr
    assert runs.known() == [testbed.run]


def test_a_campaign_that_could_not_be_drawn_is_not_begun(tmp_path: Path) -> None:
    script = "import sys; sys.modules['matplotlib'] = None; from threerc.compiler.cli import main"
    words = ("testbed", "campaign", "--run", "none", "-o", str(tmp_path / "new" / "out"))
    command = [sys.executable, "-P", "-c", f"{script}; main()", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("3rc: a report needs matplotlib")


@pytest.mark.parametrize(
    "words",
    [
        ("up", "examples/ci/site.yaml"),
        ("status",),
        ("screenshot", "gridce", "screen.png"),
        ("campaign", "--run", "none", "-o", "new/out"),
        ("down",),
    ],
    ids=lambda words: words[0],
)
def test_what_is_not_installed_is_named_in_a_line(words: tuple[str, ...], tmp_path: Path) -> None:
    script = "import sys; sys.modules['pyroute2'] = None; from threerc.compiler.cli import main"
    command = [sys.executable, "-P", "-c", f"{script}; main()", "testbed", *words]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("3rc: the testbed needs pyroute2, which is not installed")
    assert "threerc[testbed]" in line


def test_a_site_without_controllers_is_not_brought_up(tmp_path: Path) -> None:
    folder = tmp_path / "ci"
    shutil.copytree(ROOT / "examples/ci", folder)
    text = (folder / "site.yaml").read_text().replace(", controller]", "]")
    (folder / "site.yaml").write_text(text[: text.index("\nrecovery:")])
    done = typed("up", str(folder / "site.yaml"))
    assert (done.returncode, done.stdout) == (1, "")
    assert "ci has no controller" in done.stderr


def test_what_only_healing_ends_is_no_fault_of_a_campaign() -> None:
    done = typed("campaign", "--fault", "disk-errors")
    assert done.returncode == 2
    known = "poweroff, halt, panic, overload, freeze, erase-boot, gmond, power, hang, network"
    assert f"there are {known}\n" in done.stderr


def test_a_picture_keeps_its_pixels() -> None:
    made = png(b"P6\n2 1\n255\n" + b"\x0a\x20\x30\x40\x50\x60")
    assert made[16:24] == b"\0\0\0\2\0\0\0\1"
    data = made[made.index(b"IDAT") + 4 :]
    assert zlib.decompressobj().decompress(data) == b"\0\x0a\x20\x30\x40\x50\x60"
    assert png(made) == made
    with pytest.raises(TestbedError, match="no picture"):
        png(b"GIF89a")
