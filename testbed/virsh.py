"""libvirt's own program, as a physical host's root asks it."""

from __future__ import annotations

from typing import Final

VIRSH: Final = ("virsh", "-q", "-c", "qemu:///system")
