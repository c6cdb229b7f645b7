"""The agent as one file, to be sent to hosts: a zip of its modules, which Python imports from."""

from __future__ import annotations

import base64
import io
import zipfile
from functools import cache
from importlib import resources
from typing import Final

_AGENT: Final = "threerc.rollout.agent"
_WITH_IT: Final = {
    "threerc.compiler": ("services", "wording"),
    "threerc.compiler.verify": ("base", "dhcpd", "drbd", "exports", "ganglia", "kea", "zones"),
}
"""What else it imports; see `rollout/agent/__init__.py`."""
_EMPTY: Final = ("threerc", "threerc.compiler", "threerc.compiler.verify", "threerc.rollout")
# Not on a disk, which may be full. Its path is that of an open file.
_START: Final = """
import os, sys
if sys.version_info < (3, 9):
    sys.exit("Python 3.9 is needed there, and this is %d.%d" % sys.version_info[:2])
left, held = int(sys.argv.pop(1)), os.memfd_create("3rc")
while left:
    block = os.read(0, min(left, 1 << 16))
    if not block:
        sys.exit("the connection ended")
    left -= len(block)
    while block:
        block = block[os.write(held, block):]
sys.path.insert(0, "/proc/self/fd/%d" % held)
from threerc.rollout.agent.serve import main
main()
"""


@cache
def archive() -> bytes:
    """The zip."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archived:
        for package in _EMPTY:
            archived.writestr(f"{package.replace('.', '/')}/__init__.py", "")
        for file in resources.files(_AGENT).iterdir():
            if file.name.endswith(".py"):
                archived.writestr(f"{_AGENT.replace('.', '/')}/{file.name}", file.read_bytes())
        for package, modules in _WITH_IT.items():
            for name in modules:
                content = resources.files(package).joinpath(f"{name}.py").read_bytes()
                archived.writestr(f"{package.replace('.', '/')}/{name}.py", content)
    return packed.getvalue()


def command(host: str, patience: float) -> tuple[str, ...]:
    """The program that runs the agent for a host, once `archive` is written to it."""
    # In base64, since it passes through ssh and a login shell.
    start = base64.b64encode(_START.encode()).decode()
    load = f"import base64; exec(base64.b64decode('{start}'))"
    return ("python3", "-I", "-c", load, str(len(archive())), host, f"{patience:g}")
