"""Recovery: what the controllers may do to a VM can be done, in an order that ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from threerc.compiler.model import KINDS, VirtualMachine
from threerc.compiler.model.recovery import Steps
from threerc.compiler.rules.base import Facts, Problem, path_of, rule


@rule(
    "inst-installer",
    reason="INST 1 lets a controller reinstall the VM from scratch with nobody there: it boots "
    "over PXE into an installer that asks nothing.",
    hint="give it an OS profile with an installer, a MAC and an address on a network with "
    "`boot: true`, and the site a TFTP server; or set `inst: 0`",
    needs=(*KINDS, "networks"),
)
def inst_installer(facts: Facts) -> Iterator[Problem]:
    """Every VM with INST 1 can be installed unattended."""
    for vm in facts.site.virtual_machines.values():
        lacks = _lacks(facts, vm) if vm.inst else ""
        if lacks:
            yield Problem(path_of(vm, "inst"), f"{vm.name} has INST 1, but {lacks}")


def _lacks(facts: Facts, vm: VirtualMachine) -> str:
    """The first thing that an unattended installation of a VM lacks; empty if nothing."""
    if vm.os is None:
        return "no OS profile"
    if vm.os in facts.site.os_profiles and facts.site.installs(vm) is None:
        return f"its OS profile `{vm.os}` is installed by hand"
    if not any(each.mac for _, each in facts.site.interfaces(vm)):
        return "no MAC address to be known by over PXE"
    if not facts.site.boot_interfaces(vm):
        return "no MAC and address on a network that boots machines (`boot: true`)"
    if not facts.site.with_role("tftp"):
        return "no host has the role `tftp`"
    return ""


@rule(
    "controller-minutes",
    reason="Controllers know nothing of each other: in one minute only one of them may act, or "
    "both would start the same VM (thesis 8.6.2).",
    hint="give one controller `even` and the other `odd` under `recovery.minutes`",
    needs=(*KINDS, "recovery"),
)
def controller_minutes(facts: Facts) -> Iterator[Problem]:
    """No two controllers act in the same minute."""
    given = facts.site.recovery.minutes
    owners: dict[str, str] = {}
    for name, word in facts.site.controller_minutes().items():
        for minutes in ("even", "odd") if word == "every" else (word,):
            first = owners.setdefault(minutes, name)
            if first != name:
                host = facts.site.hosts[name]
                said = path_of(host, "roles", host.roles.index("controller"))
                path = ("recovery", "minutes", name) if name in given else said
                yield Problem(path, f"controllers {first} and {name} both act in {minutes} minutes")
                break


@rule(
    "recovery-steps",
    reason="A VM for which every step has 0 tries stays down when it fails.",
    hint="give at least one step a try",
    severity="warning",
)
def recovery_steps(facts: Facts) -> Iterator[Problem]:
    """Recovery may do something, for the site and for each VM."""
    steps = facts.site.recovery.steps
    if not _tries(steps, inst=1):
        yield Problem(("recovery", "steps"), "no recovery step has any tries", key=True)
        return
    for vm in facts.site.virtual_machines.values():
        own = vm.recovery.steps
        if own is not None and not _tries(own, inst=vm.inst):
            only = " without INST 1" if own.reinstall else ""
            message = f"no recovery step has any tries for {vm.name}{only}"
            yield Problem(path_of(vm, "recovery", "steps"), message, key=True)


def _tries(steps: Steps, inst: int) -> int:
    return steps.reboot + steps.restart + (steps.reinstall if inst else 0)


@rule(
    "boot-link",
    reason="A VM whose boot link still says `install` when its installer is done and reboots is "
    "installed again, and again. After the wait that follows a REINSTALL it should be done.",
    hint="give `boot_link` less than any `waits.reinstall`, and than an installation takes",
    severity="warning",
)
def boot_link(facts: Facts) -> Iterator[Problem]:
    """No boot link says `install` for as long as a reinstallation is waited for."""
    link, site = facts.site.recovery.boot_link, facts.site.recovery
    if link >= site.waits.reinstall:
        message = f"`boot_link` is {link} s, but a REINSTALL has {site.waits.reinstall} s to end"
        yield Problem(("recovery", "boot_link"), message)
    for vm in facts.site.virtual_machines.values():
        own = vm.recovery.waits
        if own is not None and vm.inst and link >= own.reinstall:
            message = (
                f"`boot_link` is {link} s, but {vm.name} has {own.reinstall} s to be installed"
            )
            yield Problem(path_of(vm, "recovery", "waits", "reinstall"), message)


@rule(
    "start-after-circle",
    reason="VMs that wait for each other in a circle are never started.",
    hint="take one `start_after` out of the circle",
)
def start_after_circle(facts: Facts) -> Iterator[Problem]:
    """No VM waits for itself by way of others."""
    vms = facts.site.virtual_machines
    waits = {name: vm.start_after for name, vm in vms.items() if vm.start_after}
    for circle in _circles(waits):
        vm, others = vms[circle[0]], _closed(circle)
        at = vm.start_after.index(circle[1 % len(circle)])
        yield Problem(path_of(vm, "start_after", at), f"VMs wait for each other: {others}")


@rule(
    "middleware-circle",
    reason="Middleware that requires itself by way of others can never be the first.",
    hint="take one `requires` out of the circle",
)
def middleware_circle(facts: Facts) -> Iterator[Problem]:
    """No middleware requires itself by way of others."""
    known = facts.site.middleware
    needs = {name: each.requires for name, each in known.items() if each.requires}
    for circle in _circles(needs):
        at = known[circle[0]].requires.index(circle[1 % len(circle)])
        message = f"middleware requires itself: {_closed(circle)}"
        yield Problem(("middleware", circle[0], "requires", at), message)


def _closed(circle: list[str]) -> str:
    """A circle for people, closed: `a -> b -> a`; long ones are cut."""
    if len(circle) > 6:
        return f"{' -> '.join(circle[:3])} -> ({len(circle) - 3:,} more) -> {circle[0]}"
    return " -> ".join([*circle, circle[0]])


def _can_be_ordered(edges: Mapping[str, Sequence[str]]) -> bool:
    try:
        TopologicalSorter(edges).prepare()
    except CycleError:
        return False
    return True


def _circles(edges: Mapping[str, Sequence[str]]) -> Iterator[list[str]]:
    """One circle of each knot of a graph, from the node that the YAML has first."""
    if _can_be_ordered(edges):
        return
    import networkx as nx  # noqa: PLC0415 - 0.2 s that most sites need not spend

    pairs = [(node, other) for node, others in edges.items() for other in others]
    graph: nx.DiGraph[str] = nx.DiGraph(pairs)
    order = {name: position for position, name in enumerate(edges)}
    for knot in nx.strongly_connected_components(graph):
        inside = sorted(knot, key=lambda name: order.get(name, len(order)))
        if len(knot) > 1 or graph.has_edge(inside[0], inside[0]):
            # A graph of its own: a view of the large one would walk a set, in hash order.
            within = [(n, other) for n in inside for other in edges[n] if other in knot]
            small: nx.DiGraph[str] = nx.DiGraph(within)
            circle = [node for node, _ in nx.find_cycle(small, inside[0])]
            start = circle.index(min(circle, key=order.__getitem__))
            yield circle[start:] + circle[:start]


@rule(
    "updates-every",
    reason="cron starts each hour and day anew: only what divides them comes at equal distances.",
    hint="1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30 or 60 minutes; 120, 180, 240, 360, 480, 720 or 1440",
)
def updates_every(facts: Facts) -> Iterator[Problem]:
    """The time between update checks can be told to cron."""
    updates = facts.site.updates
    if updates is None:
        return
    every = updates.every
    if every < 1 or not (60 % every == 0 or (every % 60 == 0 and 1440 % every == 0)):
        message = f"{every} minutes divide neither the hour nor the day into equal parts"
        yield Problem(("updates", "every"), message)


RULES = (
    inst_installer,
    controller_minutes,
    recovery_steps,
    boot_link,
    start_after_circle,
    middleware_circle,
    updates_every,
)
