"""What a controller reads from and writes to the shared state, above any store.

A record's version in the store is its fencing token: whoever wants to act writes an intent with
the version that it has read, and of two only one succeeds. Nobody trusts another's clock: a time
in a record is believed only as far as it fits when this controller saw the record change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any, Final, NamedTuple, TypeVar

from threerc.runtime import records
from threerc.runtime.brake import Braked
from threerc.runtime.config import Part
from threerc.runtime.errors import Conflict, StoreLost, Unwritable
from threerc.runtime.records import Record
from threerc.runtime.wording import briefly
from threerc.runtime.world import Store, Versioned

_VM, _PAUSED, _MAINTENANCE, _INSTALLED = "vm/", "paused/", "maintenance/", "installed/"
_BRAKE, _SEEN, _KNOWN = "brake", "seen/", "known"
ALL = "*"
"""In place of a VM's name: all of them are paused."""


@dataclass(frozen=True, slots=True)
class Held:
    """A record and the version it has in the store; 0: it is not there yet."""

    record: Record
    version: int


class Unread(NamedTuple):
    """A VM's record that cannot be read: why, and since when it is there in this version.

    Of version 0 it can be written no more either: it has to be removed by hand.
    `guess` is what may still be known of the VM: where it was, and where it was to be started.
    """

    why: str
    version: int
    since: float
    guess: Record | None


class _Paused(Part):
    why: str = ""


class Maintained(Part):
    """A physical host in maintenance: whether its VMs are moved away, and whether all are gone."""

    drain: bool = False
    drained: bool = False


class _Known(Part):
    vms: tuple[str, ...]


_Value = TypeVar("_Value", bound=Part)


class Mark(NamedTuple):
    """When this controller first saw a VM's last action, and its tick before that one.

    The action is told by its number and its time: one that came to nothing frees its number.
    """

    done: int
    first: float
    before: float
    last: float = 0.0

    def is_of(self, record: Record) -> bool:
        """Whether a record's last action is the one that is marked."""
        return self.done == record.done and self.last == record.last


_ALL_READ: Final[dict[str, tuple[int, float]]] = {}


class Look(Part):
    """What a controller leaves behind of its last tick, as `seen/<controller>`.

    `judged` is when it, or whoever did last before it, judged how much of the site is silent, and
    `down` who was then. `absent` are the hosts that its monitor does not know, and since when,
    `unread` the VMs whose records it cannot read: in which version, and since when.
    `marks` are those of the VMs' last actions, `earlier` those of the ones before.
    """

    tick: float
    judged: float
    down: tuple[str, ...]
    absent: dict[str, float]
    marks: dict[str, Mark]
    earlier: dict[str, Mark]
    unread: dict[str, tuple[int, float]] = _ALL_READ


_PAUSED_ANYHOW: Final = (_Paused(), "paused, until `3rc resume`")
_TAKES_NOTHING: Final = (
    Maintained(),
    "in maintenance and not drained, until `3rc maintenance` says anything else",
)
_NOBODY_KNOWN: Final = (_Known(vms=()), "who was ever up is learned anew")
_NEVER_LOOKED: Final = (
    Look(tick=0, judged=0, down=(), absent={}, marks={}, earlier={}),
    "that controller counts as one that has not looked yet",
)
"""What a damaged value of each kind is taken for, and the same in words."""


