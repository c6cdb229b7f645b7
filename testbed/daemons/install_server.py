"""The install server: 3RC's own, over the compiled files and the image.

It also hands out the machines' ssh host keys. A real site brings them along as it likes; here the
testbed has made them, and a machine that was installed anew still has to be the one that the
controllers know.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from threerc.compiler.model import Host, Site
from threerc.testbed.daemons import controller
from threerc.testbed.overlay import HOST_KEY_SCRIPT
from threerc.testbed.parts import Daemon, Lay, Ready
from threerc.testbed.supplies import Supplies

_KEYS: Final = "testbed/host-keys"
_PORTS: Final = ("--inh-caps", "+net_bind_service", "--ambient-caps", "+net_bind_service")
_SCRIPT: Final = """\
#!/bin/sh
# Gives this machine the ssh host key that the testbed has made for it.
set -eu
umask 077
for address in $({ ip -4 addr show || ifconfig; } 2>/dev/null |
        sed -n 's/.*inet \\(addr:\\)\\{0,1\\}\\([0-9][0-9.]*\\).*/\\2/p'); do
    [ "$address" != 127.0.0.1 ] || continue
    if wget -q -O /etc/ssh/.new "@url@/$address"; then
        mv /etc/ssh/.new /etc/ssh/ssh_host_ed25519_key
        ssh-keygen -y -f /etc/ssh/ssh_host_ed25519_key > /etc/ssh/ssh_host_ed25519_key.pub
        exit 0
    fi
done
echo "no host key for this machine" >&2
exit 1
"""


def install_server(site: Site, host: Host, supplies: Supplies) -> Daemon:
    """The HTTP server of the installers.

    Where there is a controller too, it is run by the same user: it writes to the shared state.
    """
    serve = (str(supplies.python), "-m", "threerc.testbed.install_server")
    command = (*serve, "--documents", site.provisioning.http_root)
    user = site.recovery.user
    if "controller" not in host.roles or user == "root":
        return Daemon("install-server", command, ready=Ready("tcp", "80"), restart=True)
    return Daemon(
        "install-server",
        ("setpriv", "--reuid", user, "--regid", user, "--init-groups", *_PORTS, *command),
        ready=Ready("tcp", "80"),
        start=controller.setup(site, host, supplies),
        restart=True,
    )


def files(site: Site, supplies: Supplies) -> Iterator[Lay]:
    """The script of the middleware that the overlay has added, and the keys that it fetches."""
    root = site.provisioning.http_root
    script = _SCRIPT.replace("@url@", f"{site.install_url()}/{_KEYS}")
    yield Lay(f"{root}/{HOST_KEY_SCRIPT}", script)
    installed: dict[str, Host] = {**site.virtual_machines, **site.worker_nodes}
    for name, host in installed.items():
        if host.address is not None and name in supplies.host_keys:
            yield Lay(f"{root}/{_KEYS}/{host.address}", supplies.host_keys[name].private)
