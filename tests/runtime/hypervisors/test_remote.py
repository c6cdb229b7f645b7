"""ssh to a real sshd: what arrives there, what comes back, and what never ends."""

from __future__ import annotations

import shlex
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from tests.lab import requires_real
from tests.runtime.hypervisors.contract import Given, left_over
from tests.runtime.hypervisors.sshd import Keys, free_port, install_wrapper, settings, sshd
from tests.runtime.hypervisors.standin_hosts import PATH
from threerc.runtime import programs
from threerc.runtime.config import Ssh
from threerc.runtime.errors import Conflict, Refused, Unreachable
from threerc.runtime.remote import Remote

pytestmark = requires_real()

ADDRESS: Final = "127.0.0.13"
HOSTILE: Final = [
    "a b", "$HOME", "`id`", "'", '"', "\\", "*", "~", "!!", "a;b", "#", "-n", "", "é", "{a,b}",
]  # fmt: skip


@pytest.fixture(scope="module")
def open_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remote]:
    """A host that lets the controller's key do all, so that what arrives can be seen."""
    work = tmp_path_factory.mktemp("open")
    keys = Keys.make(work / "keys", ["alfa01"])
    port = free_port([ADDRESS])
    config = settings(work, keys, ADDRESS, port, PATH)
    (work / "authorized_keys").write_text(keys.user.with_suffix(".pub").read_text())
    with sshd(config, ADDRESS, port):
        login = Ssh(port=port, key=str(keys.user), connect=15)
        yield Remote("alfa01", ADDRESS, login, 30, str(keys.known_hosts))


def with_seconds(remote: Remote, seconds: float) -> Remote:
    return replace(remote, seconds=seconds)


def test_arguments_arrive_as_they_are(open_host: Remote) -> None:
    said = open_host.done("printf", r"%s\n", *HOSTILE)
    assert said.split("\n")[:-1] == HOSTILE


def test_the_exit_status_comes_back(open_host: Remote) -> None:
    answer = open_host.call("sh", "-c", "echo out; echo err >&2; exit 3")
    assert (answer.status, answer.output, answer.errors) == (3, "out\n", "err\n")
    with pytest.raises(Refused, match="alfa01: sh: err"):
        open_host.done("sh", "-c", "echo err >&2; exit 3")


def test_input_arrives_however_much_it_is(open_host: Remote) -> None:
    assert open_host.done("wc", "-c", text="x" * 500_000).strip() == "500000"


@pytest.mark.parametrize("argument", ["a\nb", "a\0b", "\x1b[2J", "\x7f"])
def test_control_characters_are_not_sent(open_host: Remote, argument: str) -> None:
    with pytest.raises(Refused, match="control characters"):
        open_host.call("echo", argument)


def test_what_takes_too_long_is_killed_here(open_host: Remote) -> None:
    with pytest.raises(Unreachable, match="alfa01: no answer from ssh within 2 s: sleep 600"):
        with_seconds(open_host, 2).call("sleep", "600")
    assert left_over() == []


def test_a_call_of_an_action_ends_with_it(open_host: Remote) -> None:
    in_an_action = replace(open_host, leave=Given(1, seconds=2))
    with pytest.raises(Unreachable, match="alfa01: no answer from ssh within 2 s: sleep 600"):
        in_an_action.call("sleep", "600", seconds=600)
    assert left_over() == []


def test_a_call_of_an_action_that_is_over_is_not_made(open_host: Remote, tmp_path: Path) -> None:
    with pytest.raises(Conflict):
        replace(open_host, leave=Given(0)).call("touch", str(tmp_path / "late"))
    assert not (tmp_path / "late").exists()


def test_a_host_that_talks_without_end_is_cut_off(open_host: Remote) -> None:
    with pytest.raises(Refused, match="more than"):
        open_host.call("yes")
    assert left_over() == []


def test_the_agent_is_not_asked_and_not_lent(
    open_host: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX) as agent:
        agent.bind(str(tmp_path / "agent"))
        agent.listen()
        agent.setblocking(False)
        monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
        assert "SSH_AUTH_SOCK" not in open_host.done("env")
        with pytest.raises(BlockingIOError):
            agent.accept()


