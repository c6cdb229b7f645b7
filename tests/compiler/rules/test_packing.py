"""N+1: what the packing says fits does fit, and it finds room where there is plenty."""

from __future__ import annotations

from itertools import product
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from threerc.compiler.model import Site
from threerc.compiler.rules.facts import Facts
from threerc.compiler.rules.packing import Packing

HOSTS = ["p0", "p1", "p2", "p3"]
VMS = st.lists(
    st.fixed_dictionaries(
        {
            "memory": st.integers(1, 6),
            "home": st.sampled_from(HOSTS),
            "allowed": st.none() | st.lists(st.sampled_from(HOSTS), min_size=1),
            "anti_affinity": st.none() | st.sampled_from(["g", "h"]),
            "cpus": st.integers(1, 3),
        }
    ),
    max_size=8,
)


def site(memory: list[int], vms: list[dict[str, Any]]) -> Site:
    return Site.model_validate(
        {
            "site": "test",
            "domain": "example.org",
            "networks": {"lan": {"prefix": "10.0.0.0/8"}},
            "physical_hosts": {
                name: {"name": name, "memory": f"{size}GiB", "cpus": 2}
                for name, size in zip(HOSTS, memory, strict=True)
            },
            "virtual_machines": {
                f"v{number}": {**vm, "name": f"v{number}", "memory": f"{vm['memory']}GiB"}
                for number, vm in enumerate(vms)
            },
        }
    )


def fits(site: Site, dead: str) -> bool:
    """Whether any placement at all has room for the VMs of a dead host: all are tried."""
    vms = [vm for vm in site.virtual_machines.values() if vm.home == dead]
    staying = [(vm, vm.home) for vm in site.virtual_machines.values() if vm.home != dead]
    targets = [[n for n in site.allowed_hosts(vm) if n != dead and vm.cpus <= 2] for vm in vms]
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
    memory = site.physical_hosts[name].memory or 0
    return partners == [vm][: len(partners)] and sum(each.memory for each in here) <= memory


@settings(deadline=None, max_examples=200)
@given(st.lists(st.integers(4, 16), min_size=4, max_size=4), VMS)
def test_what_fits_fits(memory: list[int], vms: list[dict[str, Any]]) -> None:
    made = site(memory, vms)
    packing = Packing(Facts(made))
    for name in HOSTS:
        if not packing.waiting(name):
            assert fits(made, name)


@settings(deadline=None)
@given(VMS)
def test_with_plenty_of_memory_only_the_rules_of_placement_keep_a_vm_waiting(
    vms: list[dict[str, Any]],
) -> None:
    free = [{**vm, "anti_affinity": None} for vm in vms]
    made = site([1000] * 4, free)
    packing = Packing(Facts(made))
    for name in HOSTS:
        for vm in packing.waiting(name):
            assert packing.stuck(vm) or vm.cpus > 2


def test_the_vms_with_the_least_choice_go_first_where_the_largest_would_take_their_room() -> None:
    vms = [
        {"memory": 4, "home": "p0", "allowed": None, "anti_affinity": None, "cpus": 1},
        {"memory": 3, "home": "p0", "allowed": ["p1"], "anti_affinity": None, "cpus": 1},
    ]
    assert Packing(Facts(site([16, 4, 5, 1], vms))).waiting("p0") == []
