"""Files as production sites have them come back with the same meaning."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from random import Random
from typing import NamedTuple

import dns.name
import dns.zone
import pytest

from tests.compiler.importing.machines import Machines
from tests.compiler.importing.production import DOMAIN, Production
from tests.compiler.importing.trees import imported, told
from threerc.compiler.build import check
from threerc.compiler.importing.facts import Facts
from threerc.compiler.importing.run import Sources
from threerc.compiler.importing.verifying import Comparison


class Imported(NamedTuple):
    production: Production
    sources: Sources
    facts: Facts
    site: Path
    compared: Comparison


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Imported:
    folder = tmp_path_factory.mktemp("production")
    production = Production(Random(20081214))  # noqa: S311 - no secret is made of it
    sources = production.write(folder / "files")
    return Imported(production, sources, *imported(sources, folder / "site"))


def test_it_comes_back(site: Imported) -> None:
    assert site.compared.differences == []
    assert len(site.production.hosts) > 1000
    assert site.compared.same["host", "of DHCP: MAC, address and name"] == len(
        site.production.hosts
    )
    assert site.compared.same["DNS record", ""] > 4500
    assert site.compared.same["boot target", ""] == len(site.production.hosts)


def test_dhcpd_serves_who_it_served(site: Imported) -> None:
    """Told from the compiled text by a search that knows nothing of the readers."""
    (path,) = site.site.parent.glob("out/*/etc/dhcp/dhcpd.conf")
    text = path.read_text(encoding="utf-8")
    found = re.findall(r"host (\S+) \{ hardware ethernet (\S+); fixed-address ([0-9.]+);", text)
    wanted = [(h.name.lower(), h.mac.lower(), h.address) for h in site.production.hosts]
    assert sorted((name.lower(), mac, address) for name, mac, address in found) == sorted(wanted)


def records(path: Path, name: str) -> set[tuple[str, str, str, int]]:
    """The records of a zone file as dnspython alone reads it, without apex and $INCLUDE."""
    text = path.read_text(encoding="utf-8").replace("{{ serial }}", "1")
    for include in re.findall(r"(?m)^\$INCLUDE (\S+)$", text):
        beside = path.parent / Path(include).name
        text = text.replace(f"$INCLUDE {include}", beside.read_text(encoding="utf-8"))
    zone = dns.zone.from_text(text, origin=name, relativize=False, check_origin=False)
    return {
        (owner.to_text().lower(), rdata.rdtype.name, rdata.to_text(), rdataset.ttl)
        for owner, rdataset in zone.iterate_rdatasets()
        for rdata in rdataset
        if rdata.rdtype.name not in {"SOA", "NS"}
    }


def test_bind_tells_what_it_told(site: Imported) -> None:
    before = {each for name, path in site.sources.zones for each in records(path, name)}
    bind = next(site.site.parent.glob("out/*/etc/bind"))
    built = [(p.name.removeprefix("db."), p) for p in bind.glob("db.*")]
    after = {each for name, path in built for each in records(path, name)}
    lower = {(o, k, d.lower() if k in {"PTR", "CNAME", "MX"} else d, t) for o, k, d, t in after}
    wanted = {(o, k, d.lower() if k in {"PTR", "CNAME", "MX"} else d, t) for o, k, d, t in before}
    assert lower == wanted


def test_a_person_wants_to_keep_it(site: Imported) -> None:
    text = site.site.read_text(encoding="utf-8")
    assert "\n  node[041-100]:\n" in text
    assert '    aliases: ["n[41-100]"]\n' in text
    assert "\n  node301: {mac: 00:25:90:" in text
    found = check(site.site).site
    assert found.domain == DOMAIN
    assert found.service_hosts["dns1"].roles == ("dns",)
    assert found.worker_nodes["node002"].boot == "install"
    assert found.worker_nodes["node050"].boots == "local"
    assert found.networks["farm"].prefix6 is not None
    assert str(found.networks["desks"].pool) == "192.168.7.200-192.168.7.250"
    assert found.worker_nodes["pc-" + site.production.of("desk")[0].name[3:]].description


def test_what_it_could_not_say(site: Imported) -> None:
    reasons = [each.partition(": ")[2] for each in told(site.facts)]
    assert reasons == [
        "no file says which host is the DHCP server: boot-farm has the role",
        "hosts of servers are told a boot server now, or they had no addresses",
        (
            "no file says where sl6-x86_64 is installed from: "
            "http://repository.invalid/sl6-x86_64 stands in its place"
        ),
    ]


def machines(site: Imported, folder: Path) -> Machines:
    """The same files once more, in a folder of their own."""
    files = folder / "files"
    shutil.copytree(site.sources.dhcpd[0].parent, files, symlinks=True)
    zones = [(name, files / path.name) for name, path in site.sources.zones]
    sources = Sources([files / "dhcpd.conf"], zones=zones, pxelinux=files / "pxelinux.cfg")
    return Machines(site.production, sources, files)


def test_with_all_that_is_known_of_its_machines(site: Imported, tmp_path: Path) -> None:
    facts, path, compared = imported(machines(site, tmp_path).all(), tmp_path / "site")
    assert compared.differences == []
    assert compared.same["machine", "of libvirt: CPUs, memory, bridge and disk"] == 60
    assert compared.same["file", "of DRBD volumes"] == 30
    assert compared.same["line", "of hosts.def"] == 68
    assert compared.same["line", "of hosts and ethers"] == 2 * len(site.production.hosts)
    reasons = [each for each in told(facts) if "no file says" not in each]
    assert [each.partition(": ")[0] for each in reasons] == [
        *("dhcpd.conf:26", "dhcpd.conf:29", "dhcpd.conf:25", "dhcpd.conf:27", "dhcpd.conf:28"),
        *("dhcpd.conf:290", "srv01.xml:1", "dhcpd.conf:30"),
    ]
    assert "c2VjcmV0" not in path.read_text(encoding="utf-8")
    built = check(path).site
    assert len(built.virtual_machines) == 60
    assert built.virtual_machines["srv01"].volume == "srv01"
    assert str(built.virtual_machines["srv60"].image) == "/srv/vm/srv60.img"


def test_from_kea(site: Imported, tmp_path: Path) -> None:
    facts, _, compared = imported(machines(site, tmp_path).kea(), tmp_path / "site")
    assert compared.differences == []
    count = len(site.production.hosts)
    assert compared.same["host", "of DHCP: MAC, address and name"] == count
    assert compared.same["host", "of DHCP: all settings"] == count
    assert compared.same["boot target", ""] == count
    assert [each for each in told(facts) if "site.yaml has nothing" in each] == [
        "kea.json:4: site.yaml has nothing for `lease-database`"
    ]
