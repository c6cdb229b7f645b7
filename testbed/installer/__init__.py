"""What runs on a machine that installs itself: scripts for busybox's shell.

install.sh is the init of the installer's initrd, boot.sh that of an installed mini, lease.sh is
what udhcpc runs in both.
"""

from __future__ import annotations

from importlib.resources import files


def text(name: str) -> str:
    """The text of a script."""
    return files(__name__).joinpath(name).read_text(encoding="ascii")
