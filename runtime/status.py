"""What is up, and the story of one VM: for people and, as data, for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Any, Final

from threerc.runtime.memory import ALL, Look, Maintained
from threerc.runtime.records import Record, stamp
from threerc.runtime.retelling import AGAIN, SITE, Standing, gist, standing
from threerc.runtime.view import View
from threerc.runtime.world import Store

_NOTHING: Final = frozenset({"wait", "standstill"})
"""Kinds of events that say why nothing is done."""


def status(view: View) -> dict[str, Any]:
    """The whole site as data."""
    memory, observation = view.memory, view.observation
    why = _reasons(memory.store)
    return {
        "site": view.config.site,
        "source": observation.source,
        "age": observation.age,
        "failed_sources": list(observation.failed),
        "brake": memory.brake.model_dump(mode="json") if memory.brake else None,
        "paused": ALL in memory.paused,
        "damaged": memory.damaged,
        "physical_hosts": {name: _host(view, name) for name in sorted(view.config.physical_hosts)},
        "virtual_machines": {
            name: _vm(view, name) | _why(why.get(name) if name in view.down else None)
            for name in sorted(view.owners)
        },
    }


def _host(view: View, name: str) -> dict[str, Any]:
    maintenance = view.memory.maintenance.get(name)
    return {
        "up": name not in view.down,
        "load": view.observation.load(name),
        "maxl": view.config.physical_hosts[name].maxl,
        "maintenance": _maintained(maintenance) if maintenance else None,
        "vms": view.vms_on(name),
    }


def _maintained(said: Maintained) -> str:
    if not said.drain:
        return "yes"
    return "drained" if said.drained else "drain"


def _vm(view: View, name: str) -> dict[str, Any]:
    held = view.memory.held.get(name)
    record = held.record if held else Record(host=view.owners[name])
    return {
        "up": name not in view.down,
        "host": record.host,
        "state": record.state.value,
        "last": record.last or None,
        "actions": record.done,
        "left": record.left or None,
        "unreadable": view.unreadable(name) or None,
        "paused": view.memory.paused.get(name),
        "under_way": record.intent.step if record.intent else None,
    }


def _why(held: Standing | None) -> dict[str, Any]:
    """Why nothing was done for a VM that is down, and when that was said."""
    return {"why": held and held.reason, "why_told": held and held.told}


def status_lines(data: Mapping[str, Any], zone: tzinfo | None) -> list[str]:
    """The same for people."""
    lines = [f"{data['site']}: data of {data['source']}, {data['age']:.0f} s old"]
    lines += [f"  no answer: {failed}" for failed in data["failed_sources"]]
    if data["brake"]:
        how = "released" if data["brake"]["released"] else "ON"
        lines.append(f"brake {how}: {data['brake']['reason']}")
    if data["paused"]:
        lines.append("all virtual machines are paused")
    lines += data["damaged"]
    lines.append("")
    lines += [_host_line(name, host) for name, host in data["physical_hosts"].items()]
    lines.append("")
    lines += [_vm_line(name, vm, zone) for name, vm in data["virtual_machines"].items()]
    return lines


def _host_line(name: str, host: Mapping[str, Any]) -> str:
    load = "-" if host["load"] is None else f"{host['load']:.2f}"
    state = "up  " if host["up"] else "DOWN"
    more = f"  in maintenance ({host['maintenance']})" if host["maintenance"] else ""
    vms = "1 VM" if len(host["vms"]) == 1 else f"{len(host['vms'])} VMs"
    return f"PH {name:<15} {state} load {load:>6} of {host['maxl']:<6g} {vms:>8}{more}"


def _vm_line(name: str, vm: Mapping[str, Any], zone: tzinfo | None) -> str:
    notes = [f"{vm['under_way']} under way"] if vm["under_way"] else []
    if vm["paused"] is not None:
        notes.append("paused" + (f": {vm['paused']}" if vm["paused"] else ""))
    if vm["left"]:
        notes.append(vm["left"])
    if vm["last"] and vm["actions"]:
        notes.append(f"{vm['state']} {stamp(vm['last'], zone)}")
    if vm["unreadable"]:
        notes.append(vm["unreadable"])
    elif vm["why"]:
        notes.append(f"{vm['why']} (said {stamp(vm['why_told'], zone)})")
    state = "up  " if vm["up"] else "DOWN"
    return f"VM {name:<15} {state} on {vm['host']:<15} {'; '.join(notes)}".rstrip()


def story(vm: str, events: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The events that concern a VM; a standstill does, where nothing else was said of it then."""
    told = {(e["time"], e["controller"]) for e in events if e.get("vm") == vm}
    return [
        event
        for event in events
        if event.get("vm") == vm
        or ("vm" not in event and (event["time"], event["controller"]) not in told)
    ]


