"""The rules for NFS exports."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compiler.rules.checking import Case

PEERS = """
physical_hosts:
  p1: {address: 192.168.1.1}
  p2: {address: 192.168.1.2}
  p3: {address: 192.168.1.3}
"""

CASES = [
    Case(
        "export-path",
        "the system's, and below",
        PEERS
        + """
volumes:
  v:
    peers: [p1, p2]
    disk: /dev/v
    size: 1GiB
    nfs:
      path: /etc  # !
      clients: [lan]
  w:
    peers: [p1, p2]
    disk: /dev/w
    size: 1GiB
    nfs:
      path: /usr/lib64/shared  # !
      clients: [lan]
""",
        "/etc of volume `v` belongs to the system of its hosts",
        "error",
    ),
    Case(
        "export-path",
        "folders for data",
        PEERS
        + """
volumes:
  v: {peers: [p1, p2], disk: /dev/v, size: 1GiB, nfs: {path: /srv/etc, clients: [lan]}}
  w: {peers: [p1, p2], disk: /dev/w, size: 1GiB, nfs: {path: /home, clients: [lan]}}
  x: {peers: [p1, p2], disk: /dev/x, size: 1GiB, nfs: {path: /usr/local, clients: [lan]}}
  u: {peers: [p1, p2], disk: /dev/y, size: 1GiB, nfs: {path: /var/lib/nova, clients: [lan]}}
  z: {peers: [p1, p2], disk: /dev/z, size: 1GiB, nfs: {path: /binaries, clients: [lan]}}
""",
    ),
    Case(
        "unique-export",
        "from one physical host",
        PEERS
        + """
volumes:
  v: {peers: [p1, p2], disk: /dev/v, size: 1GiB, nfs: {path: /srv/v, clients: [lan]}}
  w:
    peers: [p3, p2]
    disk: /dev/w
    size: 1GiB
    nfs:
      path: /srv/v  # !
      clients: [lan]
""",
        "p2 exports /srv/v of `w`, and also of `v`",
        "error",
    ),
    Case(
        "unique-export",
        "from different ones, and by different paths",
        """
        physical_hosts: {"p[1-4]": {address: 192.168.1.1-192.168.1.4}}
        volumes:
          v: {peers: [p1, p2], disk: /dev/v, size: 1GiB, nfs: {path: /srv/v, clients: [lan]}}
          w: {peers: [p3, p4], disk: /dev/w, size: 1GiB, nfs: {path: /srv/v, clients: [lan]}}
          x: {peers: [p1, p2], disk: /dev/x, size: 1GiB, nfs: {path: /srv/x, clients: [lan]}}
        """,
    ),
    Case(
        "export-open",
        "to every address of either kind",
        PEERS
        + """
volumes:
  v:
    peers: [p1, p2]
    disk: /dev/v
    size: 1GiB
    nfs:
      path: /srv/v
      clients:
        - lan
        - 0.0.0.0/0  # !
        - "::/0"  # !
""",
        "anyone may write to volume `v` (0.0.0.0/0)",
        "warning",
    ),
    Case(
        "export-open",
        "for reading, and to a wide prefix",
        PEERS
        + """
volumes:
  v:
    peers: [p1, p2]
    disk: /dev/v
    size: 1GiB
    nfs: {path: /srv/v, clients: [0.0.0.0/0], options: [ro, sync]}
  w: {peers: [p1, p2], disk: /dev/w, size: 1GiB, nfs: {path: /srv/w, clients: [10.0.0.0/8]}}
""",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_rule(case: Case, tmp_path: Path) -> None:
    case.check(tmp_path)
