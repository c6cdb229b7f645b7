"""What stands in for DRBD, which this kernel may lack: one disk that both peers see.

`drbdadm` here keeps to what the controllers rely on: of two peers that see each other one is
primary; a peer that does not answer is taken for gone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from threerc.compiler.model import Site
from threerc.compiler.model.host import PhysicalHost
from threerc.testbed.parts import Lay

ROLES: Final = "/run/3rc-volumes"
"""Where the name of each volume's primary is kept, for both peers."""
_PEERS: Final = "/usr/local/share/3rc/drbd.peers"
_DRBDADM: Final = f"""\
#!/bin/sh
# Stands in for drbdadm: role, primary, secondary VOLUME.
set -eu
me=$(uname -n) file={ROLES}/$2.primary
peer=$(sed -n "s/^$2 //p" {_PEERS})
[ -n "$peer" ] || {{ echo "'$2' not defined in your config." >&2; exit 10; }}
exec 9>"$file.lock"
flock 9
primary=$(cat "$file" 2>/dev/null || true)
case $1 in
role)
    own=Secondary other=Unknown
    [ "$primary" != "$me" ] || own=Primary
    if ping -c 1 -W 1 "$peer" >/dev/null 2>&1; then
        other=Secondary
        [ -z "$primary" ] || [ "$own" = Primary ] || other=Primary
    fi
    echo "$own/$other" ;;
primary)
    if [ -n "$primary" ] && [ "$primary" != "$me" ] && ping -c 1 -W 1 "$peer" >/dev/null 2>&1
    then
        echo "$2: State change failed: (-1) Multiple primaries not allowed by config" >&2
        exit 11
    fi
    echo "$me" >"$file" ;;
secondary) [ "$primary" != "$me" ] || rm -f "$file" ;;
*) echo "drbdadm: the testbed's does not know $1" >&2; exit 1 ;;
esac
"""


def files(site: Site, host: PhysicalHost) -> Iterator[Lay]:
    """`drbdadm`, and for each volume of the host the address of its peer."""
    held = {n: v for n, v in site.volumes.items() if host.name in v.peers}
    if not held:
        return
    lines = []
    for name, volume in sorted(held.items()):
        addresses = dict(zip(volume.peers, site.mirror_addresses(volume), strict=True))
        lines += [f"{name} {address}\n" for peer, address in addresses.items() if peer != host.name]
    yield Lay(_PEERS, "".join(lines))
    yield Lay("/usr/local/sbin/drbdadm", _DRBDADM, mode=0o755)
