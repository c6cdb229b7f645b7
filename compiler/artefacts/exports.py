"""NFS exports of mirrored volumes, on both peers: whichever is primary serves them.

Source: exports(5), thesis 6.15.2.
"""

from __future__ import annotations

from collections.abc import Iterator

from threerc.compiler.artefacts.drbd import volume_numbers
from threerc.compiler.model import Site
from threerc.compiler.model.storage import NfsExport
from threerc.compiler.templating import render
from threerc.compiler.tree import Output


def compile_exports(site: Site, out: Output) -> None:
    """/etc/exports.d/<volume>.exports on the peers of each exported volume."""
    numbers = volume_numbers(site, out)
    for name, volume in site.volumes.items():
        if volume.nfs is None:
            continue
        options = ",".join(_options(volume.nfs, numbers[name].minor))
        clients = [each for client in volume.nfs.clients for each in _addresses(site, client)]
        text = render("exports", name=name, nfs=volume.nfs, clients=clients, options=options)
        for peer in volume.peers:
            out.file(peer, f"/etc/exports.d/{name}.exports", text, concerns=volume.peers)


def _options(nfs: NfsExport, minor: int) -> Iterator[str]:
    """The options of an export, and those without which it would not do what it is for."""
    yield from nfs.options
    given = {option.partition("=")[0] for option in nfs.options}
    if given.isdisjoint(("mountpoint", "mp")):
        # The other peer has an empty folder there, which nobody may write to in the meantime.
        yield "mountpoint"
    if "fsid" not in given:
        # Clients' file handles survive a change of peer only with the same fsid; 0 is NFSv4's root.
        yield f"fsid={minor + 1}"


def _addresses(site: Site, client: str) -> Iterator[str]:
    """A client as exports(5) takes it: addresses need no DNS when the server starts."""
    network, host = site.networks.get(client), site.hosts.get(client)
    if network is not None:
        yield from (str(prefix) for prefix in (network.prefix, network.prefix6) if prefix)
    elif host is not None:
        for _, interface in site.interfaces(host):
            both = (interface.address, interface.address6)
            yield from (str(address) for address in both if address)
    else:
        yield client
