"""The real daemons of a boot network, each in the foreground inside a namespace."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.lab.namespace import BRIDGE, Namespace
from tests.lab.process import LabError, running, tail, wait_until

_READY_SECONDS: Final = 10
_DHCP_PORT: Final = 67
_DHCP6_PORT: Final = 547
_TFTP_PORT: Final = 69
# The leases are where the configuration says, and the test's own.
_KEA: Final = """
mount -t tmpfs none /var/lib
mkdir /var/lib/kea
export KEA_PIDFILE_DIR="$2" KEA_LOCKFILE_DIR="$2"
exec "$0" -c "$1"
"""
# A router without a prefix: a machine that asks learns at once that IPv6 has nothing more.
_RADVD_CONFIG: Final = (
    f"interface {BRIDGE} {{ AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; }};\n"
)


@contextmanager
def dhcpd(net: Namespace, config: Path) -> Iterator[None]:
    """ISC dhcpd for IPv4 on the bridge, with this dhcpd.conf and no leases yet."""
    leases = net.work / "dhcpd.leases"
    leases.touch()
    command = net.command(
        "dhcpd", "-4", "-f", "-d",
        "-cf", str(config), "-lf", str(leases), "-pf", str(net.work / "dhcpd.pid"),
        BRIDGE,
    )  # fmt: skip
    with _serving(net, command, "dhcpd", lambda: net.udp_port_is_bound(_DHCP_PORT)):
        yield


@contextmanager
def dhcpd6(net: Namespace, config: Path) -> Iterator[None]:
    """ISC dhcpd for IPv6 on the bridge, with this dhcpd6.conf and no leases yet."""
    leases = net.work / "dhcpd6.leases"
    leases.touch()
    command = net.command(
        "dhcpd", "-6", "-f", "-d",
        "-cf", str(config), "-lf", str(leases), "-pf", str(net.work / "dhcpd6.pid"),
        BRIDGE,
    )  # fmt: skip
    with _serving(net, command, "dhcpd6", lambda: net.udp_port_is_bound(_DHCP6_PORT)):
        yield


@contextmanager
def kea(net: Namespace, config: Path) -> Iterator[None]:
    """Kea, for the version that its configuration is called after, with no leases yet.

    It hears nobody as long as the bridge has no link, and looks again only after a while.
    """
    name = config.stem
    run = net.work / f"{name}.run"
    run.mkdir()
    command = net.command("unshare", "-m", "sh", "-ec", _KEA, name, str(config), str(run))
    log = net.work / f"{name}.log"
    with _serving(net, command, name, lambda: b"_STARTED" in log.read_bytes()):
        yield


@contextmanager
def tftpd(net: Namespace, root: Path) -> Iterator[None]:
    """in.tftpd serving the world-readable files under `root`."""
    command = net.command("in.tftpd", "-L", "--secure", "--ipv4", str(root))
    with _serving(net, command, "tftpd", lambda: net.udp_port_is_bound(_TFTP_PORT)):
        yield


@contextmanager
def router_advertisements(net: Namespace) -> Iterator[None]:
    """radvd, without which iPXE waits some 10 s for an IPv6 router at each boot."""
    config = net.work / "radvd.conf"
    config.write_text(_RADVD_CONFIG, encoding="ascii")
    command = net.command(
        "radvd", "--nodaemon", "--logmethod", "stderr",
        "--config", str(config), "--pidfile", str(net.work / "radvd.pid"),
    )  # fmt: skip
    log = net.work / "radvd.log"
    with _serving(net, command, "radvd", lambda: b"started" in log.read_bytes()):
        yield


@contextmanager
def _serving(
    net: Namespace, command: list[str], name: str, ready: Callable[[], bool]
) -> Iterator[None]:
    """Run a daemon from when it is ready until the block is left; it must live so long."""
    log = net.work / f"{name}.log"
    with running(command, log) as process:
        try:
            wait_until(ready, "it was ready", process, _READY_SECONDS)
        except LabError as error:
            raise LabError(f"{name}: {error}\n{tail(log)}") from error
        yield
        if process.poll() is not None:
            raise LabError(f"{name} ended by itself\n{tail(log)}")
