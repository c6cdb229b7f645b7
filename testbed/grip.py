"""A running testbed as faults, crashes and judges take hold of it.

Everything that the site itself knows is asked of the site: whether a machine is up of a controller,
what was decided of the controllers' log.
"""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from threerc.runtime.bootlinks import BootLinks
from threerc.runtime.config import ControllerConfig, load
from threerc.runtime.stores.logs import EVENTS, TEXT
from threerc.testbed import events
from threerc.testbed.client import Answer, Testbed
from threerc.testbed.daemons.program import PROGRAM
from threerc.testbed.errors import TestbedError
from threerc.testbed.events import Event
from threerc.testbed.faults import SERVICES, unhealed
from threerc.testbed.splitting import decision
from threerc.testbed.virsh import VIRSH

CONTROLLER_YAML: Final = "/etc/3rc/controller.yaml"
_DAEMONS: Final = {**SERVICES, "gmetad": "gmetad", "install": "install-server"}
_READ: Final = {
    "named": ("/etc/bind/named.conf",),
    "dhcpd": ("/etc/kea/kea-dhcp4.conf", "/etc/dhcp/dhcpd.conf"),
    "tftpd": (),
}
"""What each of them reads, as its command names it; a TFTP server reads a folder of the site's."""
_CONTROLLERS: Final = ("controller", "cron")
"""What starts a controller: a daemon of its own or, where there is none, cron."""
_SECONDS: Final = 90.0
_LINES: Final = 5000


