"""The text of the thesis's plugin, to the character."""

from __future__ import annotations

from threerc.runtime.monitors.text import status_text
from threerc.runtime.observation import Observation, Seen

# Thesis 7.10.
THESIS = """\
HOSTS STATUS
hostname;load;last_ping;
alfa01.sns.it;2.94;25;
alfa02.sns.it;1.13;18;
alfa03.sns.it;0.01;24;
bibe.sns.it;0.01;13;
bussolo.sns.it;0.00;20;
gridce.sns.it;1.55;15;
gridse.sns.it;0.28;26;
lcg.sns.it;0.00;13;
pbs01.sns.it;2.00;13;
pbs02.sns.it;1.04;19;
pbs03.sns.it;5.74;21;
vrt1.sns.it;0.00;15;
vrt2.sns.it;0.00;28;
"""


def test_the_text_of_the_thesis() -> None:
    rows = [line.split(";") for line in THESIS.splitlines()[2:]]
    hosts = {
        name.removesuffix(".sns.it"): Seen(float(load), float(silent))
        for name, load, silent, _ in reversed(rows)
    }
    assert status_text(Observation(hosts, "gmetad"), "sns.it") == THESIS


def test_who_is_down_is_found_by_9999_and_nobody_else() -> None:
    hosts = {
        "a": Seen(1.005, 80.9),
        "b": Seen(2.0, 80.0),
        "c": Seen(None, 1e6, tmax=1e6),
        "192.168.1.9": Seen(0.0, 1.9),
        "2001:db8::1": Seen(12345.678, 0.0),
    }
    assert status_text(Observation(hosts, "gmetad", age=15.0), "sns.it") == (
        "HOSTS STATUS\n"
        "hostname;load;last_ping;\n"
        "192.168.1.9;0.00;16;\n"
        "2001:db8::1;12345.68;15;\n"
        "a.sns.it;1.00;9999;\n"
        "b.sns.it;2.00;95;\n"
        "c.sns.it;;9998;\n"
    )


def test_the_setting_says_who_is_down() -> None:
    observation = Observation({"a": Seen(1.0, 30.0)}, "gmetad")
    assert "a.sns.it;1.00;9999;" in status_text(observation, "sns.it", after=1)


def test_nobody() -> None:
    assert status_text(Observation({}, "x"), "sns.it") == "HOSTS STATUS\nhostname;load;last_ping;\n"
