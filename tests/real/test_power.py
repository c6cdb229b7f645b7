"""Power through real programs: IPMI's simulator, sushy's Redfish emulator, fence_dummy.

What stands in is only the machine behind the board: a file that says `on` or `off`, or sushy's own.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar, Final

import pytest

from tests.lab import LabError, requires_real
from tests.lab.process import running, tail, wait_until
from tests.runtime.hypervisors.site import site
from tests.runtime.hypervisors.sshd import Keys, free_port, listens
from threerc.runtime.config import ControllerConfig
from threerc.runtime.errors import Refused, Unreachable
from threerc.runtime.power import open_power, secret
from threerc.runtime.world import Power

pytestmark = requires_real()

HOST: Final = "alfa01"
ADDRESS: Final = "127.0.0.1"
USER: Final = "root"
PASSWORD: Final = "s$cr3t"  # noqa: S105 - of no board
READY_SECONDS: Final = 30
KEYS: Final = Keys(Path("/key"), Path("/host"), Path("/known_hosts"))


def config_of(power: dict[str, Any] | None, deadline: int = 30) -> ControllerConfig:
    """The small site with this power for its first host."""
    addresses = {HOST: "192.168.1.11", "alfa02": "192.168.1.12"}
    made = site(KEYS, addresses, 22, "libvirt", Path("/images"), deadline=deadline)
    told = made.model_dump(mode="json", exclude_defaults=True)
    told["physical_hosts"][HOST]["power"] = power
    return ControllerConfig.model_validate(told)


def power_of(power: dict[str, Any], deadline: int = 30) -> Power:
    found = open_power(config_of(power, deadline), HOST)
    assert found is not None
    return found


@pytest.fixture
def password(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text(f"{PASSWORD}\n")
    return path


def test_nothing_can_cut_a_power_that_the_site_does_not_know() -> None:
    assert open_power(config_of(None), HOST) is None
    assert open_power(config_of(None), "nobody") is None


# -- passwords


def test_a_password_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = config_of(board("ipmi", 1, {"env": "BMC_PASSWORD"})).physical_hosts[HOST].power
    assert kept is not None
    assert kept.password is not None
    monkeypatch.setenv("BMC_PASSWORD", PASSWORD)
    assert secret(kept.password) == PASSWORD
    monkeypatch.delenv("BMC_PASSWORD")
    with pytest.raises(Refused, match=r"no password in \$BMC_PASSWORD"):
        secret(kept.password)


@pytest.mark.parametrize("text", ["", "\n", "two\nlines", "action=on\nx", "nul\0"])
def test_a_password_is_one_line(password: Path, text: str) -> None:
    password.write_text(text)
    with pytest.raises(Refused, match="no password in"):
        power_of(board("ipmi", 1, {"file": str(password)})).is_on()


def test_a_password_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="No such file"):
        power_of(board("ipmi", 1, {"file": str(tmp_path / "none")})).is_on()


def board(kind: str, port: int, kept: dict[str, str], **more: Any) -> dict[str, Any]:
    login = {"address": ADDRESS, "port": port, "user": USER, "password": kept}
    return {"kind": kind, **login, **more}


# -- IPMI

LAN_CONF: Final = """
name "board"
set_working_mc 0x20
  startlan 1
    addr {address} {port}
    priv_limit admin
    allowed_auths_admin md5
    guid a123456789abcdefa123456789abcdef
  endlan
  chassis_control "{chassis}"
  user 2 true "{user}" "{password}" admin 10 md5
"""
EMULATION: Final = """
mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr
mc_enable 0x20
"""
# `get power` and `set power 0`; a machine that is stuck takes the order and stays on.
CHASSIS: Final = """#!/bin/sh
if [ "$1 $2" = "get power" ]; then
    echo "power:$(cat "{state}")"
elif [ "$1 $2" = "set power" ] && [ ! -e "{state}.stuck" ]; then
    echo "$3" > "{state}"
