"""What a new generation changes on a host, and where somebody else has been at work: pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from threerc.rollout.agent.disk import Entries, Found

BOOT = "pxelinux"
"""The artefact whose links are switched while the site lives: by the controllers, by `3rc boot`."""


def is_boot_link(entry: Found) -> bool:
    """Whether an entry is one of these links."""
    return entry is not None and entry.get("artefact") == BOOT and "link" in entry


class Change(NamedTuple):
    """A path that becomes another. `foreign`: what is there now, somebody else has written."""

    path: str
    old: Found
    new: Found
    foreign: bool = False


@dataclass
class Changes:
    """All changes of a host.

    `conflicts` are the paths that cannot be changed without undoing somebody's work, with how they
    differ; `edits` those that differ and are left as they are; `links` the boot links that were
    switched since, with where they point to.
    """

    changes: list[Change] = field(default_factory=list)
    conflicts: list[list[str]] = field(default_factory=list)
    edits: list[list[str]] = field(default_factory=list)
    links: list[list[str]] = field(default_factory=list)


class Sides(NamedTuple):
    """The applied generation, the new one, and how to see what is there."""

    old: Entries
    new: Entries
    look: Callable[[str], Found]
    same: Callable[[Found, Found], bool]


def compare(sides: Sides, overwrite: Iterable[str] = ()) -> Changes:
    """The changes; what is below a path of `overwrite` may be undone."""
    given = tuple(overwrite)
    found = Changes()
    for path in sorted(sides.old.keys() | sides.new.keys()):
        _compare_one(sides, path, _covered(path, given), found)
    return found


def _covered(path: str, given: tuple[str, ...]) -> bool:
    return any(path == each or path.startswith(f"{each.rstrip('/')}/") for each in given)


def _compare_one(sides: Sides, path: str, overwrite: bool, found: Changes) -> None:
    old, new, live = sides.old.get(path), sides.new.get(path), sides.look(path)
    if sides.same(new, live):
        return
    if sides.same(old, live):
        found.changes.append(Change(path, live, new))
    elif _is_switched(sides, path, live):
        found.links.append([path, (live or {})["link"]])
        if new is None:
            found.changes.append(Change(path, live, None))
    elif live is not None and "other" in live:
        found.conflicts.append([path, live["other"]])
    elif overwrite:
        found.changes.append(Change(path, live, new, foreign=live is not None))
    else:
        (found.edits if _equal(old, new) else found.conflicts).append([path, _how(old, live)])


def _is_switched(sides: Sides, path: str, live: Found) -> bool:
    """Whether a boot link points to another boot file of the new generation than declared."""
    if live is None or not is_boot_link(sides.old.get(path)):
        return False
    target = f"{path.rpartition('/')[0]}/{live.get('link')}"
    return target in sides.new


def _equal(old: Found, new: Found) -> bool:
    """Whether the generations agree on what is to be there."""
    if old is None or new is None:
        return old is new
    return all(new.get(key) == old.get(key) for key in ("link", "sha256", "mode", "group"))


def _how(old: Found, live: Found) -> str:
    if old is None:
        return "was there before"
    return "was removed by hand" if live is None else "was changed by hand"
