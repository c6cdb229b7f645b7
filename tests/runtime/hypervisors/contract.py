"""What every hypervisor has to do, through a real sshd that forces 3RC's forced command."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import pytest

from threerc.runtime.config import ControllerConfig
from threerc.runtime.errors import Conflict, Refused, Unreachable
from threerc.runtime.hypervisors import open_hypervisor
from threerc.runtime.hypervisors.base import RemoteHypervisor
from threerc.runtime.world import Hypervisor


class Hosts(Protocol):
    """Two physical hosts, seen from themselves and not through 3RC."""

    config: ControllerConfig

    def alive(self, host: str) -> set[str]:
        """The VMs that hold memory there."""

    def pause(self, host: str, vm: str) -> None:
        """Stop a VM, which keeps its memory and disk."""

    def snapshot(self, vm: str) -> None:
        """Take a snapshot of the disk of a VM that does not run, and write to it after that."""

    def is_as_in_snapshot(self, vm: str) -> bool:
        """Whether the disk says again what it said when the snapshot was taken."""

    def home(self, host: str) -> Path:
        """The home directory there of the user as whom the controllers log in."""

    def stop(self, host: str) -> int:
        """Let the host's sshd hang; the id of the process to be continued."""


class HypervisorContract:
    """Subclasses have a fixture `hosts`, with nothing running."""

    def at(self, hosts: Hosts, host: str) -> RemoteHypervisor:
        return open_hypervisor(hosts.config, host)

    def test_is_one_as_the_controller_wants_it(self, hosts: Hosts) -> None:
        hypervisor: Hypervisor = self.at(hosts, "alfa01")
        assert hypervisor.running() == frozenset()

    def test_starts_and_kills(self, hosts: Hosts) -> None:
        there = self.at(hosts, "alfa01")
        there.start("vrt1")
        assert there.running() == hosts.alive("alfa01") == {"vrt1"}
        there.start("vrt1")
        assert hosts.alive("alfa01") == {"vrt1"}
        there.kill("vrt1")
        assert there.running() == hosts.alive("alfa01") == set()
        there.kill("vrt1")
        there.start("vrt1")
        assert hosts.alive("alfa01") == {"vrt1"}

    def test_starts_nothing_without_leave(self, hosts: Hosts) -> None:
        """What switches it on is the last call of all, and is not made too late."""
        leave = Given(100)
        there = open_hypervisor(hosts.config, "alfa01", leave)
        there.start("vrt1")
        needed = leave.asked
        there.kill("vrt1")
        there = open_hypervisor(hosts.config, "alfa01", Given(needed - 1))
        with pytest.raises(Conflict):
            there.start("vrt1")
        assert hosts.alive("alfa01") == set()

    def test_starts_elsewhere_once_the_old_copy_is_dead(self, hosts: Hosts) -> None:
        self.at(hosts, "alfa01").start("vrt1")
        self.at(hosts, "alfa01").kill("vrt1")
        self.at(hosts, "alfa02").start("vrt1")
        assert hosts.alive("alfa01") == set()
        assert hosts.alive("alfa02") == {"vrt1"}

    def test_takes_no_name_for_a_part_of_another_or_a_number(self, hosts: Hosts) -> None:
        there = self.at(hosts, "alfa01")
        alive = {"vrt10", "vrt1", "1"}
        for name in ("vrt10", "vrt1", "1"):
            there.start(name)
        for name in ("1", "vrt1", "vrt10"):
            there.kill(name)
            alive -= {name}
            assert hosts.alive("alfa01") == alive

    def test_what_the_login_shell_says_is_no_vm(self, hosts: Hosts) -> None:
        with shell_says(hosts.home("alfa01"), r"Welcome to alfa01!\n\nlast login  today\n"):
            there = self.at(hosts, "alfa01")
            there.start("vrt1")
            assert there.running() == hosts.alive("alfa01") == {"vrt1"}
            there.kill("vrt1")
            assert hosts.alive("alfa01") == set()

    def test_what_cannot_be_told_from_a_vm_is_no_answer(self, hosts: Hosts) -> None:
        """A line that the shell has begun and the list has ended: something may run."""
        self.at(hosts, "alfa01").start("vrt1")
        with shell_says(hosts.home("alfa01"), "no line end"), pytest.raises(Refused, match="list"):
            self.at(hosts, "alfa01").running()

    def test_a_paused_copy_runs_and_is_killed(self, hosts: Hosts) -> None:
        there = self.at(hosts, "alfa01")
        there.start("vrt1")
        hosts.pause("alfa01", "vrt1")
        assert there.running() == {"vrt1"}
        there.kill("vrt1")
        assert hosts.alive("alfa01") == set()

    def test_restores_the_last_snapshot(self, hosts: Hosts) -> None:
        hosts.snapshot("vrt1")
        there = self.at(hosts, "alfa02")
        there.restore("vrt1")
        assert hosts.alive("alfa02") == {"vrt1"}
        assert hosts.is_as_in_snapshot("vrt1")

    def test_does_not_restore_what_runs_or_has_no_snapshot(self, hosts: Hosts) -> None:
        there = self.at(hosts, "alfa01")
        with pytest.raises(Refused, match="no snapshot of vrt10"):
            there.restore("vrt10")
        hosts.snapshot("vrt1")
        there.start("vrt1")
        with pytest.raises(Refused, match="vrt1 runs"):
            there.restore("vrt1")
        assert hosts.alive("alfa01") == {"vrt1"}

    def test_touches_no_vm_that_the_site_has_not(self, hosts: Hosts) -> None:
        there = self.at(hosts, "alfa01")
        there.start("vrt1")
        for name in ("", "vrt", "-vrt1", "vrt1;id", "$(id)", "vrt1\nvrt10", "a b"):
            for call in (there.start, there.kill, there.restore):
                with pytest.raises(Refused, match="no virtual machine"):
                    call(name)
        assert hosts.alive("alfa01") == {"vrt1"}

    def test_does_not_move_to_where_it_may_not(self, hosts: Hosts) -> None:
        there = self.at(hosts, "alfa01")
        with pytest.raises(Refused, match="no physical host"):
            there.migrate("vrt1", "$(id)")
        with pytest.raises(Refused, match="does not run there"):
            there.migrate("vrt1", "alfa02")
        with pytest.raises(Refused, match="mirrored volume"):
            there.migrate("gridse", "alfa02")

    def test_a_host_that_hangs_is_unreachable(self, hosts: Hosts) -> None:
        there = self.at(hosts, "alfa01")
        there.start("vrt1")
        soon = hosts.config.ssh.model_copy(update={"connect": 2})
        there = open_hypervisor(hosts.config.model_copy(update={"ssh": soon}), "alfa01")
        stopped = hosts.stop("alfa01")
        try:
            with pytest.raises(Unreachable, match="alfa01"):
                there.kill("vrt1")
        finally:
            os.kill(stopped, signal.SIGCONT)
        assert hosts.alive("alfa01") == {"vrt1"}
        assert left_over() == []


@contextmanager
def shell_says(home: Path, text: str) -> Iterator[None]:
    """Have each login shell say something before the command that it is given."""
    profile = home / ".bashrc"
    profile.write_text(f"printf '{text}'\n")
    try:
        yield
    finally:
        profile.unlink()


class Given:
    """Leave that another controller takes away after so many calls; until then so many seconds."""

    def __init__(self, calls: int, seconds: float = 30.0) -> None:
        self.calls = calls
        self.seconds = seconds
        self.asked = 0

    def __call__(self) -> float:
        self.asked += 1
        if self.asked > self.calls:
            raise Conflict("another controller has taken over")
        return self.seconds


def left_over() -> list[list[str]]:
    """The ssh processes that this process has started and that are still there."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_text().split("\0")
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if words[0] == "ssh" and parent == os.getpid():
            found.append(words)
    return found
