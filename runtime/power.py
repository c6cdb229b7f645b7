"""Cutting a physical host's power, so that nothing on it can be alive (thesis 2.14).

`off` returns when the board itself says that the host is off, not when it has taken the order, and
gives no order when its time is over: nobody waits for it then, and the host may be needed again.
Passwords are read when they are needed, and never stand on a command line.

Source: ipmitool(1); DMTF DSP0266 (Redfish); FenceAgentAPI of ClusterLabs.
"""

from __future__ import annotations

import base64
import json
import os
import re
import ssl
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from threerc.runtime import world
from threerc.runtime.config import BoardPower, ControllerConfig, FencePower, Secret
from threerc.runtime.errors import Refused, Unreachable
from threerc.runtime.programs import Answer, run
from threerc.runtime.web import NoAnswer, Server

_LOOK_SECONDS: Final = 1.0
_SHARE: Final = 0.5
"""Of the deadline; runtime/survey.py waits no longer either."""
_CALL_SECONDS: Final = 20.0
_IPMI_PORT: Final = 623
_HTTPS_PORT: Final = 443
_STATUS_ON: Final = 0
_STATUS_OFF: Final = 2
_SYSTEMS: Final = "/redfish/v1/Systems"
_PATH: Final = re.compile(r"/[A-Za-z0-9._~:/@#%+-]*")


def open_power(config: ControllerConfig, host: str) -> world.Power | None:
    """The power of a physical host, or None where nothing can cut it."""
    ph = config.physical_hosts.get(host)
    if ph is None or ph.power is None:
        return None
    seconds = config.deadline * _SHARE
    if isinstance(ph.power, FencePower):
        return Fence(host, ph.power, seconds)
    if ph.power.kind == "ipmi":
        return Ipmi(host, ph.power, seconds)
    return Redfish(host, ph.power, seconds)


def secret(kept: Secret) -> str:
    """A password, from where it is kept. Raises Refused where it is not."""
    if kept.env is not None:
        found = os.environ.get(kept.env, "")
        place = f"${kept.env}"
    else:
        place = str(kept.file)
        try:
            found = Path(place).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise Refused(f"no password in {place}: {error}") from None
    if not found or not found.isprintable():
        raise Refused(f"no password in {place}, or one that is more than a line")
    return found


