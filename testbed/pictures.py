"""Pictures of screens: QEMU draws PPM, everybody else wants PNG."""

from __future__ import annotations

import struct
import zlib

from threerc.testbed.errors import TestbedError

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def png(ppm: bytes) -> bytes:
    """A binary PPM picture of 8 bits a colour (netpbm, ppm(5)) as PNG. TestbedError if it is none.

    What is PNG already stays as it is.
    """
    if ppm.startswith(_SIGNATURE):
        return ppm
    words = ppm.split(maxsplit=4)
    if len(words) < 4 or words[0] != b"P6" or words[3] != b"255":
        raise TestbedError("the screen came as no picture that is known here")
    width, height = int(words[1]), int(words[2])
    pixels = ppm[-3 * width * height :]
    rows = (pixels[at : at + 3 * width] for at in range(0, len(pixels), 3 * width))
    header = struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