def test_a_host_with_another_key_is_not_talked_to(open_host: Remote, tmp_path: Path) -> None:
    other = Keys.make(tmp_path, ["alfa01"]).known_hosts
    wrong = Remote("alfa01", ADDRESS, open_host.settings, 30, str(other))
    with pytest.raises(Unreachable, match=r"(?i)host key verification failed"):
        wrong.call("true")


def test_a_host_without_a_known_key_is_not_talked_to(open_host: Remote) -> None:
    wrong = Remote("alfa02", ADDRESS, open_host.settings, 30, open_host.known_hosts)
    with pytest.raises(Unreachable, match="alfa02"):
        wrong.call("true")


def test_a_key_that_is_not_let_in(open_host: Remote, tmp_path: Path) -> None:
    key = str(Keys.make(tmp_path, []).user)
    login = open_host.settings.model_copy(update={"key": key})
    with pytest.raises(Unreachable, match="Permission denied"):
        Remote("alfa01", ADDRESS, login, 30, open_host.known_hosts).call("true")


def test_nobody_listens(open_host: Remote) -> None:
    login = open_host.settings.model_copy(update={"port": free_port([ADDRESS])})
    with pytest.raises(Unreachable, match="refused"):
        Remote("alfa01", ADDRESS, login, 30, open_host.known_hosts).call("true")


@pytest.mark.parametrize("ours", [True, False], ids=["ssh's own time-out", "our time-out"])
def test_a_port_that_takes_connections_and_never_answers(open_host: Remote, ours: bool) -> None:
    with socket.socket() as silent:
        silent.bind((ADDRESS, 0))
        silent.listen()
        port = silent.getsockname()[1]
        login = open_host.settings.model_copy(update={"port": port, "connect": 1 if ours else 600})
        remote = Remote("alfa01", ADDRESS, login, 30 if ours else 2, open_host.known_hosts)
        with pytest.raises(Unreachable, match="alfa01"):
            remote.call("true")
    assert left_over() == []


