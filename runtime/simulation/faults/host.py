"""What can happen to a physical or service host."""

from __future__ import annotations

from typing import Any, Final

from threerc.runtime.simulation.faults.base import HOST, Begin, End, Fault, Options
from threerc.runtime.simulation.machines import Board, Host, Ssh
from threerc.runtime.simulation.simulation import Simulation

_LATE: Final = 30.0


def _host(key: str, value: Any) -> Begin:
    """Something of a host is no more as it should be; an option of that name says how."""

    def begin(simulation: Simulation, name: str, options: Options) -> None:
        host = simulation.site.hosts[name]
        setattr(host, key, options.get("mode", value))
        _tell(simulation, host)

    return begin


def _host_end(key: str, value: Any) -> End:
    return lambda simulation, name: _host(key, value)(simulation, name, {})


def _tell(simulation: Simulation, host: Host) -> None:
    host.changed(host)
    simulation.site.network_changed()


def _ssh(simulation: Simulation, name: str, options: Options) -> None:
    simulation.site.hosts[name].late = options.get("seconds", _LATE)
    _host("ssh", Ssh.DEAD)(simulation, name, {"mode": Ssh(options.get("mode", "dead"))})


def _overload(simulation: Simulation, name: str, options: Options) -> None:
    simulation.site.hosts[name].load = options.get("load", 99.0)


def _normal_load(simulation: Simulation, name: str) -> None:
    simulation.site.hosts[name].load = simulation.start.loads.get(name, 0.5)


HOST_FAULTS: Final = (
    Fault(
        "power",
        HOST,
        "Its power is gone, and all that ran on it; it boots when the power is back.",
        lambda simulation, name, _: simulation.site.power_off(name),
        lambda simulation, name: simulation.site.power_on(name),
    ),
    Fault(
        "hang",
        HOST,
        "It freezes with all that is on it, and goes on where it was.",
        lambda simulation, name, _: simulation.site.hang(name),
        lambda simulation, name: simulation.site.go_on(name),
    ),
    Fault(
        "network",
        HOST,
        "Its network is cut; its VMs go on running, and nobody sees it.",
        _host("cut", True),
        _host_end("cut", False),
    ),
    Fault(
        "ssh",
        HOST,
        "ssh is `dead` (refused), does `hang`, is `mute` (does it, but nobody hears so), or `late` "
        "(does it after `seconds`, which may be when nobody waits for it any more).",
        _ssh,
        _host_end("ssh", Ssh.OK),
        ("seconds",),
        ("dead", "hang", "mute", "late"),
    ),
    Fault(
        "libvirtd",
        HOST,
        "Its hypervisor takes no orders; its VMs go on running.",
        _host("hypervisor", False),
        _host_end("hypervisor", True),
    ),
    Fault(
        "gmond",
        HOST,
        "It sends no heartbeats, all else is well.",
        _host("gmond", False),
        _host_end("gmond", True),
    ),
    Fault(
        "board",
        HOST,
        "Its management board is `dead`, `failing` (it refuses), `stuck` (it does nothing), or "
        "`lying` (it does nothing and says that the power is off).",
        lambda simulation, name, options: _host("board", Board.DEAD)(
            simulation, name, {"mode": Board(options.get("mode", "dead"))}
        ),
        _host_end("board", Board.OK),
        modes=("dead", "failing", "stuck", "lying"),
    ),
    Fault(
        "overload",
        HOST,
        "Its 5-minute load is `load`.",
        _overload,
        _normal_load,
        ("load",),
    ),
)
