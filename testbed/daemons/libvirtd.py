"""libvirtd of a physical host, which knows nothing of the machine's own domains and networks."""

from __future__ import annotations

from typing import Final
from uuid import NAMESPACE_DNS, uuid5

from threerc.testbed.parts import Daemon, Lay, Ready

_SHARE: Final = "/usr/local/share/3rc/libvirt"
_QEMU_CONF: Final = """\
user = "root"
group = "root"
security_driver = "none"
namespaces = []
cgroup_controllers = []
"""
_LIBVIRTD_CONF: Final = """\
auth_unix_ro = "none"
auth_unix_rw = "none"
host_uuid = "{uuid}"
"""
# Once in a capsule's life; domains that are defined later stay, as on a disk.
_OWN: Final = """
[ ! -e /etc/libvirt/.3rc ] || exit 0
rm -rf /etc/libvirt /var/lib/libvirt/qemu /var/lib/libvirt/dnsmasq /var/log/libvirt
mkdir -p /etc/libvirt
cp "$0"/*.conf /etc/libvirt/
touch /etc/libvirt/.3rc
"""


def libvirtd(host: str) -> Daemon:
    """libvirtd, without what needs a kernel's or an init system's help."""
    uuid = uuid5(NAMESPACE_DNS, host)
    return Daemon(
        "libvirtd",
        ("libvirtd",),
        ready=Ready("path", "/run/libvirt/libvirt-sock"),
        seconds=60,
        files=(
            Lay(f"{_SHARE}/qemu.conf", _QEMU_CONF),
            Lay(f"{_SHARE}/libvirtd.conf", _LIBVIRTD_CONF.format(uuid=uuid)),
        ),
        start=(("sh", "-e", "-c", _OWN, _SHARE),),
        restart=True,
    )