@dataclass
class Memory:
    """One controller's view of the shared state, within one tick."""

    store: Store
    zone: tzinfo | None
    me: str
    now: float
    held: dict[str, Held] = field(default_factory=dict)
    """The records, but for those that cannot be read."""
    unread: dict[str, Unread] = field(default_factory=dict)
    """Those. Nothing can be saved of these VMs, and so no action on them begins."""
    damaged: list[str] = field(default_factory=list)
    """What else cannot be read, and what it is taken for: for people."""
    paused: Mapping[str, str] = field(default_factory=dict)
    maintenance: dict[str, Maintained] = field(default_factory=dict)
    installed: frozenset[str] = frozenset()
    brake: Braked | None = None
    known: frozenset[str] = frozenset()
    absent: dict[str, float] = field(default_factory=dict)
    last_tick: float = 0.0
    looked: float = 0.0
    """When any controller last saw the site; 0: never, by this clock."""
    judged: float = 0.0
    """When any controller last judged how much of the site is silent; 0: never."""
    was_down: frozenset[str] = frozenset()
    """Who was down then."""
    _brake_version: int = 0
    _known_version: int = 0
    _maintenance_versions: dict[str, int] = field(default_factory=dict)
    _seen_version: int = 0
    _marks: dict[str, Mark] = field(default_factory=dict)
    _before: dict[str, Mark] = field(default_factory=dict)
    _unread: Mapping[str, tuple[int, float]] = field(default_factory=dict)

    def load(self) -> None:
        """Read it all. What is damaged counts as what is safe. Raises StoreLost."""
        self._load_seen()
        for key, found in self.store.list(_VM).items():
            self._load_record(key.removeprefix(_VM), found)
        self.paused = {
            key.removeprefix(_PAUSED): self._read(key, found, *_PAUSED_ANYHOW).why
            for key, found in self.store.list(_PAUSED).items()
        }
        for key, found in self.store.list(_MAINTENANCE).items():
            host = key.removeprefix(_MAINTENANCE)
            self.maintenance[host] = self._read(key, found, *_TAKES_NOTHING)
            self._maintenance_versions[host] = found.version
        listed = self.store.list(_INSTALLED)
        self.installed = frozenset(key.removeprefix(_INSTALLED) for key in listed)
        braked = self.store.get(_BRAKE)
        if braked is not None:
            self.brake = read_brake(braked)
            self._brake_version = braked.version
        known = self.store.get(_KNOWN)
        if known is not None:
            self.known = frozenset(self._read(_KNOWN, known, *_NOBODY_KNOWN).vms)
            self._known_version = known.version

    def _load_record(self, vm: str, found: Versioned) -> None:
        try:
            self.held[vm] = Held(found.read(Record), found.version)
        except ValueError as error:
            version, since = self._unread.get(vm, (0, self.now))
            if version != found.version or since > self.now:
                since = self.now
            guess = records.readable_part(found.value) or self._published(vm)
            self.unread[vm] = Unread(briefly(error), found.version, since, guess)

    def _published(self, vm: str) -> Record | None:
        """What the thesis's line says of a VM, if there is one."""
        line = self.store.published(vm)
        return records.from_line(line, self.zone) if line else None

    def _read(self, key: str, found: Versioned, otherwise: _Value, what: str) -> _Value:
        """A value of the shared state, or what a damaged one is taken for, which is told."""
        try:
            return found.read(type(otherwise))
        except ValueError as error:
            self.damaged.append(f"{key} cannot be read ({briefly(error)}): {what}")
            return otherwise

    def know(self, vms: Iterable[str]) -> None:
        """Remember VMs that were seen up: a monitor that starts anew has forgotten them.

        Raises Unwritable, StoreLost.
        """
        new = self.known.union(vms)
        if new == self.known:
            return
        try:
            self.store.put(_KNOWN, {"vms": sorted(new)}, self._known_version)
        except Unwritable:
            raise
        except Conflict:
            return  # the other controller sees them too
        self.known = new

    def _load_seen(self) -> None:
        for key, found in self.store.list(_SEEN).items():
            look = self._read(key, found, *_NEVER_LOOKED)
            self._look_at(look)
            if key == _SEEN + self.me:
                self._seen_version = found.version
                self._unread = look.unread
                self.last_tick, self.absent = look.tick, look.absent
                self._marks, self._before = dict(look.marks), dict(look.earlier)

    def _look_at(self, look: Look) -> None:
        """Heed a controller's last tick. What lies ahead of this clock says nothing."""
        if look.tick <= self.now:
            self.looked = max(self.looked, look.tick)
        if self.judged < look.judged <= self.now:
            self.judged, self.was_down = look.judged, frozenset(look.down)

    def is_gap(self, patience: float) -> bool:
        """Whether no controller has seen the site for more than `patience` seconds.

        What this one saw before such a time of its own says nothing of who is absent now.
        """
        if self.now - self.last_tick > patience:
            self.absent = {}
        return self.now - self.looked > patience

    def note(self, absent: Iterable[str], down: Iterable[str] = (), *, judged: bool = True) -> None:
        """Remember for the next tick what was done, who is down, and whom no monitor knows.

        Without `judged` what went silent is still to be judged, as from before this tick.
        Raises Unwritable, StoreLost.
        """
        self.absent = {name: self.absent.get(name, self.now) for name in absent}
        if judged:
            self.judged, self.was_down = self.now, frozenset(down)
        marks = {vm: self._mark(vm, held.record) for vm, held in self.held.items() if held.version}
        marks |= {vm: self._marks[vm] for vm in self.unread if vm in self._marks}
        value: dict[str, Any] = {
            "tick": self.now,
            "judged": self.judged,
            "down": sorted(self.was_down),
            "absent": self.absent,
            "marks": marks,
            "earlier": {vm: mark for vm, mark in dict(self._before).items() if vm in marks},
        }
        if self.unread:  # or a 3RC that is older than this could not read it
            value["unread"] = {vm: (it.version, it.since) for vm, it in self.unread.items()}
        # Another tick of this controller may be under way. That it has noted the same first is no
        # reason to tell nobody what was done in this one.
        try:
            self._seen_version = self.store.put(_SEEN + self.me, value, self._seen_version)
        except Unwritable:
            raise
        except Conflict:
            return

    def _mark(self, vm: str, record: Record) -> Mark:
        known, earlier = self._marks.get(vm), self._before.get(vm)
        if known is not None and known.is_of(record):
            return known
        if known is not None:
            self._before[vm] = known
        if earlier is not None and earlier.is_of(record):
            mark = earlier  # what was begun after it came to nothing
        elif self._seen_version > 0 and self.held[vm].version > 0 and record.done > 0:
            mark = Mark(record.done, self.now, self.last_tick, record.last)
        elif record.done > 0 and record.intent is not None and record.intent.by != self.me:
            # The other one may be at it this very moment, whatever its clock says.
            mark = Mark(record.done, self.now, self.now, record.last)
        else:
            # A first tick cannot tell old from new, nor does a line of the thesis's ever change;
            # and a record of which nothing was done yet has nothing to wait for.
            # What lies ahead of this clock is as old as it is known, or it would be waited for.
            first = self.now if record.last > self.now else 0.0
            mark = Mark(record.done, first, 0.0, record.last)
        self._marks[vm] = mark
        return mark

    def record(self, vm: str, home: str) -> Held:
        """What is remembered of a VM, be it only by the thesis's line; or that it is at home."""
        held = self.held.get(vm)
        if held is None:
            known = self._published(vm) or Record(host=home, up=0.0)
            held = self.held[vm] = Held(known, 0)
        return held

    def elapsed(self, vm: str, record: Record) -> float:
        """Seconds since a VM's last action, by this controller's own clock as far as can be."""
        mark = self._mark(vm, record)
        said = self.now - record.last
        if mark.first:
            said = max(said, self.now - mark.first)
        return max(0.0, min(said, self.now - mark.before))

    def save(self, vm: str, record: Record) -> Held:
        """Write a record if nobody has in between. Raises Conflict, StoreLost.

        It is what has to be done before each action: see `unread`.
        """
        if vm in self.unread:
            raise Conflict(f"{_VM}{vm} cannot be read: {self.unread[vm].why}")
        known = self.held.get(vm)
        version = self.store.put(_VM + vm, record.dump(), known.version if known else 0)
        line = records.line(record, self.zone)
        if known is None or known.version == 0 or records.line(known.record, self.zone) != line:
            self.store.publish(vm, line)
        if record.done > (known.record.done if known else 0):
            self._begun(vm, record)
        held = self.held[vm] = Held(record, version)
        return held

    def _begun(self, vm: str, record: Record) -> None:
        """Time an action that this controller begins."""
        if vm in self._marks:
            self._before[vm] = self._marks[vm]
        self._marks[vm] = Mark(record.done, self.now, self.now, record.last)

    def holds(self, vm: str) -> bool:
        """Whether the record is still as this controller wrote or found it. Raises StoreLost."""
        found = self.store.get(_VM + vm)
        known = self.unread.get(vm) or self.held[vm]
        return found is not None and found.version == known.version

    def set_brake(self, braked: Braked | None) -> None:
        """Put the brake on, or take it off. Raises Conflict, StoreLost.

        A brake that cannot be put on must stop everything: the next tick would not know of it.
        """
        if braked == self.brake:
            return
        try:
            if braked is None:
                self.store.delete(_BRAKE, self._brake_version)
            else:
                value = braked.model_dump(mode="json")
                self._brake_version = self.store.put(_BRAKE, value, self._brake_version)
        except Unwritable as error:
            raise StoreLost(str(error)) from error
        self.brake = braked

    def set_drained(self, host: str, drained: bool) -> None:
        """Write down whether a host that is drained is empty. Raises Conflict, StoreLost."""
        now = self.maintenance[host].model_copy(update={"drained": drained})
        expect = self._maintenance_versions[host]
        version = self.store.put(_MAINTENANCE + host, now.model_dump(mode="json"), expect)
        self.maintenance[host], self._maintenance_versions[host] = now, version

    def was_installed(self, vm: str) -> None:
        """Forget that a VM's installer has said that it is done."""
        found = self.store.get(_INSTALLED + vm)
        if found is not None:
            self.store.delete(_INSTALLED + vm, found.version)


