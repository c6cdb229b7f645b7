"""Any small site comes back, or it is told what does not: few names and addresses, so that they
clash in every way.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.compiler.support import TODAY
from threerc.compiler.importing import run
from threerc.compiler.importing.run import Sources

NAMES = st.sampled_from(["a", "b", "n1", "n2", "n3", "n4", "A", "b-eth1", "x_y", "7", "localhost"])
LAST = st.sampled_from([0, 1, 2, 3, 4, 5, 20, 254, 255])
MACS = st.sampled_from(["02:00:00:00:00:0" + digit for digit in "12345"] + ["03:00:00:00:00:01"])
OPTIONS = st.sampled_from(
    [
        "",
        'option root-path "/x";',
        'option host-name "b";',
        'filename "pxelinux.0";',
        "next-server 10.0.0.1;",
        "default-lease-time 99;",
        "use-host-decl-names on;",
    ]
)
TTLS = st.sampled_from(["", "", "", "60 "])
DATA = st.one_of(
    LAST.map(lambda last: f"A 10.0.0.{last}"),
    LAST.map(lambda last: f"A 10.9.0.{last}"),
    LAST.map(lambda last: f"AAAA 2001:db8::{last}"),
    NAMES.map(lambda name: f"TXT {name}"),
    NAMES.map(lambda name: f"MX 5 {name}"),
    st.just('HINFO "sl" "mw"'),
)
HOST = st.builds(
    lambda name, mac, last, option: f"host {name} {{ hardware ethernet {mac}; "
    f"fixed-address 10.0.0.{last}; {option} }}\n",
    NAMES, MACS, LAST, OPTIONS,
)  # fmt: skip
RECORD = st.builds(lambda name, ttl, data: f"{name} {ttl}{data}\n", NAMES, TTLS, DATA)
ALIAS = st.builds(lambda name, to: f"c-{name} CNAME {to}\n", NAMES, NAMES)
POINTER = st.builds(
    lambda last, ttl, name: f"{last} {ttl}PTR {name}.example.org.\n", LAST, TTLS, NAMES
)
APEX = "$TTL 3600\n@ SOA ns.example.org. h.example.org. 1 1h 1h 1w 1h\n  NS ns.example.org.\n"


def texts(one: st.SearchStrategy[str], most: int) -> st.SearchStrategy[str]:
    return st.lists(one, max_size=most, unique=True).map("".join)


@settings(deadline=None, max_examples=150)
@given(
    st.builds("{}{}{}{}".format, OPTIONS, st.sampled_from(["", "range 10.0.0.2 10.0.0.5;"]),
              st.sampled_from(["", "option routers 10.0.0.254;"]), OPTIONS),
    texts(HOST, 5),
    texts(RECORD | ALIAS, 8),
    texts(POINTER, 5),
)  # fmt: skip
def test_it_comes_back_or_is_told(subnet: str, hosts: str, records: str, pointers: str) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        dhcpd = folder / "dhcpd.conf"
        dhcpd.write_text(f"subnet 10.0.0.0 netmask 255.255.255.0 {{ {subnet} }}\n{hosts}")
        zones = {"example.org": f"{APEX}ns A 10.0.0.30\n{records}", "0.0.10.in-addr.arpa": pointers}
        for zone, text in zones.items():
            (folder / zone).write_text(text if zone == "example.org" else APEX + text)
        files = [(zone, folder / zone) for zone in zones]
        facts = run.read(Sources(dhcpd=[dhcpd], zones=files))
        site = folder / "site.yaml"
        site.write_text(run.write(facts))
        told = {each.place for each in facts.lost}
        for each in run.verify(facts, site, TODAY).differences:
            # Of a pool that was made smaller the old one has the place.
            assert each.place in told or "pool" in each.what, (each, facts.lost)
