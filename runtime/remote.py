"""ssh to the hosts of the site: argument lists there and here, in bounded time.

Each call is a connection of its own: with a shared one, a host that hangs would hang all calls.
Source: ssh(1), ssh_config(5).
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import Final

from threerc.runtime.config import ControllerConfig, Ssh
from threerc.runtime.errors import Refused, Unreachable
from threerc.runtime.programs import Answer, run
from threerc.runtime.world import Leave

_ALWAYS: Final = {
    "BatchMode": "yes",
    "StrictHostKeyChecking": "yes",
    "UpdateHostKeys": "no",
    "ForwardAgent": "no",
    "ForwardX11": "no",
    "ClearAllForwardings": "yes",
    "PermitLocalCommand": "no",
    "RequestTTY": "no",
    "ControlMaster": "no",
    "ControlPath": "none",
    "ServerAliveInterval": "5",
    "ServerAliveCountMax": "2",
    "LogLevel": "ERROR",
}
_FAILED: Final = 255
"""ssh's own exit status when there was no connection, or it broke."""
_NOT_ALLOWED: Final = 126
"""Of a forced command that refuses, and of a shell that may not run what it found."""
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class Remote:
    """One host, as ssh reaches it. `seconds` is how long a call may take.

    Where there is a `leave`, each call is part of an action: it is made only while that has time
    left, and ends with it.
    """

    name: str
    address: str
    settings: Ssh
    seconds: float
    known_hosts: str | None = None
    leave: Leave | None = None

    def call(self, *arguments: str, text: str = "", seconds: float | None = None) -> Answer:
        """Run a program there that reads `text`; its exit status is in the answer.

        Raises Unreachable when it is not known whether or how it ended, Refused when it may not
        run there, and what `leave` raises, when it was not run.
        """
        command = self.command(arguments)
        limit = self.seconds if seconds is None else seconds
        if self.leave is not None:
            limit = min(limit, self.leave())
        try:
            answer = run(command, limit, text)
        except (Unreachable, Refused) as error:
            raise type(error)(f"{self.name}: {error}: {shlex.join(arguments)}") from None
        if answer.status == _FAILED:
            raise Unreachable(f"{self.name}: {answer.reason}")
        if answer.status == _NOT_ALLOWED:
            raise Refused(f"{self.name}: {answer.reason}")
        return answer

    def done(self, *arguments: str, text: str = "", seconds: float | None = None) -> str:
        """As `call`, for a program that has to succeed: its output. Raises Refused too."""
        answer = self.call(*arguments, text=text, seconds=seconds)
        if answer.status != 0:
            raise Refused(f"{self.name}: {arguments[0]}: {answer.reason}")
        return answer.output

    def command(self, arguments: tuple[str, ...]) -> list[str]:
        """The argument list of ssh, which hands its last one to a shell on the other side.

        Raises Refused.
        """
        if any(_CONTROL.search(each) for each in arguments):
            raise Refused(f"{self.name}: control characters in {arguments!r}")
        options = [part for each in self._options().items() for part in ("-o", "=".join(each))]
        login = ("-l", self.settings.user, "-p", str(self.settings.port))
        return ["ssh", *options, *login, "--", self.address, shlex.join(arguments)]

    def _options(self) -> dict[str, str]:
        options = {**_ALWAYS, "ConnectTimeout": str(self.settings.connect)}
        if self.known_hosts is not None:
            # The compiled file knows each host by its name, whatever its address and port.
            options |= {"UserKnownHostsFile": self.known_hosts, "HostKeyAlias": self.name}
        if self.settings.key is not None:
            key = {"IdentityFile": self.settings.key, "IdentitiesOnly": "yes"}
            options |= key | {"IdentityAgent": "none"}
        return options


def open_remote(config: ControllerConfig, host: str, leave: Leave | None = None) -> Remote:
    """The way to a host of the site. Raises Refused where the site has no such host."""
    addresses = {server.host: server.address for server in config.tftp_servers}
    addresses |= {name: vm.address for name, vm in config.virtual_machines.items()}
    addresses |= {name: ph.address for name, ph in config.physical_hosts.items()}
    if host not in addresses:
        raise Refused(f"{config.site} has no host {host!r}")
    address = addresses[host] or f"{host}.{config.domain}"
    return Remote(host, str(address), config.ssh, config.deadline, config.known_hosts, leave)


def reboot(config: ControllerConfig, vm: str, leave: Leave | None = None) -> None:
    """Ask a VM to reboot itself (thesis, appendix). Raises Unreachable or Refused."""
    open_remote(config, vm, leave).done("reboot")
