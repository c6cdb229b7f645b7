"""A site.yaml to start from, of any size, with comments for newcomers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from threerc.compiler.templating import Safe, render

MOST_NODES = 200_000
_PER_NETWORK = ((24, 250), (22, 1_000), (20, 4_000), (18, 16_000), (16, 65_000))
"""Prefix lengths, and how many nodes a network of each takes beside its gateway."""


def starter(nodes: int = 4, expanded: bool = False) -> str:
    """The text of a site with that many worker nodes, each written out if `expanded`.

    It loads without findings. Worker nodes are one range for each network of 10.0.0.0/8, of at
    most 65,000. Raises ValueError for less than none or more than MOST_NODES.
    """
    if not 0 <= nodes <= MOST_NODES:
        raise ValueError(f"a starter has 0 to {MOST_NODES:,} worker nodes, not {nodes:,}")
    return render("starter.yaml", farms=list(_farms(nodes)), expanded=expanded)


def _farms(nodes: int) -> Iterator[_Farm]:
    most = _PER_NETWORK[-1][1]
    width = max(3, len(str(nodes)))
    for number, start in enumerate(range(0, nodes, most), 1):
        count = min(most, nodes - start)
        name = "farm" if nodes <= most else f"farm{number}"
        yield _Farm(name, number, start + 1, count, width)


@dataclass(frozen=True)
class _Farm:
    """A network 10.`number`.0.0 of worker nodes; the names count on from one to the next."""

    network: str
    number: int
    start: int
    count: int
    width: int

    @property
    def prefix(self) -> str:
        """Its IPv4 prefix."""
        return f"10.{self.number}.0.0/{self._length}"

    @property
    def gateway(self) -> str:
        """Its last address but the broadcast one."""
        return self._address((1 << (32 - self._length)) - 2)

    @property
    def _length(self) -> int:
        return next(length for length, most in _PER_NETWORK if self.count <= most)

    @property
    def first(self) -> str:
        """The number of its first node, as it stands in the name."""
        return f"{self.start:0{self.width}d}"

    @property
    def last(self) -> str:
        """The number of its last node."""
        return f"{self.start + self.count - 1:0{self.width}d}"

    @property
    def first_address(self) -> str:
        """The address of its first node."""
        return self._address(1)

    @property
    def last_address(self) -> str:
        """The address of its last node."""
        return self._address(self.count)

    @property
    def first_mac(self) -> str:
        """The MAC address of its first node."""
        return self._mac(1)

    @property
    def last_mac(self) -> str:
        """The MAC address of its last node."""
        return self._mac(self.count)

    def _address(self, host: int) -> str:
        return f"10.{self.number}.{host >> 8}.{host & 255}"

    def _mac(self, host: int) -> str:
        """A locally administered MAC that holds the address."""
        return f"02:00:0a:{self.number:02x}:{host >> 8:02x}:{host & 255:02x}"

    def hosts(self) -> Safe:
        """All its nodes, one by one, as YAML."""
        return Safe("".join(self._written_out()))

    def _written_out(self) -> Iterator[str]:
        for host in range(1, self.count + 1):
            yield (
                f"  wn{self.start + host - 1:0{self.width}d}:\n"
                f"    address: {self._address(host)}\n"
                f"    mac: {self._mac(host)}\n"
                f"    os: el9\n"
                f"    middleware: worker\n"
            )
