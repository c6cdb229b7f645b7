"""A VM's boot links on all TFTP servers: on this host by its files, on others by ssh.

Each link is switched by one rename; on another host it is read again after that.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol, TypeVar

from pydantic import TypeAdapter, ValidationError

from threerc.runtime.bootlinks import BootError, point
from threerc.runtime.config import Boot, ControllerConfig, TftpServer, Word
from threerc.runtime.errors import ControllerError, Refused, Unreachable
from threerc.runtime.remote import Remote, open_remote
from threerc.runtime.world import Leave

_FOLDER: Final = "pxelinux.cfg"
_WORD: Final = TypeAdapter(Word)
_T = TypeVar("_T")


class BootSwitch:
    """All boot links of the site, as the controller on the host `me` gets at them."""

    def __init__(self, config: ControllerConfig, me: str) -> None:
        self.config = config
        self.me = me

    def switch(self, vm: str, target: str, leave: Leave | None = None) -> None:
        """Point a VM's links at a boot file on each TFTP server, as long as there is `leave`.

        All servers are tried. Raises Unreachable or Refused where any could not be switched.
        """
        boot = self._boot(vm)
        try:
            _WORD.validate_python(target)
        except ValidationError:
            raise Refused(f"{target!r} is no name of a boot file") from None
        _, failed = self._on_each(boot, lambda folder, link: folder.switch(link, target), leave)
        for error in failed:
            raise error

    def read(self, vm: str) -> str | None:
        """The boot file that a VM's links point to, or None; raises as `switch`.

        Where they do not agree, one that does not say what is declared is believed: a link that
        says `install` is never overlooked, also not on a server that does not answer.
        """
        boot = self._boot(vm)
        found, failed = self._on_each(boot, lambda folder, link: folder.read(link))
        others = [target for target in found if target != boot.declared]
        if boot.install in others:
            return boot.install
        if others:
            return others[0]
        for error in failed:
            raise error
        return boot.declared

    def _boot(self, vm: str) -> Boot:
        machine = self.config.virtual_machines.get(vm)
        if machine is None or machine.boot is None or not self.config.tftp_servers:
            raise Refused(f"{self.config.site} has no boot link for {vm!r}")
        return machine.boot

    def _on_each(
        self, boot: Boot, job: Callable[[_Folder, str], _T], leave: Leave | None = None
    ) -> tuple[list[_T], list[ControllerError]]:
        """What a job came to on the links, and on which servers it failed."""
        found: list[_T] = []
        failed: list[ControllerError] = []
        for server in self.config.tftp_servers:
            try:
                folder = self._folder(server, leave)
                found += [job(folder, link) for link in boot.links]
            except (Unreachable, Refused) as error:
                failed.append(error)
        return found, failed

    def _folder(self, server: TftpServer, leave: Leave | None) -> _Folder:
        folder = f"{server.root}/{_FOLDER}"
        if server.host == self.me:
            if leave is not None:
                leave()
            return _Here(Path(folder))
        return _There(open_remote(self.config, server.host, leave), folder)


class _Folder(Protocol):
    """The links of one TFTP server."""

    def switch(self, link: str, target: str) -> None:
        """Point a link at a boot file."""

    def read(self, link: str) -> str | None:
        """What a link points to, or None where there is none."""


class _Here:
    """The links of this host."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def switch(self, link: str, target: str) -> None:
        if not (self.folder / target).is_file():
            raise Refused(f"there is no boot file {self.folder / target}")
        try:
            point(self.folder / link, target)
        except BootError as error:
            raise Refused(str(error)) from None

    def read(self, link: str) -> str | None:
        try:
            return os.readlink(self.folder / link)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Refused(f"cannot read {self.folder / link}: {error.strerror}") from None


class _There:
    """The links of a host that has no 3RC, only ssh."""

    def __init__(self, remote: Remote, folder: str) -> None:
        self.remote = remote
        self.folder = folder

    def switch(self, link: str, target: str) -> None:
        if self.remote.call("test", "-f", f"{self.folder}/{target}").status != 0:
            raise Refused(f"{self.remote.name}: there is no boot file {self.folder}/{target}")
        # Two controllers may do this at the same time.
        beside = f"{self.folder}/.{link}.{os.uname().nodename.partition('.')[0]}"
        self.remote.done("ln", "-s", "-f", "-n", "--", target, beside)
        self.remote.done("mv", "-T", "--", beside, f"{self.folder}/{link}")
        now = self.read(link)
        if now != target:
            raise Refused(f"{self.remote.name}: {link} was switched to {target}, but says {now}")

    def read(self, link: str) -> str | None:
        answer = self.remote.call("readlink", "--", f"{self.folder}/{link}")
        # The host's login shell may say something before.
        said = answer.output.removesuffix("\n").rpartition("\n")[2]
        return said if answer.status == 0 else None
