"""The machines of a site, by Vagrant: up, looked at, entered, crashed, destroyed.

    machines = Machines.create(plan, folder)
    machines.up(say)
    machines.power("alfa01", on=False)
    machines.down()

What Vagrant has no command for, the cable of a network card, its provider is asked for.
"""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter
from vagrant import Vagrant, make_file_cm

from threerc.testbed.errors import TestbedError
from threerc.testbed.process import tail
from threerc.testbed.vagrant.parts import Machine, Plan
from threerc.testbed.vagrant.payload import write_payload
from threerc.testbed.vagrant.vagrantfile import payload, vagrantfile
from threerc.testbed.virsh import VIRSH

_PLAN: Final = "plan.json"
_ADAPTER: Final = TypeAdapter(Plan)
_OVERWRITTEN: Final = "\033[K"
"""After it, Vagrant says something else in the same line."""


@dataclass(frozen=True, slots=True)
class Machines:
    """All machines of a site. Every method raises TestbedError with Vagrant's own words."""

    folder: Path
    plan: Plan

    @classmethod
    def create(cls, plan: Plan, folder: Path) -> Machines:
        """Write what Vagrant needs into a folder. Raises OSError."""
        made = cls(folder, plan)
        (folder / "payloads").mkdir(mode=0o700, exist_ok=True)
        for machine in plan.machines:
            write_payload(machine, payload(folder, machine.name))
        (folder / _PLAN).write_bytes(_ADAPTER.dump_json(plan, indent=1))
        (folder / "Vagrantfile").write_text(vagrantfile(plan, folder), encoding="utf-8")
        return made

    @classmethod
    def of(cls, folder: Path) -> Machines:
        """Those of a folder that was made by `create`."""
        try:
            return cls(folder, _ADAPTER.validate_json((folder / _PLAN).read_bytes()))
        except (OSError, ValueError) as error:
            raise TestbedError(f"{folder} has no machines: {error}") from None

    @property
    def log(self) -> Path:
        """All that Vagrant has said."""
        return self.folder / "vagrant.log"

    def up(self, say: Callable[[str], None]) -> None:
        """Make them all, and each the host that it is to be; `say` is told Vagrant's lines."""
        with self._telling("up"), self.log.open("a", buffering=1, encoding="utf-8") as log:
            provider = self.plan.box.provider
            for line in self._vagrant().up(provider=provider, stream_output=True):
                told = line.rpartition(_OVERWRITTEN)[2].strip()
                if told:
                    log.write(f"{told}\n")
                    say(told)

    def status(self) -> dict[str, str]:
        """How each is: `running`, `poweroff`, `not_created`, or another word of its provider's."""
        with self._telling("status"):
            return {each.name: each.state for each in self._vagrant().status()}

    def ssh(self, host: str, command: tuple[str, ...] = ()) -> list[str]:
        """The command that is root on a host, or runs a command there.

        One word is for a shell there; several are a program and its arguments.
        """
        self._machine(host)
        with self._telling("ssh-config"):
            found = self._vagrant().conf(vm_name=host)
        # Whom we talk to is beyond doubt: it is on a network of this machine's own.
        options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR"]
        flags = [word for option in options for word in ("-o", option)]
        where = ("-p", found["Port"], "-l", found["User"], found["HostName"])
        return ["ssh", "-i", str(self.plan.identity), *flags, *where, *_line(command)]

    def power(self, host: str, *, on: bool) -> None:
        """Cut a machine's power, or switch it on and wait until it lets one in."""
        self._machine(host)
        with self._telling(f"power of {host}"):
            if on:
                self._vagrant().up(vm_name=host, provider=self.plan.box.provider, provision=False)
            else:
                self._vagrant().halt(vm_name=host, force=True)

    def network(self, host: str, *, plugged: bool) -> None:
        """Pull a machine's cables to all networks of the site, or plug them in.

        The one to Vagrant stays. A machine that is switched on has all of them.
        """
        for command in _cable_commands(self._machine(host), self._id(host), self.plan, plugged):
            try:
                done = subprocess.run(command, capture_output=True, text=True, check=False)
            except FileNotFoundError:
                raise TestbedError(f"{command[0]} not found") from None
            if done.returncode != 0:
                raise TestbedError(f"{host}: {command[0]}: {done.stderr.strip()}")

    def down(self) -> None:
        """Destroy them all, also those that are half made."""
        with self._telling("destroy"):
            self._vagrant().destroy()

    # -- Vagrant

    def _machine(self, host: str) -> Machine:
        found = {each.name: each for each in self.plan.machines}
        if host not in found:
            raise TestbedError(f"no host {host} (there are: {', '.join(found)})")
        return found[host]

    def _id(self, host: str) -> str:
        """By what the provider knows a machine."""
        file = self.folder / ".vagrant" / "machines" / host / self.plan.box.provider / "id"
        try:
            return file.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            raise TestbedError(f"{host} is not created") from None

    def _vagrant(self) -> Vagrant:
        to_log = make_file_cm(str(self.log))
        return Vagrant(root=str(self.folder), out_cm=to_log, err_cm=to_log)

    @contextmanager
    def _telling(self, what: str) -> Iterator[None]:
        try:
            yield
        except subprocess.CalledProcessError as error:
            why = f"vagrant {what} ended with {error.returncode}"
            raise TestbedError(f"{why}\n{tail(self.log)}") from None
        except RuntimeError as error:  # there is no vagrant
            raise TestbedError(f"{error} (Debian: vagrant, vagrant-libvirt)") from None


def _line(command: tuple[str, ...]) -> list[str]:
    """A command for ssh, which would join its words with blanks and no quotes."""
    if not command:
        return []
    return ["--", command[0] if len(command) == 1 else shlex.join(command)]


def _cable_commands(
    machine: Machine, known_as: str, plan: Plan, plugged: bool
) -> Iterator[list[str]]:
    for number, wire in enumerate(machine.wires, 2):
        if plan.box.provider == "libvirt":
            state = "up" if plugged else "down"
            yield [*VIRSH, "domif-setlink", known_as, wire.mac, state]
        else:
            state = "on" if plugged else "off"
            yield ["VBoxManage", "controlvm", known_as, f"setlinkstate{number}", state]
