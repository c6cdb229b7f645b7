"""Questions to the daemons of this host, as their clients ask them.

Sources: RFC 1035 (4.1), RFC 1350, RFC 2131 (2, 4.1) and RFC 2132 (9.6).
"""

from __future__ import annotations

import fcntl
import ipaddress
import os
import select
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import suppress

SECONDS = 2.0
"""For one answer."""
_SOA, _IN = 6, 1
_ETH_P_ALL = 3
_SIOCGIFADDR, _SIOCGIFNETMASK, _SIOCGIFHWADDR = 0x8915, 0x891B, 0x8927
_SERVER, _CLIENT = 67, 68
_MAGIC = b"\x63\x82\x53\x63"
_OFFER = 2


def serial(zone: str) -> int | None:
    """The serial that the name server of this host has of a zone; None without an answer."""
    number = os.urandom(2)
    labels = b"".join(bytes([len(label)]) + label.encode() for label in zone.split("."))
    question = labels + b"\0" + struct.pack(">HH", _SOA, _IN)
    answer = _udp(("127.0.0.1", 53), number + struct.pack(">5H", 0, 1, 0, 0, 0) + question)
    if answer is None or len(answer) < 12 + len(question) or answer[:2] != number:
        return None
    flags, _, answers = struct.unpack(">HHH", answer[2:8])
    if flags & 0x000F or not answers:
        return None
    place = _past_name(answer, 12 + len(question)) + 10
    place = _past_name(answer, _past_name(answer, place))
    found: int = struct.unpack(">I", answer[place : place + 4])[0]
    return found


def _past_name(message: bytes, place: int) -> int:
    """Where the name at a place of a DNS message ends."""
    while message[place]:
        if message[place] >= 0xC0:
            return place + 2
        place += 1 + message[place]
    return place + 1


def _udp(address: tuple[str, int], question: bytes) -> bytes | None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.settimeout(SECONDS)
        with suppress(OSError):
            asker.sendto(question, address)
            return asker.recv(65535)
    return None


def fetch(path: str, port: int = 69) -> bytes | None:
    """A small file from the TFTP server of this host; None where it gives none."""
    found = b""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker, suppress(OSError):
        asker.settimeout(SECONDS)
        asker.sendto(b"\0\x01" + path.encode() + b"\0octet\0", ("127.0.0.1", port))
        while True:
            block, server = asker.recvfrom(1024)
            if block[:2] != b"\0\x03":
                return None
            asker.sendto(b"\0\x04" + block[2:4], server)
            found += block[4:]
            if len(block) < 516:
                return found
    return None


def read_xml(port: int) -> bytes | None:
    """All that a Ganglia daemon of this host says on a port; None where it says nothing."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), SECONDS) as asker:
        return asker.makefile("rb").read()
    return None


def offer(mac: str, address: str) -> bool | None:
    """Whether the DHCP server of this host offers an address to the machine with that MAC.

    None where the host is on no network of that address.
    """
    if not is_near(address):
        return None
    wanted = ipaddress.IPv4Address(address).packed
    return any(each[16:20] == wanted for each in offers(mac, address))


def is_near(address: str) -> bool:
    """Whether this host is on the network of an address."""
    return _device(address) is not None


def offers(mac: str, address: str) -> Iterator[bytes]:
    """What the DHCP server of this host offers the machine with that MAC: each message.

    It is asked as by a machine on the network of that address, where other servers may answer too;
    nothing is taken: an offer that is not requested is void.
    """
    device = _device(address)
    if device is None:
        return
    number = os.urandom(4)
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
    with wire:
        wire.bind((device, 0))
        wire.send(_discover(device, number, mac))
        own = _own(device)
        yield from (message for server, message in _offers(wire, number) if server == own)


def _own(device: str) -> bytes:
    """The address of an interface, which is what DHCP servers send from."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        return _about(asker, device, _SIOCGIFADDR)[20:24]


def _device(address: str) -> str | None:
    """The interface that is on the network of an address."""
    wanted = ipaddress.IPv4Address(address)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        for _, name in socket.if_nameindex():
            with suppress(OSError):
                own = socket.inet_ntoa(_about(asker, name, _SIOCGIFADDR)[20:24])
                mask = socket.inet_ntoa(_about(asker, name, _SIOCGIFNETMASK)[20:24])
                if name != "lo" and wanted in ipaddress.IPv4Network(f"{own}/{mask}", strict=False):
                    return name
    return None


def _about(asker: socket.socket, device: str, what: int) -> bytes:
    return fcntl.ioctl(asker.fileno(), what, struct.pack("256s", device.encode()[:15]))


def _discover(device: str, number: bytes, mac: str) -> bytes:
    """The frame of a DHCPDISCOVER; the answer is to be broadcast, since the machine is not here."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        own = _about(asker, device, _SIOCGIFHWADDR)[18:24]
    client = bytes.fromhex(mac.replace(":", ""))
    head = struct.pack(">4B4s2H16x", 1, 1, 6, 0, number, 0, 0x8000)
    dhcp = head + client.ljust(16, b"\0") + bytes(192) + _MAGIC + b"\x35\x01\x01\xff"
    dhcp = dhcp.ljust(300, b"\0")
    udp = struct.pack(">4H", _CLIENT, _SERVER, 8 + len(dhcp), 0) + dhcp
    return b"\xff" * 6 + own + b"\x08\x00" + _ip(udp) + udp


def _ip(udp: bytes) -> bytes:
    start = struct.pack(">2B3H2B", 0x45, 0, 20 + len(udp), 0, 0, 64, 17)
    ends = bytes(4) + b"\xff" * 4
    total = sum(struct.unpack(">10H", start + b"\0\0" + ends))
    total = (total & 0xFFFF) + (total >> 16)
    return start + struct.pack(">H", 0xFFFF ^ ((total & 0xFFFF) + (total >> 16))) + ends


def _offers(wire: socket.socket, number: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Who offers what in answer to a number, until the time is over."""
    end = time.monotonic() + SECONDS
    while (left := end - time.monotonic()) > 0 and select.select([wire], [], [], left)[0]:
        frame = wire.recv(65535)
        if frame[12:14] != b"\x08\x00" or frame[23:24] != b"\x11":
            continue
        udp = frame[14 + (frame[14] & 15) * 4 :]
        dhcp = udp[8:]
        ours = udp[:2] == struct.pack(">H", _SERVER) and dhcp[:1] == b"\x02" and dhcp[4:8] == number
        if ours and dhcp[236:240] == _MAGIC and bytes([0x35, 1, _OFFER]) in dhcp[240:]:
            yield frame[26:30], dhcp