@dataclass(frozen=True)
class Grip:
    """The hands of a testbed. All methods raise TestbedError."""

    testbed: Testbed

    @cached_property
    def config(self) -> ControllerConfig:
        """What the controllers know."""
        found = sorted(self.tree.glob(f"*{CONTROLLER_YAML}"))
        if not found:
            raise TestbedError("the site has no controller")
        return load(found[0])

    @property
    def tree(self) -> Path:
        """What was compiled, with a folder for each host."""
        return self.testbed.run.folder / "tree"

    @cached_property
    def daemons(self) -> dict[str, tuple[str, ...]]:
        """The daemons that each capsule has, running or not."""
        status = self.testbed.status()
        return {c["name"]: tuple(d["name"] for d in c["daemons"]) for c in status["capsules"]}

    # -- as faults take hold of it: see faults/base.py

    def run(self, host: str, *command: str, seconds: float = _SECONDS) -> Answer:
        """Run a program as root in a host's capsule, to its end."""
        return self.testbed.execute(host, *command, seconds=seconds)

    def guest(self, vm: str, command: str, *, seconds: float = _SECONDS) -> Answer:
        """Run a shell command as root inside a virtual machine, over ssh."""
        ssh = self.config.ssh
        options = {
            "BatchMode": "yes",
            "ConnectTimeout": "5",
            "HostKeyAlias": vm,
            "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": "/etc/3rc/known_hosts",
        }
        words = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
        login = ("ssh", "-i", str(ssh.key), *words, "-l", ssh.user, self.address(vm))
        return self.run(self.controller, *login, "--", command, seconds=seconds)

    def where(self, vm: str) -> str:
        """The physical host on which a virtual machine runs."""
        found = self.copies(vm)
        if not found:
            raise TestbedError(f"{vm} runs on no physical host")
        return found[0]

    def copies(self, vm: str) -> tuple[str, ...]:
        """All physical hosts on which it runs."""
        return tuple(host for host, running in self.running().items() if vm in running)

    def running(self) -> dict[str, list[str]]:
        """The virtual machines that run, by physical host that is on.

        By their processes: libvirtd may be what is broken.
        """
        return {
            each["name"]: _GUEST.findall(self.run(each["name"], "pgrep", "-a", "qemu-system").out)
            for each in self.testbed.status()["capsules"]
            if each["kind"] == "physical" and each["power"] == "on"
        }

    def down(self, running: Mapping[str, Sequence[str]]) -> list[str]:
        """The virtual machines that are in none of those lists; without controllers there are none.

        `running` is what each physical host runs.
        """
        there = {vm for vms in running.values() for vm in vms}
        try:
            return [vm for vm in self.config.virtual_machines if vm not in there]
        except TestbedError:
            return []

    def is_on(self, host: str) -> bool:
        """Whether a host has power."""
        capsules = self.testbed.status()["capsules"]
        return any(c["name"] == host and c["power"] == "on" for c in capsules)

    def power(self, host: str, *, on: bool) -> None:
        """Cut a host's power, or give it back."""
        if self.is_on(host) != on:
            self.testbed.power(host, "on" if on else "off")

    def freeze(self, host: str, *, frozen: bool) -> None:
        """Stop all processes of a host where they are, or let them go on."""
        self.testbed.freeze(host, "frozen" if frozen else "thawed")

    def cable(self, host: str, *, plugged: bool) -> None:
        """Pull all of a host's network cables, or plug them in again."""
        self.testbed.card(host, "mended" if plugged else "cut")

    def switch(self, name: str, *, works: bool) -> None:
        """Break a switch of the cabling, or the uplink of the one that some hosts are on; mend it.

        `name` is the switch's, or the hosts' with blanks between them, as in the simulator.
        """
        hosts = name.split()
        if set(hosts) <= self.daemons.keys():
            self.testbed.apart(hosts, "together" if works else "apart")
        else:
            self.testbed.switch(name, "up" if works else "down")

    def service(self, host: str, daemon: str, *, runs: bool) -> None:
        """Stop a host's daemon, or start it again."""
        if daemon in _CONTROLLERS:  # which of them starts the controller there
            daemon = next(each for each in _CONTROLLERS if each in self.daemons.get(host, ()))
        self.testbed.daemon(host, daemon, "on" if runs else "off")

    def halt(self, host: str, daemon: str, *, halted: bool) -> None:
        """Stop a host's daemon where it is (SIGSTOP), or let it go on."""
        self.testbed.signal(host, daemon, "STOP" if halted else "CONT")

    def mount(self, host: str, folder: str, *, mounted: bool) -> None:
        """Take a shared folder away from a host, or give it back.

        What is left is what a folder is on which nothing is mounted: empty.
        """
        covered = self.run(host, "findmnt", "-n", "-o", "SOURCE", folder).out.split()[-1:]
        if mounted and covered == [_COVER]:
            self._succeed(host, "umount", folder)
        elif not mounted and covered != [_COVER]:
            self._succeed(host, "mount", "-t", "tmpfs", "-o", "ro", _COVER, folder)

    def lie(self, host: str, daemon: str, mode: str | None, silent: tuple[str, ...] = ()) -> None:
        """Let a host's gmetad or gmond lie in one of the ways of lying.py, or not (None)."""
        monitors = self.config.monitors
        asked = monitors.gmetad if daemon == "gmetad" else monitors.collectors
        port = next((each.port for each in asked if each.host == host), None)
        if port is None:
            raise TestbedError(f"no controller asks the {daemon} of {host}")
        unknown = sorted({*silent} - {*self.daemons, *self.config.virtual_machines})
        if unknown:
            raise TestbedError(f"the testbed has no {unknown[0]}")
        program = (sys.executable, "-P", "-m", "threerc.testbed.lying", str(port))
        words = ("end",) if mode is None else ("begin", mode, *silent)
        self._succeed(host, *program, *words)

    def mislead(self, host: str, daemon: str, mode: str | None) -> None:
        """Let a host's dhcpd, tftpd or named read the files of falsehoods.py, or not (None).

        Its host has to be on; of one that is off, the lies are not read any more, and stay there.
        """
        path = self._read_by(host, daemon)
        program = (sys.executable, "-P", "-m", "threerc.testbed.falsehoods", daemon)
        if mode is not None:
            other = self._succeed(host, *program, mode, path).strip()
            self.testbed.daemon(host, daemon, "on", {path: other})
            return
        self.testbed.daemon(host, daemon, "on")
        if self.is_on(host):
            self._succeed(host, *program, "off", path)

    def _read_by(self, host: str, daemon: str) -> str:
        """The file or folder of which a daemon's command says that it reads it."""
        for path in _READ[daemon]:
            if (self.tree / host / path.lstrip("/")).exists():
                return path
        if daemon == "tftpd" and daemon in self.daemons.get(host, ()):
            return "/" + str(
                BootLinks.load(self.tree / host).folder.parent.relative_to(self.tree / host)
            )
        raise TestbedError(f"{host} has no {daemon} of the site")

    def complaints(self, host: str, role: str) -> tuple[str, ...]:
        """What its DHCP, TFTP or DNS server does not answer as its compiled files say."""
        program = (sys.executable, "-P", "-m", "threerc.testbed.answers")
        path = self._read_by(host, SERVICES[role])
        told = self._succeed(host, *program, role, path)
        return tuple(f"{host}: {line}" for line in told.splitlines())

    def _succeed(self, host: str, *command: str) -> str:
        done = self.run(host, *command)
        if done.rc:
            raise TestbedError(f"{host}: {' '.join(command)}: {done.err.strip()}")
        return done.out

    @property
    def state_directory(self) -> str:
        """Where the controllers keep their shared state."""
        return str(self.config.state_directory)

    def image(self, vm: str) -> str:
        """The path of a virtual machine's disk on its physical hosts."""
        return self.config.disk(vm)

    def mac(self, vm: str) -> str:
        """The address of its network card. TestbedError where the site does not say."""
        found = self.config.virtual_machines[vm].mac
        if found is None:
            raise TestbedError(f"{vm} has no MAC address")
        return found

    def address(self, vm: str) -> str:
        """Its address in the site's network."""
        return str(self.config.virtual_machines[vm].address)

    def board(self, host: str) -> tuple[str, str]:
        """The management board of a host: the capsule and the daemon that play it."""
        daemon = f"ipmi_sim-{host}"
        for capsule, names in self.daemons.items():
            if daemon in names:
                return capsule, daemon
        raise TestbedError(f"{host} has no management board")

    def providers(self, role: str) -> tuple[str, ...]:
        """The hosts that have a role, such as `dhcp`; `physical`: the physical hosts."""
        if role == "physical":
            return tuple(self.config.physical_hosts)
        if role == "collector":
            return tuple(each.host for each in self.config.monitors.collectors)
        if role == "controller":
            return tuple(self.config.controllers)
        return tuple(host for host, names in self.daemons.items() if _DAEMONS[role] in names)

    # -- as it is

    @property
    def controller(self) -> str:
        """A controller's host that is on, and of which no fault has hold if there is such a one."""
        hosts = [host for host in self.providers("controller") if self.is_on(host)]
        if not hosts:
            raise TestbedError("no controller's host is on")
        struck = self.struck()
        return min(hosts, key=lambda host: host in struck)

    def faults(self) -> list[tuple[str, str]]:
        """The faults that are not healed yet: whom each has struck, `*` for the site, and which."""
        return unhealed(self.own_events())

    def struck(self) -> set[str]:
        """Whatever a fault has struck that is not healed yet."""
        return {name for of, _ in self.faults() for name in of.split()}

    def threerc(self, *arguments: str) -> str:
        """Run `3rc` as the controllers' user on a controller's host; its output."""
        config = ("--config", CONTROLLER_YAML)
        user = ("runuser", "-u", self.config.user, "--")
        return self._succeed(self.controller, *user, PROGRAM, *arguments, *config)

    def status(self) -> dict[str, Any]:
        """What `3rc status` says."""
        found: dict[str, Any] = json.loads(self.threerc("status", "--json"))
        return found

    def log(self) -> list[str]:
        """The lines of the controllers' log."""
        path = f"{self.state_directory}/{TEXT}"
        return self.run(self.controller, "cat", path).out.splitlines()

    def heard(self) -> dict[str, dict[str, int]]:
        """By collector: the hosts that it has heard, and how many seconds ago."""
        found: dict[str, dict[str, int]] = json.loads(self.errand("heard"))
        return found

    def polled(self) -> dict[str, dict[str, int]]:
        """By gmetad: the hosts of which it has heard, and how many seconds ago they spoke."""
        found: dict[str, dict[str, int]] = json.loads(self.errand("polled"))
        return found

    def looked(self) -> dict[str, float]:
        """When each controller looked at the site last, in seconds since the epoch."""
        found: dict[str, float] = json.loads(self.errand("looked"))
        return found

    def orderly(self) -> tuple[str, ...]:
        """The physical hosts whose hypervisor tells the controllers what it runs."""
        said: dict[str, list[str] | None] = json.loads(self.errand("where"))
        return tuple(host for host, running in said.items() if running is not None)

    def boards(self) -> dict[str, bool | None]:
        """Whether the power of each host that has a board is on; None where it does not say."""
        found: dict[str, bool | None] = json.loads(self.errand("boards"))
        return found

    def errand(self, *words: str) -> str:
        """Have a controller's code do something: see errands.py."""
        user = ("runuser", "-u", self.config.user, "--")
        program = (sys.executable, "-P", "-m", "threerc.testbed.errands", CONTROLLER_YAML)
        return self._succeed(self.controller, *user, *program, *words)

    def is_up(self, vm: str) -> bool:
        """Whether the monitor hears a virtual machine, and the controllers know it."""
        own = self.status()["virtual_machines"][vm]
        return bool(own["up"] and not own["under_way"])

    def link(self, vm: str) -> str:
        """The boot file that a virtual machine would boot next."""
        for host in self.providers("tftp"):
            (found,) = json.loads(self._succeed(host, PROGRAM, "boot", vm, "--json"))
            return str(found["boots"])
        return ""

    def boot_link(self, host: str, target: str) -> None:
        """Switch a host's boot link, on each TFTP server."""
        for server in self.providers("tftp"):
            self._succeed(server, PROGRAM, "boot", host, target)

    def destroy(self, host: str, vm: str) -> None:
        """Switch a virtual machine off there."""
        self.run(host, *VIRSH, "destroy", vm)

    @property
    def events_file(self) -> Path:
        """What happened so far."""
        return self.testbed.run.events

    def events(self) -> list[Event]:
        """All that was seen so far, the controllers' own decisions among it."""
        path = f"{self.state_directory}/{EVENTS}"
        told = self.run(self.controller, "tail", "-n", str(_LINES), path).out
        decided = [decision(json.loads(line)) for line in told.splitlines() if _is_whole(line)]
        return sorted([*self.own_events(), *decided], key=lambda event: event.time)

    def own_events(self) -> list[Event]:
        """Those of the testbed alone, for which no controller is asked."""
        return events.read(self.events_file)

    def read_guest(self, vm: str, path: str) -> str:
        """A file of a virtual machine; empty where it has none."""
        return self.guest(vm, f"cat {shlex.quote(path)} 2>/dev/null").out


def _is_whole(line: str) -> bool:
    return line.startswith("{") and line.endswith("}")


_COVER: Final = "testbed"
_GUEST: Final = re.compile(r" guest=([^,\s]+)")
