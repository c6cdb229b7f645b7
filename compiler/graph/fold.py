"""Many equal worker nodes as one: which are alike, and their names as ranges."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable

from threerc.compiler.model import Site, WorkerNode

_LAST_NUMBER = re.compile(r"(\d+)\D*$")
_MOST_STEMS = 12


def fold(site: Site) -> list[list[WorkerNode]]:
    """Worker nodes that differ in name and address only, in the order of their first names.

    Names with different stems (`wn` and `old`) are kept apart, where they are not too many.
    """
    alike: dict[Hashable, list[WorkerNode]] = {}
    for node in site.worker_nodes.values():
        network = site.network_of(node.address) if node.address else None
        key = (
            network,
            node.groups,
            node.os,
            node.middleware,
            node.roles,
            bool(node.dual_boot),
            node.cpus,
            node.memory,
            bool(node.interfaces),
        )
        alike.setdefault(key, []).append(node)
    parts = [part for nodes in alike.values() for part in _by_stem(nodes)]
    return sorted(parts, key=lambda part: _natural(part[0].name))


def _natural(name: str) -> tuple[str, int, str]:
    """A name to sort by: wn9 comes before wn10."""
    head, digits, tail = split(name)
    return head, int(digits or 0), tail


def _by_stem(nodes: list[WorkerNode]) -> list[list[WorkerNode]]:
    stems: dict[tuple[str, str], list[WorkerNode]] = {}
    for node in nodes:
        head, _, tail = split(node.name)
        stems.setdefault((head, tail), []).append(node)
    return list(stems.values()) if len(stems) <= _MOST_STEMS else [nodes]


def split(name: str) -> tuple[str, str, str]:
    """A name's parts before, in and after its last number: `r1n07x` is r1n, 07, x."""
    match = _LAST_NUMBER.search(name)
    if match is None:
        return name, "", ""
    return name[: match.start(1)], match[1], name[match.end(1) :]


def ranges(names: Iterable[str]) -> str:
    """Names as the ranges of site.yaml: `wn[001-200], wn[301-302], ui`.

    Numbers in a range have the width of its first one, so `[8-12]` is 8, 9, 10, 11, 12.
    """
    numbered: dict[tuple[str, str], list[str]] = {}
    for name in names:
        head, digits, tail = split(name)
        numbered.setdefault((head, tail), []).append(digits)
    found: list[str] = []
    for (head, tail), all_digits in numbered.items():
        for first, last in _runs(all_digits):
            span = first if first == last else f"[{first}-{last}]"
            found.append(f"{head}{span}{tail}")
    return ", ".join(found)


def _runs(all_digits: list[str]) -> list[tuple[str, str]]:
    """First and last of each run of consecutive numbers."""
    runs: list[tuple[str, str]] = []
    for digits in sorted(all_digits, key=lambda each: (int(each or 0), len(each))):
        if runs and digits:
            first, last = runs[-1]
            if last and digits == f"{int(last) + 1:0{len(first)}d}":
                runs[-1] = (first, digits)
                continue
        runs.append((digits, digits))
    return runs