def _read(kind: type[_Value], key: str, found: Versioned) -> _Value:
    """A value of the shared state. Raises StoreLost that names the key of a damaged one."""
    try:
        return found.read(kind)
    except ValueError as error:
        raise StoreLost(f"{key} is none of ours: {briefly(error)}") from None


def read_brake(found: Versioned) -> Braked:
    """The brake. Whether it is on must not be guessed. Raises StoreLost."""
    try:
        return found.read(Braked)
    except ValueError as error:
        raise StoreLost(f"{_BRAKE} is none of ours: {briefly(error)}: `3rc release`") from None


def load_records(store: Store) -> dict[str, Record]:
    """All records by VM. Raises StoreLost."""
    return {key.removeprefix(_VM): _read(Record, key, it) for key, it in store.list(_VM).items()}


def say_so(store: Store, kind: str, name: str, value: Mapping[str, Any]) -> None:
    """Write an operator's word: `paused`, `maintenance` or `installed`, over what was there."""
    key = f"{kind}/{name}"
    found = store.get(key)
    store.put(key, value, found.version if found else 0)


def paused(store: Store) -> list[str]:
    """The VMs that operators have paused by name, and ALL where they all are."""
    return [key.removeprefix(_PAUSED) for key in store.list(_PAUSED)]


def take_back(store: Store, kind: str, name: str) -> bool:
    """Take an operator's word back; False where there was none."""
    key = f"{kind}/{name}"
    found = store.get(key)
    if found is None:
        return False
    store.delete(key, found.version)
    return True
