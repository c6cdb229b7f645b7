"""Files of lines of words: hosts(5), ethers(5), the thesis's hosts.def and its vm/ folder.

Source: hosts(5), ethers(5), thesis 8.9 and its appendix.
"""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

from threerc.compiler.findings import Place
from threerc.compiler.importing.facts import Facts, Machine, Sighting
from threerc.compiler.importing.readers.text import lines_of, mac_of, read_text

_OWN = {"localhost", "ip6-localhost", "ip6-loopback", "ip6-allnodes", "ip6-allrouters"}


def read_hosts(path: Path, facts: Facts) -> None:
    """Add an /etc/hosts. Raises ThreeRcError where it cannot be read."""
    for place, said, _ in lines_of(path):
        address, *names = said.split() or [""]
        if not names:
            if address:
                facts.lose(place, "an address without a name", said)
            continue
        try:
            found = ip_address(address)
        except ValueError as error:
            facts.lose(place, str(error), said)
            continue
        if found.is_loopback or found.is_multicast or names[0] in _OWN:
            continue
        facts.sightings.append(Sighting(names[0], found, None, tuple(names[1:]), place))


def read_ethers(path: Path, facts: Facts) -> None:
    """Add an /etc/ethers: a MAC, and a name or an address. Raises ThreeRcError as above."""
    for place, said, _ in lines_of(path):
        if not said:
            continue
        match said.split():
            case [text, name] if mac := mac_of(text):
                try:
                    sighting = Sighting("", ip_address(name), mac, (), place)
                except ValueError:
                    sighting = Sighting(name, None, mac, (), place)
                facts.sightings.append(sighting)
            case _:
                facts.lose(place, "no line of ethers(5)", said)


def read_hosts_def(path: Path, facts: Facts) -> None:
    """Add a hosts.def, and the vm/ folder beside it, which says where each VM runs."""
    for place, said, _ in lines_of(path):
        match said.split():
            case []:
                continue
            case ["PH", name, maxl, *_]:
                facts.machines.append(Machine("PH", name, place, maxl=maxl))
            case ["VM", name, inst, *rest] if inst in {"0", "1"}:
                system, middleware = [*(each if each != "-" else "" for each in rest), "", ""][:2]
                machine = Machine("VM", name, place, "", int(inst), system, middleware)
                facts.machines.append(machine)
            case _:
                facts.lose(place, "no line of hosts.def", said)
    folder = path.parent / "vm"
    for each in sorted(folder.iterdir()) if folder.is_dir() else ():
        if each.is_file() and not each.name.startswith("."):
            words = read_text(each).split()
            if words:
                facts.homes[each.name] = words[0]
            else:
                facts.lose(Place(str(each), 1, 1), "a state file that says nothing")