def word_lines(store: Store, vm: str, zone: tzinfo | None = None) -> list[str]:
    """What holds just now: operators' words on a VM, and why controllers do nothing for it.

    Raises StoreLost.
    """
    lines: list[str] = []
    for key, words in ((f"paused/{vm}", "paused"), (f"paused/{ALL}", "all are paused")):
        found = store.get(key)
        if found is not None:
            why = found.value.get("why")
            lines.append(f"now: {words}" + (f": {why}" if why else ""))
    told = standing(store)
    looks = {me: _last_look(store, me) for me in told}
    for me, held in told.items():
        if looks[me] < max(looks.values()) - AGAIN:
            continue  # it is no more: what it saw then does not hold now
        looked = f"{me} " + (
            f"looked last at {stamp(looks[me], zone)}" if looks[me] else "has not seen the site yet"
        )
        lines += [
            f"now: {each.reason}; so since {stamp(each.since, zone)}, {looked}"
            for name, each in held
            if name in (vm, SITE) and each.kind in _NOTHING
        ]
    return lines


def _last_look(store: Store, me: str) -> float:
    """When a controller saw the site last; 0: it never did, or what it noted cannot be read."""
    found = store.get(f"seen/{me}")
    try:
        return 0.0 if found is None else found.read(Look).tick
    except ValueError:
        return 0.0


def _reasons(store: Store) -> dict[str, Standing]:
    """Why nothing was done for VMs, by the controller that looked last."""
    told = standing(store)
    newest = max(told, key=lambda me: _last_look(store, me), default="")
    return {name: each for name, each in told.get(newest, ()) if each.kind in _NOTHING}


def story_lines(events: Sequence[Mapping[str, Any]], zone: tzinfo | None) -> list[str]:
    """The story of a VM: equal reasons in a row are told once, with how often and until when."""
    lines: list[str] = []
    at = 0
    while at < len(events):
        alike = at
        while alike + 1 < len(events) and _same(events[at], events[alike + 1]):
            alike += 1
        lines += _event_lines(events[at], zone)
        if alike > at:
            lines[-1] += f" ({alike - at} times more, until {stamp(events[alike]['time'], zone)})"
        at = alike + 1
    return lines


def _same(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Whether two events say the same, but for how many seconds."""
    keys = ("kind", "outcome", "refused")
    alike = all(first.get(key) == second.get(key) for key in keys)
    reasons = (gist(str(event["reason"])) for event in (first, second))
    return first["kind"] != "action" and alike and len(set(reasons)) == 1


def _event_lines(event: Mapping[str, Any], zone: tzinfo | None) -> list[str]:
    when = f"{stamp(event['time'], zone)} {event['controller']}:"
    if event["kind"] != "action":
        return [f"{when} {event['reason']}"]
    host, to = event["host"], event["to"]
    where = f"on {to}" if host == to else f"on {to}, from {host}"
    refused = [f"    {name} was not taken: {why}" for name, why in event.get("refused", {}).items()]
    return [f"{when} {event['step']} {where}: {event['reason']}", *refused]
