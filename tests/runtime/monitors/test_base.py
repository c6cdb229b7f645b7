"""Names of hosts, and how old data may be."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threerc.runtime.monitors.base import Hosts, fresh_seconds, put
from threerc.runtime.observation import Seen

SITE = Hosts(
    ["Alfa01", "gridce", "007"],
    {"192.168.1.11": "Alfa01", "2001:DB8::0031": "gridce", "10.0.0.1": "bibe"},
)


@pytest.mark.parametrize(
    ("told", "short"),
    [
        ("alfa01", "Alfa01"),
        ("ALFA01.SNS.IT", "Alfa01"),
        ("alfa01.sns.it.", "Alfa01"),
        ("192.168.1.11", "Alfa01"),
        ("2001:db8:0::31", "gridce"),
        ("10.0.0.1", "bibe"),
        ("10.0.0.2", "10.0.0.2"),
        ("Bibe.sns.it", "bibe"),
        ("other_1", "other_1"),
        ("007", "007"),
        ("007.sns.it", "007"),
        ("", None),
        (".sns.it", None),
        ("-a", None),
        ("a\n", None),
        ("a;b", None),
        ("a" * 64, None),
        ("::g", None),
        ("1:2", None),
    ],
)
def test_a_short_name(told: str, short: str | None) -> None:
    assert SITE.short(told) == short


@settings(deadline=None)
@given(st.text())
def test_a_short_name_breaks_out_of_no_line(told: str) -> None:
    assert not set(SITE.short(told) or "") & set("; \n\r\t\0,")


@pytest.mark.parametrize(("interval", "seconds"), [(1, 60), (15, 60), (20, 60), (60, 180)])
def test_data_may_be_a_minute_or_three_polls_old(interval: int, seconds: int) -> None:
    assert fresh_seconds(interval) == seconds


def test_the_newer_sign_of_life_stays() -> None:
    hosts: dict[str, Seen] = {}
    for silent in (9, 3, 5):
        put(hosts, "a", Seen(None, silent))
    assert hosts == {"a": Seen(None, 3)}
