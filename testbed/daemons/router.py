"""What a router says by itself: that there is one. iPXE waits long where it hears nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from threerc.testbed.parts import Daemon, Lay, Ready

_CONFIG: Final = "/etc/radvd.conf"
# Without a prefix: a machine that asks learns at once that IPv6 has nothing more.
_INTERFACE: Final = (
    "interface {card} {{ AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; }};\n"
)


def radvd(cards: Iterable[str]) -> Daemon:
    """radvd on these network cards."""
    text = "".join(_INTERFACE.format(card=card) for card in cards)
    return Daemon(
        "radvd",
        ("radvd", "--nodaemon", "--logmethod", "stderr", "--config", _CONFIG),
        ready=Ready("log", "started"),
        files=(Lay(_CONFIG, text),),
        restart=True,
    )
