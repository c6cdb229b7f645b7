"""Which events of a tick are news: a reason that still holds is written down once an hour.

What a controller has told, and since when it holds, is shared state: under `told/<controller>`.
So people learn why nothing is done just now from either controller, wherever its log is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple

from threerc.runtime.errors import Conflict, StoreLost
from threerc.runtime.world import Store

AGAIN: Final = 3600.0
"""Seconds after which a reason that still holds is told again."""
_TOLD: Final = "told/"
_MOST_LATE: Final = 500
"""So many events, the newest, wait for their notification: etcd takes no large values."""
SITE: Final = "*"
"""In place of a VM's name: all of them."""
_ALWAYS: Final = frozenset({"action", "recovered"})
"""Kinds of events that never only repeat what was told."""


class Standing(NamedTuple):
    """A reason that held when a controller last looked; `told` is when it was written down."""

    kind: str
    reason: str
    since: float
    told: float


_Key = tuple[str, str, str]
"""The VM (or all), the kind of the event, and the gist of its reason."""


def gist(reason: str) -> str:
    """A reason without its figures, such as for how many seconds it has held."""
    words = (word.strip("(),.;:") for word in reason.split())
    return " ".join(word for word in words if not word[:1].isdigit())


class News:
    """The events of one tick: those that say something new, to be remembered when they are told.

    `late` are those of ticks before for whose notification there was no time. Raises StoreLost
    where it cannot be read what was told before.
    """

    def __init__(self, store: Store, me: str, now: float, events: Iterable[dict[str, Any]]) -> None:
        self._store = store
        self._key = _TOLD + me
        self._found = store.get(self._key)
        self._before = {} if self._found is None else _loaded(self._found.value)
        self.late = [] if self._found is None else _late(self._found.value)
        self._standing: dict[_Key, Standing] = {}
        self.fresh = [event for event in events if self._is_new(event, now)]

    def _is_new(self, event: Mapping[str, Any], now: float) -> bool:
        if event["kind"] in _ALWAYS:
            return True
        kind, reason = str(event["kind"]), str(event["reason"])
        key = (str(event.get("vm", SITE)), kind, gist(reason))
        known = self._before.get(key)
        heard = known is not None and 0 <= now - known.told < AGAIN
        if known is None or not heard:
            known = Standing(kind, reason, known.since if known else now, now)
        self._standing[key] = known
        return not heard

    def remember(self, late: Sequence[Mapping[str, Any]] = ()) -> None:
        """Note what was told, but for those that were too `late`.

        Where that cannot be written, it is told again in the next tick.
        """
        if self._standing == self._before and not late and not self.late:
            return
        value = _dumped(self._standing)
        if late:
            value["late"] = [*late[-_MOST_LATE:]]
        version = self._found.version if self._found else 0
        with suppress(Conflict, StoreLost):
            self._store.put(self._key, value, version)


def standing(store: Store) -> dict[str, list[tuple[str, Standing]]]:
    """By controller what holds, and of which VM or all, as it saw it last. Raises StoreLost."""
    listed = store.list(_TOLD)
    return {
        key.removeprefix(_TOLD): [(name, each) for (name, *_), each in _loaded(held.value).items()]
        for key, held in listed.items()
    }


def _late(value: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = value.get("late")
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _dumped(standing: Mapping[_Key, Standing]) -> dict[str, Any]:
    """Equal ones together: when much is silent, it is for one reason."""
    groups: dict[Standing, list[str]] = {}
    for (name, *_), each in standing.items():
        groups.setdefault(each, []).append(name)
    return {"standing": [[*each, vms] for each, vms in groups.items()]}


def _loaded(value: Mapping[str, Any]) -> dict[_Key, Standing]:
    """What `_dumped` wrote; what is none of it only means that all is told anew."""
    try:
        return {
            (str(vm), str(kind), gist(reason)): Standing(kind, reason, float(since), float(told))
            for kind, reason, since, told, vms in value["standing"]
            for vm in vms
        }
    except (AttributeError, KeyError, TypeError, ValueError):
        return {}