fi
"""


@dataclass
class Board:
    """A simulated management board, and the file with the power of the machine behind it."""

    port: int
    state: Path
    process: subprocess.Popen[bytes]

    def told(self, password: Path) -> dict[str, Any]:
        # The simulator has no answer to which ciphers it knows, for which ipmitool waits long.
        return board("ipmi", self.port, {"file": str(password)}, cipher=3)

    def says(self) -> str:
        return self.state.read_text().strip()


def udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((ADDRESS, 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def ipmi(tmp_path: Path) -> Iterator[Board]:
    for program, package in (("ipmi_sim", "openipmi"), ("ipmitool", "ipmitool")):
        if shutil.which(program) is None:
            raise LabError(f"{program} not found (Debian: {package})")
    state, chassis, port = tmp_path / "power", tmp_path / "chassis", udp_port()
    state.write_text("1")
    chassis.write_text(CHASSIS.format(state=state))
    chassis.chmod(0o755)
    values = {"address": ADDRESS, "port": port, "user": USER, "password": PASSWORD}
    (tmp_path / "lan.conf").write_text(LAN_CONF.format(chassis=chassis, **values))
    (tmp_path / "sim.emu").write_text(EMULATION)
    (tmp_path / "state").mkdir()
    command = [
        "ipmi_sim", "-n", "-c", str(tmp_path / "lan.conf"), "-f", str(tmp_path / "sim.emu"),
        "-s", str(tmp_path / "state"),
    ]  # fmt: skip
    bound = f":{port:04X} "
    with running(command, tmp_path / "ipmi_sim.log") as process:
        udp = Path("/proc/net/udp")
        try:
            wait_until(lambda: bound in udp.read_text(), "it was bound", process, READY_SECONDS)
        except LabError as error:
            raise LabError(f"ipmi_sim: {error}\n{tail(tmp_path / 'ipmi_sim.log')}") from error
        yield Board(port, state, process)


def test_ipmi_cuts_the_power(ipmi: Board, password: Path) -> None:
    power = power_of(ipmi.told(password))
    assert power.is_on()
    power.off()
    assert not power.is_on()
    assert ipmi.says() == "0"


def test_ipmi_does_not_take_an_order_for_a_deed(ipmi: Board, password: Path) -> None:
    ipmi.state.with_name("power.stuck").touch()
    with pytest.raises(Refused, match="alfa01: still on 4 s after its power was cut"):
        power_of(ipmi.told(password), deadline=8).off()


def test_ipmi_with_a_wrong_password(ipmi: Board, password: Path) -> None:
    password.write_text("wrong")
    with pytest.raises(Unreachable, match="alfa01: ipmitool"):
        power_of(ipmi.told(password)).off()
    assert ipmi.says() == "1"


def test_ipmi_of_a_board_that_hangs(ipmi: Board, password: Path) -> None:
    os.kill(ipmi.process.pid, signal.SIGSTOP)
    try:
        with pytest.raises(Unreachable, match="alfa01"):
            power_of(ipmi.told(password), deadline=3).off()
    finally:
        os.kill(ipmi.process.pid, signal.SIGCONT)
    assert ipmi.says() == "1"


def test_ipmi_keeps_the_password_off_the_command_line(
    tmp_path: Path, password: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin/ipmitool"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/said\necho Chassis Power is off\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    assert not power_of(board("ipmi", 623, {"file": str(password)})).is_on()
    said = (tmp_path / "said").read_text()
    assert PASSWORD not in said
    assert said.split()[-3:] == ["chassis", "power", "status"]


# -- Redfish


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A board's own certificate, which names no address; its key lies beside it."""
    path = tmp_path_factory.mktemp("tls") / "board.pem"
    command = [
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
        "-nodes", "-subj", "/CN=board", "-days", "2",
        "-keyout", str(path.with_suffix(".key")), "-out", str(path),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    return path


SYSTEMS: Final = {
    "SUSHY_EMULATOR_FAKE_DRIVER": True,
    "SUSHY_EMULATOR_FAKE_SYSTEMS": [
        {"uuid": f"00000000-0000-4000-8000-00000000000{n}", "name": f"node{n}", "power_state": "On"}
        for n in (1, 2)
    ],
}
FIRST: Final = "00000000-0000-4000-8000-000000000001"


@pytest.fixture
def redfish(tmp_path: Path, certificate: Path) -> Iterator[int]:
    """The port of an emulated board with two systems."""
    port = free_port([ADDRESS])
    settings = {
        **SYSTEMS,
        "SUSHY_EMULATOR_STATE_DIR": str(tmp_path),
        "SUSHY_EMULATOR_AUTH_FILE": str(tmp_path / "htpasswd"),
    }
    (tmp_path / "htpasswd").write_text(htpasswd())
    (tmp_path / "sushy.conf").write_text("".join(f"{k} = {v!r}\n" for k, v in settings.items()))
    program = Path(sys.executable).with_name("sushy-emulator")
    if not program.exists():
        raise LabError(f"{program} not found (PyPI: sushy-tools)")
    command = [
        str(program), "--config", str(tmp_path / "sushy.conf"), "-i", ADDRESS, "-p", str(port),
        "--ssl-certificate", str(certificate), "--ssl-key", str(certificate.with_suffix(".key")),
    ]  # fmt: skip
    log = tmp_path / "sushy.log"
    with running(command, log) as process:
        try:
            wait_until(lambda: listens(ADDRESS, port), "it listened", process, READY_SECONDS)
        except LabError as error:
            raise LabError(f"sushy-emulator: {error}\n{tail(log)}") from error
        yield port


def htpasswd() -> str:
    import bcrypt  # noqa: PLC0415 - comes with sushy-tools

    return f"{USER}:{bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()}\n"


def redfish_power(port: int, password: Path, certificate: Path, **more: Any) -> Power:
    kept = {"file": str(password)}
    return power_of(board("redfish", port, kept, **{"certificate": str(certificate), **more}))


def test_redfish_cuts_the_power_of_the_right_system(
    redfish: int, password: Path, certificate: Path
) -> None:
    one = redfish_power(redfish, password, certificate, system=FIRST)
    other = redfish_power(redfish, password, certificate, system=FIRST[:-1] + "2")
    assert one.is_on()
    assert other.is_on()
    one.off()
    assert not one.is_on()
    assert other.is_on()
    one.off()
    assert not one.is_on()


def test_redfish_does_not_guess_the_system(redfish: int, password: Path, certificate: Path) -> None:
    with pytest.raises(Refused, match="which is `system`"):
        redfish_power(redfish, password, certificate).off()
    with pytest.raises(Refused, match="which is `system`"):
        redfish_power(redfish, password, certificate, system="node3").off()


def test_redfish_with_a_wrong_password(redfish: int, password: Path, certificate: Path) -> None:
    password.write_text("wrong")
    with pytest.raises(Refused, match="401"):
        redfish_power(redfish, password, certificate, system=FIRST).off()


def test_redfish_does_not_give_the_password_to_just_anyone(redfish: int, password: Path) -> None:
    power = power_of(board("redfish", redfish, {"file": str(password)}, system=FIRST))
    with pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
        power.off()


class Answers(BaseHTTPRequestHandler):
    """A board that answers as it is told; sushy's emulator cannot be made to misbehave."""

    says: ClassVar[Callable[[str], tuple[int, bytes]]]
    pause: ClassVar[float]

    def do_GET(self) -> None:
        status, body = type(self).says(self.path)
        self.send_response(status)
        self.send_header("Location", "https://127.0.0.1:1/")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if not self.pause:
            self.wfile.write(body)
            return
        with suppress(OSError):
            for byte in body:
                self.wfile.write(bytes([byte]))
                time.sleep(self.pause)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@contextmanager
def answering(
    certificate: Path, says: Callable[[str], tuple[int, bytes]], pause: float = 0
) -> Iterator[int]:
    """A board's port; `pause` are seconds between the bytes that it says."""
    handler = type("Told", (Answers,), {"says": staticmethod(says), "pause": pause})
    server = ThreadingHTTPServer((ADDRESS, 0), handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def one_system(state: object, target: object = "/reset") -> Callable[[str], tuple[int, bytes]]:
    system = {"PowerState": state, "Actions": {"#ComputerSystem.Reset": {"target": target}}}
    members = {"Members": [{"@odata.id": "/redfish/v1/Systems/1"}]}

    def says(path: str) -> tuple[int, bytes]:
        if path == "/reset":
            return 204, b""
        return 200, json.dumps(members if path.endswith("Systems") else system).encode()

    return says


def test_redfish_does_not_take_an_order_for_a_deed(certificate: Path, password: Path) -> None:
    with answering(certificate, one_system("On")) as port:
        kept = {"file": str(password)}
        power = power_of(board("redfish", port, kept, certificate=str(certificate)), deadline=2)
        with pytest.raises(Refused, match="still on"):
            power.off()


def test_redfish_being_switched_off_is_not_off(certificate: Path, password: Path) -> None:
    with answering(certificate, one_system("PoweringOff")) as port:
        assert redfish_power(port, password, certificate).is_on()


@pytest.mark.parametrize(
    "says",
    [
        one_system(None),
        one_system("On", "https://elsewhere/reset"),
        one_system("On", "/reset HTTP/1.1\r\nX: y"),
        one_system("On", None),
        lambda _: (200, b"<html>"),
        lambda _: (200, b"[]"),
        lambda _: (302, b""),
        lambda _: (500, b"{}"),
        lambda _: (200, b"\xff"),
        lambda _: (200, b'{"Members": 3}'),
        lambda _: (200, b'{"Members": [3, null]}'),
        lambda _: (200, b'{"PowerState": "On", "Actions": [], "Members": [{"@odata.id": "/x"}]}'),
        lambda _: (200, b'{"Members": [{"@odata.id": "//x y"}]}'),
    ],
)
def test_redfish_of_a_board_that_answers_nonsense(
    certificate: Path, password: Path, says: Callable[[str], tuple[int, bytes]]
) -> None:
    with answering(certificate, says) as port, pytest.raises(Refused, match="alfa01"):
        redfish_power(port, password, certificate).off()


def test_redfish_of_a_board_that_hangs(certificate: Path, password: Path) -> None:
    with socket.socket() as silent:
        silent.bind((ADDRESS, 0))
        silent.listen()
        kept = {"file": str(password)}
        told = board("redfish", silent.getsockname()[1], kept, certificate=str(certificate))
        with pytest.raises(Unreachable, match="alfa01"):
            power_of(told, deadline=1).off()


def test_redfish_of_a_board_that_never_comes_to_an_end(certificate: Path, password: Path) -> None:
    """A byte now and then would hold a client for ever that only bounds each."""

    def drip(_: str) -> tuple[int, bytes]:
        return 200, b" " * 100_000

    with answering(certificate, drip, pause=0.05) as port:
        told = board("redfish", port, {"file": str(password)}, certificate=str(certificate))
        with pytest.raises(Unreachable, match="alfa01: its board: no whole answer within"):
            power_of(told, deadline=2).off()


# -- fence agents


def test_a_fence_agent_cuts_the_power(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/sbin", prepend=":")
    state = tmp_path / "state"
    state.write_text("on")
    power = power_of(
        {"kind": "fence", "agent": "fence_dummy", "options": {"status_file": str(state)}}
    )
    assert power.is_on()
    power.off()
    assert not power.is_on()
    assert state.read_text() == "off"


def test_a_fence_agent_that_is_not_there_or_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/sbin", prepend=":")
    with pytest.raises(Unreachable, match="cannot run fence_none"):
        power_of({"kind": "fence", "agent": "fence_none"}).off()
    with pytest.raises(Unreachable, match="alfa01: fence_ipmilan"):
        power_of({"kind": "fence", "agent": "fence_ipmilan", "options": {"username": "x"}}).off()


def test_no_order_is_given_when_the_time_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of the deadline is what anybody waits for."""
    program = tmp_path / "fence_slow"
    program.write_text(
        f"#!/bin/sh\nif grep -q off; then touch {tmp_path}/cut; else sleep 1.5; fi\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(Unreachable, match="alfa01: no answer from fence_slow within"):
        power_of({"kind": "fence", "agent": "fence_slow"}, deadline=2).off()
    assert not (tmp_path / "cut").exists()


def test_a_fence_agent_gets_the_password_on_its_input(
    tmp_path: Path, password: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "fence_told"
    program.write_text(f"#!/bin/sh\ncat > {tmp_path}/said\necho $# >> {tmp_path}/said\nexit 2\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    kept = {"file": str(password)}
    told = {"kind": "fence", "agent": "fence_told", "options": {"plug": "3"}, "password": kept}
    assert not power_of(told).is_on()
    said = (tmp_path / "said").read_text()
    assert said == f"plug=3\naction=status\npassword={PASSWORD}\n0\n"
