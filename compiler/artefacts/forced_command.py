"""The forced command of ssh: all that the controllers may run on a host, and nothing else.

Source: sshd(8), `command` and `restrict` of authorized_keys; docs/how-to/ssh.md.
"""

from __future__ import annotations

from threerc.compiler.model import Site
from threerc.compiler.templating import render
from threerc.compiler.tree import Output

PATH = "/usr/local/sbin/3rc-allow"


def compile_forced_command(site: Site, out: Output) -> None:
    """On each physical host and TFTP server: what its hypervisor, volumes and boot links need."""
    if not site.controller_minutes():
        return
    mirrored = {peer for volume in site.volumes.values() for peer in volume.peers}
    tftp = {host.name for host in site.with_role("tftp")}
    for name in sorted(tftp | site.physical_hosts.keys()):
        host = site.physical_hosts.get(name)
        text = render(
            "forced_command",
            site=site,
            kinds={host.hypervisor} if host else set(),
            mirrored=name in mirrored,
            tftp=name in tftp,
        )
        out.file(name, PATH, text, concerns=(name,))
