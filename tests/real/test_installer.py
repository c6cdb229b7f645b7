"""The post-install hook on a host, with a real named and a real web server to ask.

/root, /var/log and /etc are the test's own, in a mount namespace of the hook.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.compiler.support import SNS_PISA, compiled
from tests.lab import Namespace, namespace, requires_real
from tests.lab.process import running, tail, wait_until
from threerc.compiler.artefacts.installer import compile_installer
from threerc.compiler.artefacts.zones import compile_zones
from threerc.compiler.source.load import load

pytestmark = requires_real()

SERVER, HOST = "192.168.1.10", "192.168.1.31"
DEAD = "192.168.1.9"
"""The second name server, on which nothing listens."""
IN_PRIVATE = """
mount --bind "$1/root" /root
mount --bind "$1/log" /var/log
mount --bind "$1/etc" /etc
exec sh "$2"
"""
NAMED = """
mount --bind "$1" /etc/bind
mount -t tmpfs none /var/cache/bind
mount -t tmpfs none /run
exec named -4 -g
"""


@pytest.fixture
def mute(tmp_path: Path) -> Iterator[Namespace]:
    """The network of bibe with its web server alone; tmp_path/web is the document root."""
    site = load(SNS_PISA).site
    assert site is not None
    for artefact in (compile_zones, compile_installer):
        tree = compiled(artefact, site, folder=SNS_PISA.parent)
        for path, entry in tree.entries.items():
            file = tmp_path / "tree" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(entry.content)
    (tmp_path / "tree/bibe/srv/install").rename(tmp_path / "web")
    for name in ("base", "ce"):
        script = f"#!/bin/sh\necho {name} >>/root/ran\n"
        (tmp_path / f"web/scripts/middleware/{name}.sh").write_text(script)
    bind = tmp_path / "bind"
    shutil.copytree("/etc/bind", bind)
    shutil.copytree(tmp_path / "tree/bibe/etc/bind", bind, dirs_exist_ok=True)
    for name in ("root", "log", "etc/cron.d"):
        (tmp_path / name).mkdir(parents=True)
    web = [sys.executable, "-m", "http.server", "80", "--bind", SERVER, "-d", str(tmp_path / "web")]
    with (
        namespace(tmp_path / "net", f"{DEAD}/24", f"{SERVER}/24", f"{HOST}/24") as net,
        serving(net, web, "80"),
    ):
        yield net


@pytest.fixture
def net(mute: Namespace, tmp_path: Path) -> Iterator[Namespace]:
    """The network of bibe, with its name and web server."""
    command = ["unshare", "-m", "sh", "-ec", NAMED, "sh", str(tmp_path / "bind")]
    with serving(mute, command, "53"):
        yield mute


@contextmanager
def serving(net: Namespace, command: list[str], port: str) -> Iterator[None]:
    """Run a server in the namespace from when its port is open."""
    log = net.work / f"port{port}.log"
    inside = ["ip", "netns", "exec", net.name]
    listening = [*inside, "ss", "-Hltn", f"sport = :{port}"]
    with running([*inside, *command], log) as process:
        wait_until(
            lambda: bool(subprocess.run(listening, capture_output=True, check=True).stdout),
            f"port {port} was open\n{tail(log)}",
            process,
            20,
        )
        yield


def install(net: Namespace, folder: Path) -> tuple[int, str, list[str]]:
    """Run the hook: its exit status, its log, and the scripts that were run."""
    hook = str(folder / "web/post/install.sh")
    command = ["ip", "netns", "exec", net.name, "unshare", "-m", "sh", "-ec", IN_PRIVATE, "sh"]
    status = subprocess.run([*command, str(folder), hook], check=False, timeout=60).returncode
    ran = folder / "root/ran"
    return (
        status,
        (folder / "log/3rc-install.log").read_text(),
        ran.read_text().split() if ran.exists() else [],
    )


def test_the_hook_installs_what_dns_says(net: Namespace, tmp_path: Path) -> None:
    (tmp_path / "web/files").mkdir(exist_ok=True)
    (tmp_path / "web/files/cron-updates").write_text("# updates\n")
    status, log, ran = install(net, tmp_path)
    assert status == 0, log
    assert "this host is sl4-32 with ig_CE" in log
    assert ran == ["base", "ce"]
    keys = tmp_path / "root/.ssh/authorized_keys"
    assert keys.read_text().endswith(" ha@bussolo\n")
    assert keys.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "etc/cron.d/3rc-updates").read_text() == "# updates\n"
    assert {path.name for path in (tmp_path / "root").iterdir()} == {".ssh", "ran"}


@pytest.mark.parametrize(
    ("table", "written"), [(f"{HOST} gridce\n", "own"), ("192.168.1.11 alfa01\n", "shared")]
)
def test_the_hook_fetches_the_gmond_conf_that_is_meant_for_the_host(
    table: str, written: str, net: Namespace, tmp_path: Path
) -> None:
    served = tmp_path / "web/files/gmond.d"
    served.mkdir(parents=True)
    for name, text in (("hosts", table), ("gridce.conf", "own"), ("default.conf", "shared")):
        (served / name).write_text(text)
    (tmp_path / "etc/ganglia").mkdir()
    status, log, _ = install(net, tmp_path)
    assert status == 0, log
    assert (tmp_path / "etc/ganglia/gmond.conf").read_text() == written


def test_the_hook_stops_at_the_first_failure(net: Namespace, tmp_path: Path) -> None:
    (tmp_path / "web/scripts/middleware/base.sh").write_text(
        "#!/bin/sh\necho broken disk\nexit 3\n"
    )
    status, log, ran = install(net, tmp_path)
    assert status == 1
    assert "broken disk\n" in log
    assert "base.sh ended with status 3; what follows it was not run" in log
    assert ran == []


def test_a_package_asks_nobody(
    net: Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Debian's installer has the questions of packages passed to itself, and hears no answer."""
    monkeypatch.setenv("DEBIAN_FRONTEND", "passthrough")
    monkeypatch.setenv("DEBIAN_HAS_FRONTEND", "1")
    (tmp_path / "web/scripts/middleware/base.sh").write_text(
        "#!/bin/sh\necho $DEBIAN_FRONTEND${DEBIAN_HAS_FRONTEND-} >>/root/ran\n"
    )
    status, log, ran = install(net, tmp_path)
    assert status == 0, log
    assert ran == ["noninteractive", "ce"]


