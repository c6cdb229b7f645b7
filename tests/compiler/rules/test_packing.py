"""N+1: what the packing says fits does fit, and it finds room where there is plenty."""

from __future__ import annotations

from itertools import product
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from threerc.compiler.model import Site
from threerc.compiler.rules.facts import Facts
from threerc.compiler.rules.packing import OVERCOMMIT, Packing

HOSTS = ["p0", "p1", "p2", "p3"]
VMS = st.lists(
    st.fixed_dictionaries(
        {
            "memory": st.integers(1, 6),
            "home": st.sampled_from(HOSTS),
            "allowed": st.none() | st.lists(st.sampled_from(HOSTS), min_size=1),
            "anti_affinity": st.none() | st.sampled_from(["g", "h"]),
            "cpus": st.integers(1, 3),
            "disk": st.none() | st.integers(1, 6),
            "inst": st.integers(0, 1),
        }
    ),
    max_size=8,
)
SIZES = st.lists(st.integers(4, 16), min_size=4, max_size=4)
CPUS = 1


def site(memory: list[int], vms: list[dict[str, Any]], disk: list[int] | None = None) -> Site:
    disks = disk or [1000] * 4
    return Site.model_validate(
        {
            "site": "test",
            "domain": "example.org",
            "networks": {"lan": {"prefix": "10.0.0.0/8"}},
            "physical_hosts": {
                name: {
                    "name": name,
                    "memory": f"{size}GiB",
                    "cpus": CPUS,
                    "disks": [{"device": "sda", "size": f"{disk_size}GiB"}],
                }
                for name, size, disk_size in zip(HOSTS, memory, disks, strict=True)
            },
            "virtual_machines": {
                f"v{n}": {**sized(vm), "name": f"v{n}"} for n, vm in enumerate(vms)
            },
        }
    )


def sized(vm: dict[str, Any]) -> dict[str, Any]:
    return {k: f"{v}GiB" if v and k in {"memory", "disk"} else v for k, v in vm.items()}


def fits(site: Site, dead: str) -> bool:
    """Whether any placement at all has room for the VMs of a dead host: all are tried."""
    vms = [vm for vm in site.virtual_machines.values() if vm.home == dead]
    staying = [(vm, vm.home) for vm in site.virtual_machines.values() if vm.home != dead]
    if any(vm.disk and not vm.inst for vm in vms):
        return False
    targets = [[n for n in site.allowed_hosts(vm) if n != dead and vm.cpus <= CPUS] for vm in vms]
    for choice in product(*targets):
        moved = list(zip(vms, choice, strict=True))
        if all(stands(site, vm, name, [*staying, *moved]) for vm, name in moved):
            return True
    return False


def stands(site: Site, vm: Any, name: str, placed: list[tuple[Any, str]]) -> bool:
    here = [each for each, at in placed if at == name]
    partners = [
        each for each in here if vm.anti_affinity and each.anti_affinity == vm.anti_affinity
    ]
    host = site.physical_hosts[name]
    return (
        partners == [vm][: len(partners)]
        and sum(each.memory for each in here) <= (host.memory or 0)
        and sum(each.cpus for each in here) <= OVERCOMMIT * CPUS
        and sum(each.disk or 0 for each in here) <= host.storage()
    )


@settings(deadline=None, max_examples=200)
@given(SIZES, SIZES, VMS)
def test_what_fits_fits(memory: list[int], disk: list[int], vms: list[dict[str, Any]]) -> None:
    made = site(memory, vms, disk)
    packing = Packing(Facts(made))
    for name in HOSTS:
        if not packing.waiting(name):
            assert fits(made, name)


@settings(deadline=None)
@given(VMS)
def test_with_plenty_of_room_only_the_rules_of_placement_keep_a_vm_waiting(
    vms: list[dict[str, Any]],
) -> None:
    free = [{**vm, "anti_affinity": None, "cpus": 1} for vm in vms[:4]]
    made = site([1000] * 4, free)
    packing = Packing(Facts(made))
    for name in HOSTS:
        for vm in packing.waiting(name):
            assert packing.stuck(vm) or packing.bound(vm)


def test_the_vms_with_the_least_choice_go_first_where_the_largest_would_take_their_room() -> None:
    vms: list[dict[str, Any]] = [
        {"memory": 4, "home": "p0"},
        {"memory": 3, "home": "p0", "allowed": ["p1"]},
    ]
    assert Packing(Facts(site([16, 4, 5, 1], vms))).waiting("p0") == []
