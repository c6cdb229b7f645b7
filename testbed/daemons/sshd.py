"""sshd, with the host key that was compiled into known_hosts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from threerc.compiler.model import Host, Site
from threerc.testbed.parts import Daemon, Lay, Ready
from threerc.testbed.supplies import Supplies

HOST_KEY: Final = "/etc/ssh/ssh_host_ed25519_key"
_CONFIG: Final = "/etc/ssh/sshd_config"
# All VMs of a site may have a controller's session on one physical host at a time.
_SETTINGS: Final = f"""\
HostKey {HOST_KEY}
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
MaxStartups 100
Subsystem sftp internal-sftp
"""


def sshd() -> Daemon:
    """sshd for root with the administrators' keys."""
    return Daemon(
        "sshd",
        ("/usr/sbin/sshd", "-D", "-e", "-f", _CONFIG),
        ready=Ready("tcp", "22"),
        folders=(("/run/sshd", "root", 0o755),),
        restart=True,
    )


def files(site: Site, host: Host, supplies: Supplies) -> Iterator[Lay]:
    """Its key, and the administrators', as the post-install hook leaves them on a host."""
    pair = supplies.host_keys[host.name]
    keys = "".join(f"{key}\n" for key in site.administrator_keys())
    yield Lay(_CONFIG, _SETTINGS)
    yield Lay(HOST_KEY, pair.private, mode=0o600)
    yield Lay(f"{HOST_KEY}.pub", f"{pair.public}\n")
    yield Lay("/root/.ssh/authorized_keys", keys, mode=0o600)
