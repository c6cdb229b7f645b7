"""Management boards: OpenIPMI's simulator, whose chassis is a capsule of the lab."""

from __future__ import annotations

import shlex
from typing import Final

from threerc.compiler.model.host import PowerControl
from threerc.testbed.parts import Daemon, Lay, Ready
from threerc.testbed.supplies import Supplies

SOCKET: Final = "/run/3rc-lab.sock"
"""Where the boards reach the lab."""
_FOLDER: Final = "/usr/local/share/3rc/boards"
_STATE: Final = "/var/lib/3rc-boards"
_PORT: Final = 623
_LAN: Final = """\
name "{name}"
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
_EMULATION: Final = """\
mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr
mc_enable 0x20
"""


def board(host: str, power: PowerControl, supplies: Supplies) -> Daemon:
    """The board of a physical host; the simulator runs a program to see and set its power."""
    chassis = [str(supplies.python), "-m", "threerc.testbed.daemons.chassis", SOCKET, host]
    values = {
        "name": host,
        "address": power.address,
        "port": _PORT,
        "chassis": f"{_FOLDER}/{host}.chassis",
        "user": power.user,
        "password": supplies.board_password,
    }
    return Daemon(
        f"ipmi_sim-{host}",
        (
            *("ipmi_sim", "--nostdio", "--state-dir", f"{_STATE}/{host}"),
            *("--config-file", f"{_FOLDER}/{host}.conf", "--command-file", f"{_FOLDER}/emulation"),
        ),
        ready=Ready("udp", f"{power.address}:{_PORT}"),
        files=(
            Lay(f"{_FOLDER}/{host}.conf", _LAN.format(**values), mode=0o600),
            Lay(f"{_FOLDER}/emulation", _EMULATION),
            Lay(
                f"{_FOLDER}/{host}.chassis",
                f'#!/bin/sh\nexec {shlex.join(chassis)} "$@"\n',
                mode=0o755,
            ),
        ),
        folders=((f"{_STATE}/{host}", "root", 0o700),),
        restart=True,
    )
