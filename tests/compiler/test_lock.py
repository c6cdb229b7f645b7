"""site.lock: serials only go up, and nobody is renumbered."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.compiler.support import TODAY
from threerc.compiler.findings import Rejected
from threerc.compiler.lock import Lock, LockData, LockedVolume, LockedZone, load

SERIALS = 2**32
STYLES = st.sampled_from(["counter", "date"])
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,5}", fullmatch=True)
OPTIONAL = st.none() | st.integers(0, 5)
WANTED = st.dictionaries(NAMES, st.tuples(OPTIONAL, st.none() | st.integers(7788, 7793)))


def lock_at(serial: int, today: date = TODAY) -> Lock:
    return Lock(today, LockData(zones={"z": LockedZone(serial=serial, records="old")}))


def is_later(new: int, old: int) -> bool:
    """RFC 1982, 3.2."""
    return 0 < (new - old) % SERIALS < SERIALS // 2


def test_first_serials() -> None:
    assert Lock(TODAY).serial("z", "a", "counter") == 1
    assert Lock(TODAY).serial("z", "a", "date") == 2026112300


def test_a_serial_past_99_changes_of_a_day_runs_into_the_next() -> None:
    lock = Lock(TODAY)
    serials = [lock.serial("z", str(change), "date") for change in range(102)]
    assert serials == list(range(2026112300, 2026112402))
    tomorrow = Lock(date(2026, 11, 24), lock.data)
    assert tomorrow.serial("z", "new", "date") == 2026112402
    assert Lock(date(2026, 11, 25), lock.data).serial("z", "newer", "date") == 2026112500


@pytest.mark.parametrize(
    ("serial", "style", "expected"),
    [
        (SERIALS - 1, "counter", 1),
        (SERIALS - 1, "date", 1),
        (1, "date", 2026112300),
        (3000000000, "date", 3000000001),
        (2026112300, "counter", 2026112301),
        (0, "counter", 1),
    ],
)
def test_the_serial_after(serial: int, style: str, expected: int) -> None:
    assert lock_at(serial).serial("z", "new", style) == expected  # type: ignore[arg-type]


@given(st.integers(0, SERIALS - 1), st.dates(), STYLES)
def test_a_serial_never_goes_backwards(serial: int, today: date, style: str) -> None:
    lock = lock_at(serial, today)
    new = lock.serial("z", "new", style)  # type: ignore[arg-type]
    assert is_later(new, serial)
    assert 0 < new < SERIALS


@given(st.integers(0, SERIALS - 1), st.dates(), STYLES)
def test_a_serial_stays_while_the_records_do(serial: int, today: date, style: str) -> None:
    lock = lock_at(serial, today)
    assert lock.serial("z", "old", style) == serial  # type: ignore[arg-type]
    assert lock.changes == []


def test_zones_have_serials_of_their_own() -> None:
    lock = lock_at(7)
    assert lock.serial("other", "a", "counter") == 1
    assert lock.serial("z", "old", "counter") == 7
    assert lock.changes == ["zone other: serial none -> 1"]


@given(WANTED)
def test_two_volumes_never_share_a_number_that_was_not_given(
    wanted: dict[str, tuple[int | None, int | None]],
) -> None:
    chosen = Lock(TODAY).volumes(wanted)
    for position, field in enumerate(("minor", "port")):
        free = [getattr(chosen[name], field) for name in wanted if wanted[name][position] is None]
        given_ones = {pair[position] for pair in wanted.values()}
        assert len(set(free)) == len(free)
        assert not given_ones & set(free)


@given(WANTED)
def test_numbers_that_are_given_win(wanted: dict[str, tuple[int | None, int | None]]) -> None:
    chosen = Lock(TODAY).volumes(wanted)
    for name, (minor, port) in wanted.items():
        assert minor in {None, chosen[name].minor}
        assert port in {None, chosen[name].port}


@given(st.sets(NAMES), st.sets(NAMES), st.sets(NAMES))
def test_volumes_that_come_and_go_renumber_nobody(
    first: set[str], second: set[str], third: set[str]
) -> None:
    lock = Lock(TODAY)
    numbers: dict[str, LockedVolume] = {}
    for names in (first, second, third):
        for name, chosen in lock.volumes(dict.fromkeys(names, (None, None))).items():
            assert numbers.setdefault(name, chosen) == chosen
    assert len({volume.minor for volume in numbers.values()}) == len(numbers)


def test_the_same_volumes_change_nothing() -> None:
    lock = Lock(TODAY)
    lock.volumes({"a": (None, None), "b": (4, None)})
    again = Lock(TODAY, lock.data)
    again.volumes({"b": (4, None), "a": (None, None)})
    assert again.changes == []
    # A number that was given once is kept when it is given no more.
    assert again.volumes({"b": (None, None)})["b"].minor == 4


def test_of_two_branches_that_chose_one_number_the_first_name_keeps_it() -> None:
    both = LockedVolume(minor=3, port=7790)
    chosen = Lock(TODAY, LockData(volumes={"b": both, "a": both})).volumes(
        {"b": (None, None), "a": (None, None)}
    )
    assert chosen == {"a": both, "b": LockedVolume(minor=0, port=7788)}


@given(
    st.dictionaries(NAMES, st.tuples(st.integers(0, 1048575), st.integers(1, 65535))),
    st.dictionaries(NAMES, st.tuples(st.integers(0, SERIALS - 1), st.text("0123456789abcdef"))),
)
def test_what_is_written_is_read_again(
    tmp_path_factory: pytest.TempPathFactory,
    volumes: dict[str, tuple[int, int]],
    zones: dict[str, tuple[int, str]],
) -> None:
    data = LockData(
        volumes={name: LockedVolume(minor=m, port=p) for name, (m, p) in volumes.items()},
        zones={name: LockedZone(serial=s, records=r) for name, (s, r) in zones.items()},
    )
    path = tmp_path_factory.getbasetemp() / "site.lock"
    path.write_text(Lock(TODAY, data).dump())
    assert load(path, TODAY).data == data


@pytest.mark.parametrize("name", ["y", "no", "1e5", "0o17", "010", "1_000", "null", "10.5"])
def test_names_that_yaml_takes_for_something_else(name: str, tmp_path: Path) -> None:
    lock = Lock(TODAY)
    lock.volumes({name: (None, None)})
    lock.serial(name, "123e456", "counter")
    path = tmp_path / "site.lock"
    path.write_text(lock.dump())
    assert load(path, TODAY).data == lock.data


def test_the_text_is_sorted_and_meant_to_be_reviewed() -> None:
    lock = Lock(TODAY)
    lock.volumes({"b": (None, None), "a": (None, None)})
    lock.serial("sns.it", "c0ffee", "date")
    _, _, body = lock.dump().partition("in use.\n")
    assert body == (
        'volumes:\n  "a":\n    minor: 0\n    port: 7788\n  "b":\n    minor: 1\n    port: 7789\n'
        'zones:\n  "sns.it":\n    records: "c0ffee"\n    serial: 2026112300\n'
    )


def test_no_lock_is_an_empty_one(tmp_path: Path) -> None:
    assert load(tmp_path / "site.lock", TODAY) == Lock(TODAY)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("zones:\n  z: {serial: 4294967296}\n", 2, "less than"),
        ("volumes:\n  a:\n    minor: 0\n    port: x\n", 4, "integer"),
        ("volume: {}\n", 1, "Extra"),
        ("zones: {\n", 1, "not YAML"),
    ],
)
def test_a_broken_lock_is_refused_at_its_line(
    text: str, line: int, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "site.lock"
    path.write_text(text)
    with pytest.raises(Rejected) as rejected:
        load(path, TODAY)
    finding = rejected.value.findings[0]
    assert finding.place.line == line
    assert message in finding.message