class _Switch(ABC):
    """What all kinds share: off is off only when it is seen.

    All that `off`, or `is_on`, asks of the board has to be over after `seconds`.
    """

    def __init__(self, host: str, seconds: float) -> None:
        self.host = host
        self.seconds = seconds
        self._end = 0.0

    def off(self) -> None:
        """Cut it; returns when the management board says that it is off."""
        if not self.is_on():
            return
        self._cut()
        while self._says_on():
            if self._end - time.monotonic() < 2 * _LOOK_SECONDS:  # to wait, and to look again
                raise Refused(f"{self.host}: still on {self.seconds:g} s after its power was cut")
            time.sleep(_LOOK_SECONDS)

    def is_on(self) -> bool:
        """Whether it is on."""
        self._end = time.monotonic() + self.seconds
        return self._says_on()

    @abstractmethod
    def _says_on(self) -> bool:
        """Whether the board says that it is on."""

    @abstractmethod
    def _cut(self) -> None:
        """Order it to be cut."""

    def _left(self) -> float:
        """Seconds for the next call. Raises Unreachable."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise Unreachable(f"{self.host}: its board took longer than {self.seconds:g} s")
        return left

    def _run(
        self,
        command: Sequence[str],
        seconds: float,
        text: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> Answer:
        try:
            return run(command, seconds, text, environment)
        except (Unreachable, Refused) as error:
            raise type(error)(f"{self.host}: {error}") from None


class Ipmi(_Switch):
    """A management board that speaks IPMI 2.0, through ipmitool."""

    def __init__(self, host: str, power: BoardPower, seconds: float) -> None:
        super().__init__(host, seconds)
        self.power = power

    def _says_on(self) -> bool:
        said = self._ipmitool("status")
        match said.strip().rpartition(" ")[2]:
            case "on":
                return True
            case "off":
                return False
        raise Refused(f"{self.host}: ipmitool says {said.strip()[:100]!r}, neither on nor off")

    def _cut(self) -> None:
        self._ipmitool("off")

    def _ipmitool(self, command: str) -> str:
        board = ["-H", str(self.power.address), "-p", str(self.power.port or _IPMI_PORT)]
        login = ["-U", self.power.user, "-E"]
        if self.power.cipher is not None:
            login += ["-C", str(self.power.cipher)]
        answer = self._run(
            ["ipmitool", "-I", "lanplus", *board, *login, "chassis", "power", command],
            min(self._left(), _CALL_SECONDS),
            environment={"IPMITOOL_PASSWORD": secret(self.power.password)},
        )
        if answer.status != 0:
            # It says and does the same whether the board is silent or takes no such password.
            raise Unreachable(f"{self.host}: ipmitool: {answer.reason}")
        return answer.output


class Fence(_Switch):
    """A fence agent: one program for each sort of board, power strip or hypervisor."""

    def __init__(self, host: str, power: FencePower, seconds: float) -> None:
        super().__init__(host, seconds)
        self.power = power

    def _says_on(self) -> bool:
        answer = self._agent("status")
        if answer.status not in {_STATUS_ON, _STATUS_OFF}:
            raise Unreachable(f"{self.host}: {self.power.agent}: {answer.reason}")
        return answer.status == _STATUS_ON

    def _cut(self) -> None:
        answer = self._agent("off")
        if answer.status != 0:
            raise Refused(f"{self.host}: {self.power.agent}: {answer.reason}")

    def _agent(self, action: str) -> Answer:
        options = {**self.power.options, "action": action}
        if self.power.password is not None:
            options["password"] = secret(self.power.password)
        text = "".join(f"{name}={value}\n" for name, value in options.items())
        return self._run([self.power.agent], self._left(), text)


class Redfish(_Switch):
    """A management board that speaks Redfish, over HTTPS only, without proxies or redirects."""

    def __init__(self, host: str, power: BoardPower, seconds: float) -> None:
        super().__init__(host, seconds)
        self.power = power

    def _says_on(self) -> bool:
        """Also while it is being switched on or off."""
        state = self._system().get("PowerState")
        if not isinstance(state, str):
            raise Refused(f"{self.host}: its board does not say whether it is on")
        return state != "Off"

    def _cut(self) -> None:
        target = _within(self._system(), "Actions", "#ComputerSystem.Reset", "target")
        self._ask("POST", target, {"ResetType": "ForceOff"})

    def _system(self) -> dict[str, Any]:
        """The host, among those that the board looks after."""
        members = self._ask("GET", _SYSTEMS).get("Members")
        members = members if isinstance(members, list) else []
        paths = [str(_within(each, "@odata.id")) for each in members]
        wanted = self.power.system
        found = [path for path in paths if wanted in {None, path.rstrip("/").rpartition("/")[2]}]
        if len(found) != 1:
            raise Refused(f"{self.host}: its board has the systems {paths}; which is `system`?")
        return self._ask("GET", found[0])

    def _ask(self, method: str, path: Any, body: dict[str, Any] | None = None) -> dict[str, Any]:
        if not isinstance(path, str) or not _PATH.fullmatch(path):
            raise Refused(f"{self.host}: its board names no path that we would ask for: {path!r}")
        login = f"{self.power.user}:{secret(self.power.password)}".encode()
        headers = {
            "Authorization": f"Basic {base64.b64encode(login).decode()}",
            "Accept": "application/json",
            "Content-Type": "application/json",
        }
        try:
            with closing(self._server()) as server:
                seconds = min(self._left(), _CALL_SECONDS)
                text = json.dumps(body) if body else None
                answer = server.ask(method, path, seconds, text, headers)
        except NoAnswer as error:
            raise Unreachable(f"{self.host}: its board: {error}") from None
        if answer.status // 100 != 2:
            raise Refused(f"{self.host}: {method} {path}: {answer.status}")
        return self._parsed(answer.body)

    def _server(self) -> Server:
        address = self.power.address
        host = f"[{address}]" if ":" in str(address) else str(address)
        return Server(f"https://{host}:{self.power.port or _HTTPS_PORT}", self._tls())

    def _tls(self) -> ssl.SSLContext:
        """Boards are known by their certificate, which seldom names their address."""
        try:
            context = ssl.create_default_context(cafile=self.power.certificate)
        except OSError as error:
            raise Refused(f"{self.host}: {self.power.certificate}: {error}") from None
        context.check_hostname = self.power.certificate is None
        return context

    def _parsed(self, text: bytes) -> dict[str, Any]:
        try:
            found = json.loads(text) if text.strip() else {}
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise Refused(f"{self.host}: its board answers with something that is not Redfish")
        return found


def _within(found: Any, *keys: str) -> Any:
    """What an object of a board's answer holds below these keys, or None."""
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found
