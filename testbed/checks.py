"""Whether what a fault has struck is right again: each service asked as those that need it ask it.

A fault that is not named here has no service of its own, as those of virtual machines, which are
judged by what becomes of the machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from threerc.runtime.observation import TMAX
from threerc.testbed.faults import SERVICES, SWITCH
from threerc.testbed.grip import Grip

_LATELY: Final = 2 * TMAX
"""Seconds: who was heard since is heard, also by a gmetad, which asks now and then."""
_WRITE: Final = """f=$(mktemp -p "$1") && trap 'rm -f "$f"' EXIT && echo written >"$f\""""
_BANNER: Final = 'exec 3<>"/dev/tcp/$1/22" && head -c 4 <&3'
Check = Callable[[Grip, str, float], Iterator[str]]


def complaints(grip: Grip, fault: str, target: str, since: float) -> tuple[str, ...]:
    """What is not right of what a fault strikes, a sentence each. Raises TestbedError.

    Who looks or is heard now and then has to have done so since `since`, in seconds since the
    epoch: see `shows_after`.
    """
    check = CHECKS.get(fault)
    return () if check is None else tuple(check(grip, target, since))


def shows_after(fault: str, period: float) -> float:
    """Seconds after which a fault can be told from none; controllers look once in a `period`."""
    return {"controller": period, "gmond": _LATELY}.get(fault, 0.0)


def unreached(grip: Grip) -> tuple[str, ...]:
    """The hosts that are on and do not answer a ping of another one's. Raises TestbedError."""
    there = _addresses(grip)
    askers = _askers(grip, there)
    ping = ("ping", "-n", "-q", "-c", "1", "-W", "2")
    return tuple(name for name, at in there.items() if grip.run(_other(askers, name), *ping, at).rc)


def _askers(grip: Grip, hosts: Iterable[str]) -> list[str]:
    """Who asks others first: whom no fault has hold of, then controllers, then those they ask."""
    struck = grip.struck()
    ranks = (grip.config.controllers, grip.config.physical_hosts)
    return sorted(hosts, key=lambda host: (host in struck, *(host not in each for each in ranks)))


def _other(askers: Iterable[str], than: str) -> str:
    """Who asks a host; itself where there is no other."""
    return next((host for host in askers if host != than), than)


def _addresses(grip: Grip) -> dict[str, str]:
    """Of the hosts that are on."""
    return {
        each["name"]: each["addresses"][0]
        for each in grip.testbed.status()["capsules"]
        if each["kind"] in {"physical", "service"} and each["power"] == "on" and each["addresses"]
    }


def _answers(role: str) -> Check:
    def check(grip: Grip, target: str, _since: float) -> Iterator[str]:
        for host in filter(grip.is_on, [target] if target else grip.providers(role)):
            yield from grip.complaints(host, role)

    return check


def _polls(grip: Grip, target: str, _since: float) -> Iterator[str]:
    """What its collectors hear, a gmetad knows."""
    heard = {name for hosts in grip.heard().values() for name, ago in hosts.items() if ago < TMAX}
    yield from _missing(f"the gmetad on {target}", heard, grip.polled().get(target, {}))


def _hears(grip: Grip, target: str, _since: float) -> Iterator[str]:
    wanted = {*grip.config.virtual_machines, *filter(grip.is_on, grip.config.physical_hosts)}
    yield from _missing(f"the collector on {target}", wanted, grip.heard().get(target, {}))


def _is_heard(grip: Grip, target: str, since: float) -> Iterator[str]:
    """Lately and since then: a heartbeat from before a fault says nothing of its end."""
    lately = min(_LATELY, time.time() - since)
    for collector, heard in grip.heard().items():
        yield from _missing(f"the collector on {collector}", {target}, heard, lately)


def _missing(
    who: str, wanted: set[str], heard: dict[str, int], lately: float = _LATELY
) -> Iterator[str]:
    silent = sorted(name for name in wanted if heard.get(name, lately) >= lately)
    if silent:
        yield f"{who} does not hear {', '.join(silent)}"


def _forwards(grip: Grip, target: str, _since: float) -> Iterator[str]:
    for bridge in grip.testbed.status()["bridges"]:
        if bridge["switch"] == target and not bridge["up"]:
            yield f"switch {target} does not forward {bridge['network']}"
    yield from (f"{host} cannot be reached" for host in unreached(grip))


def _is_reached(grip: Grip, target: str, _since: float) -> Iterator[str]:
    if not grip.is_on(target):
        yield f"{target} is off"
    elif target in unreached(grip):
        yield f"{target} cannot be reached"


def _lives(grip: Grip, target: str, since: float) -> Iterator[str]:
    """It is reached and, since cards may answer where no program does, lets people in."""
    amiss = tuple(_is_reached(grip, target, since))
    yield from amiss or _lets_in(grip, target, since)


def _lets_in(grip: Grip, target: str, _since: float) -> Iterator[str]:
    """Its sshd says what it is, to another host."""
    there = _addresses(grip)
    ask = ("timeout", "3", "bash", "-c", _BANNER, "bash", there.get(target, ""))
    if grip.run(_other(_askers(grip, there), target), *ask).out != "SSH-":
        yield f"the sshd of {target} does not answer"


def _writes(grip: Grip, _target: str, _since: float) -> Iterator[str]:
    user = ("runuser", "-u", grip.config.user, "--")
    for host in filter(grip.is_on, grip.providers("controller")):
        done = grip.run(host, *user, "sh", "-c", _WRITE, "sh", grip.state_directory)
        if done.rc:
            yield f"{host}: the shared state cannot be written: {done.err.strip()}"


def _looks(grip: Grip, target: str, since: float) -> Iterator[str]:
    if grip.looked()[target] < since:
        yield f"the controller on {target} has not looked at the site since"


def _takes_orders(grip: Grip, target: str, _since: float) -> Iterator[str]:
    if target in grip.config.physical_hosts and target not in grip.orderly():
        yield f"{target} does not tell the controllers what it runs"


def _ssh(grip: Grip, target: str, since: float) -> Iterator[str]:
    yield from _lets_in(grip, target, since)
    yield from _takes_orders(grip, target, since)


def _says_power(grip: Grip, target: str, _since: float) -> Iterator[str]:
    if grip.boards().get(target) is None:
        yield f"the board of {target} does not say whether it is on"


CHECKS: Final[dict[str, Check]] = {
    **{role: _answers(role) for role in SERVICES},
    "gmetad": _polls,
    "collector": _hears,
    "collector-restart": _hears,
    "gmond": _is_heard,
    SWITCH: _forwards,
    "state": _writes,
    "controller": _looks,
    "ssh": _ssh,
    "libvirtd": _takes_orders,
    "board": _says_power,
    "hang": _lives,
    **dict.fromkeys(("power", "network"), _is_reached),
}
