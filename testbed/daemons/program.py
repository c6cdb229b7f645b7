"""`3rc` itself in a capsule, where Python packages of the machine's own may not be in the path."""

from __future__ import annotations

import shlex
from typing import Final

from threerc.testbed.parts import Lay
from threerc.testbed.supplies import Supplies

PROGRAM: Final = "/usr/local/bin/3rc"
_COMMAND: Final = "import sys; from threerc.compiler.cli import main; sys.argv[0] = '3rc'; main()"


def program(supplies: Supplies) -> Lay:
    """The command, run by the Python that runs the testbed."""
    run = shlex.join([str(supplies.python), "-P", "-c", _COMMAND])
    return Lay(PROGRAM, f'#!/bin/sh\nexec {run} "$@"\n', mode=0o755)
