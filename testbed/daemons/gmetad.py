"""gmetad, whose archives nobody looks at here."""

from __future__ import annotations

from threerc.compiler.artefacts.controller import GMETAD_PORT
from threerc.compiler.artefacts.ganglia import GMETAD_CONF
from threerc.testbed.parts import Daemon, Ready


def gmetad() -> Daemon:
    """gmetad; it stays in the foreground only where it tells what it does."""
    return Daemon(
        "gmetad",
        ("gmetad", "--debug", "1", "--conf", GMETAD_CONF),
        ready=Ready("tcp", str(GMETAD_PORT)),
        folders=(("/var/lib/ganglia/rrds", "ganglia", 0o755),),
        restart=True,
    )