def test_what_a_program_has_started_dies_with_it(tmp_path: Path) -> None:
    script = f"sleep 600 & echo $! > {shlex.quote(str(tmp_path / 'child'))}; wait"
    with pytest.raises(Unreachable):
        programs.run(["sh", "-c", script], 3)
    child = int((tmp_path / "child").read_text())
    deadline = time.monotonic() + 30  # a killed process dies when it is given a core next
    while runs(child):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def runs(pid: int) -> bool:
    """Whether it does; a dead one may not be reaped yet where nobody does that."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in {"Z", "X"}


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(Unreachable, match="cannot run /nowhere: No such file"):
        programs.run(["/nowhere"], 5)


# -- the forced command

REFUSED: Final = [
    "id",
    "sh -c id",
    "virsh",
    "virsh -c qemu:///system",
    "virsh -c qemu:///system list",
    "virsh -c qemu:///session list --uuid --name",
    "virsh -c qemu:///system destroy",
    "virsh -c qemu:///system destroy vrt1",
    "virsh -c qemu:///system destroy -1",
    "virsh -c qemu:///system destroy 0a0a-0a 0b",
    "virsh -c qemu:///system undefine 0a0a-0a",
    "virsh -c qemu:///system define /etc/passwd",
    "virsh -c qemu:///system list --uuid --name; id",
    "virsh -c qemu:///system list --uuid --name\nid",
    "virsh -c 'qemu:///system' list --uuid --name",
    "virsh -c qemu:///system list --uuid --name $(id)",
    "drbdadm primary -h",
    "drbdadm primary --force gridse",
    "drbdadm down gridse",
    "drbdadm primary all/../x",
    "qemu-img snapshot -a 1 disk",
    "qemu-img snapshot -a 1 /images/../etc/shadow",
    "qemu-img snapshot -d 1 /images/vrt1.qcow2",
    "rm -r -f -- /",
    "rm -r -f -- /etc",
    "rm -r -f -- /x/../etc/vrt1.lck",
    "dd status=none of=/etc/passwd",
    "dd status=none of=/run/3rc-../../etc/passwd.cfg",
    "dd status=none of=/run/3rc-x.cfg of=/etc/passwd",
    "kill -KILL -1",
    "kill -KILL 1 2",
    "ln -s -f -n -- /etc/shadow /srv/tftp/pxelinux.cfg/.C0A8011F.bibe",
    "ln -s -f -n -- local /srv/tftp/pxelinux.cfg/C0A8011F",
    "ln -s -f -n -- local /srv/tftp/other/.C0A8011F.bibe",
    "mv -T -- /srv/tftp/pxelinux.cfg/.C0A8011F.bibe /etc/passwd",
    "mv -T -- /etc/shadow /srv/tftp/pxelinux.cfg/local",
    "readlink -- /proc/1/exe",
    "reboot",
    "",
]
ALLOWED: Final = [
    "virsh -c qemu:///system list --uuid --name",
    "virsh -c qemu:///system start --force-boot 8ebc029a-f391-5f3f-8256-88590d3e1db7",
    "drbdadm primary grid-se_1.x",
    "qemu-img info --output=json /dev/vg0/vrt1",
    "dd status=none of=/run/3rc-vrt1.cfg",
    "xl migrate 12 192.168.1.12",
    "kill -KILL 4711",
    "rm -r -f -- /opt/vmware/vrt1/vrt1.vmdk.lck",
    "ln -s -f -n -- sl4-32 /srv/tftp/pxelinux.cfg/.C0A8011F.bibe",
    "mv -T -- /srv/tftp/pxelinux.cfg/.C0A8011F.bibe /srv/tftp/pxelinux.cfg/C0A8011F",
    "readlink -- /srv/tftp/pxelinux.cfg/C0A8011F",
]


@pytest.fixture(scope="module")
def forced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remote]:
    """A host with the forced command, on which every program only says how it was called."""
    work = tmp_path_factory.mktemp("forced")
    keys = Keys.make(work / "keys", ["alfa01"])
    port = free_port([ADDRESS])
    programs_folder = work / "bin"
    programs_folder.mkdir()
    for command in (*ALLOWED, *REFUSED):
        name = command.split()[0] if command else "true"
        if "/" not in name and name != "sh":
            program = programs_folder / name
            program.write_text(f'#!/bin/sh\necho ran {name} "$@"\n')
            program.chmod(0o755)
    config = settings(work, keys, ADDRESS, port, f"{programs_folder}:{PATH}")
    with sshd(config, ADDRESS, port):
        login = Ssh(port=port, key=str(keys.user), connect=15)
        yield Remote("alfa01", ADDRESS, login, 30, str(keys.known_hosts))


def raw(remote: Remote, command: str) -> programs.Answer:
    """Have the remote shell see exactly this."""
    prefix = remote.command(("x",))[:-1]
    return programs.run([*prefix, command], 30)


@pytest.mark.parametrize("command", ALLOWED)
def test_the_forced_command_lets_pass(forced: Remote, command: str) -> None:
    assert forced.done(*command.split()) == f"ran {command}\n"


@pytest.mark.parametrize("command", REFUSED)
def test_the_forced_command_refuses(forced: Remote, command: str) -> None:
    answer = raw(forced, command)
    assert answer.status == 126
    assert "ran" not in answer.output
    assert "not allowed here" in answer.errors


def test_a_refusal_is_told_as_such(forced: Remote) -> None:
    with pytest.raises(Refused, match="alfa01: 3rc-allow: not allowed here: id"):
        forced.call("id")


def test_the_forced_command_gives_no_shell_and_no_forwarding(forced: Remote) -> None:
    login = forced.settings
    options = {
        "BatchMode": "yes",
        "IdentityFile": str(login.key),
        "UserKnownHostsFile": str(forced.known_hosts),
        "HostKeyAlias": "alfa01",
        "ExitOnForwardFailure": "yes",
    }
    given = [part for each in options.items() for part in ("-o", "=".join(each))]
    forward = ["ssh", "-F", "none", *given, "-p", str(login.port), "-N", "-R", "0:127.0.0.1:1"]
    assert "remote port forwarding failed" in programs.run([*forward, forced.address], 30).errors


def test_the_forced_command_needs_no_bash(tmp_path: Path) -> None:
    wrapper = install_wrapper(tmp_path)
    environment = {"SSH_ORIGINAL_COMMAND": "readlink -- /srv/tftp/pxelinux.cfg/NONE"}
    assert programs.run(["dash", str(wrapper)], 10, environment=environment).status == 1
    environment = {"SSH_ORIGINAL_COMMAND": "id"}
    assert programs.run(["dash", str(wrapper)], 10, environment=environment).status == 126