def test_a_script_that_is_not_there_is_a_failure(net: Namespace, tmp_path: Path) -> None:
    (tmp_path / "web/scripts/middleware/ce.sh").unlink()
    status, log, ran = install(net, tmp_path)
    assert status == 1
    assert "FAILED: cannot fetch http://192.168.1.10/scripts/middleware/ce.sh" in log
    assert ran == ["base"]


@pytest.mark.parametrize("missing", ["", "dig", "dig host"])
def test_a_host_without_hinfo_gets_no_middleware(
    missing: str, net: Namespace, tmp_path: Path
) -> None:
    without(missing, tmp_path)
    net.ip("address", "delete", f"{HOST}/24", "dev", "br0")
    status, log, ran = install(net, tmp_path)
    assert status == 0
    assert "has no HINFO for this host: no middleware is installed" in log
    assert ran == []


@pytest.mark.parametrize("missing", ["", "dig", "dig host"])
def test_a_host_whose_name_servers_are_dead_is_not_done(
    missing: str, mute: Namespace, tmp_path: Path
) -> None:
    without(missing, tmp_path)
    status, log, ran = install(mute, tmp_path)
    assert status == 1
    assert f"FAILED: no name server answers: {SERVER}" in log
    assert ran == []


def test_a_host_without_a_tool_to_ask_with_is_not_done(net: Namespace, tmp_path: Path) -> None:
    without("dig host", tmp_path)
    hook = tmp_path / "web/post/install.sh"
    hook.write_text(hook.read_text().replace("nslookup", "no-such"))
    status, log, ran = install(net, tmp_path)
    assert status == 1
    assert "FAILED: neither dig nor host" in log
    assert ran == []


def test_a_name_server_that_is_up_late_is_asked_again(net: Namespace, tmp_path: Path) -> None:
    """It is down when the host asks for its HINFO, and up when it asks whether anybody answers."""
    hook = tmp_path / "web/post/install.sh"
    text = hook.read_text()
    text = text.replace("\nanswer=$(hinfo)\n", "\nservers=127.0.0.9\nanswer=$(hinfo)\n", 1)
    hook.write_text(text.replace("\nanswered() {\n", f"\nanswered() {{\nservers={SERVER}\n"))
    status, log, ran = install(net, tmp_path)
    assert status == 0, log
    assert ran == ["base", "ce"]


def without(missing: str, folder: Path) -> None:
    """Let the hook not find some tools."""
    hook = folder / "web/post/install.sh"
    for name in missing.split():
        hook.write_text(hook.read_text().replace(f"command -v {name} ", "command -v no-such "))


@pytest.mark.parametrize("missing", ["dig", "dig host", "curl", "curl wget"])
def test_other_tools_do_as_well(missing: str, net: Namespace, tmp_path: Path) -> None:
    without(missing, tmp_path)
    status, log, ran = install(net, tmp_path)
    assert status == 0, log
    assert ran == ["base", "ce"]
