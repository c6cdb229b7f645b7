"""What the lab can be asked for: functions of the lab, of who asks, and of named arguments."""

from __future__ import annotations

import asyncio
import json
import signal as signals
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Literal

from threerc.testbed.capsule import Capsule
from threerc.testbed.errors import TestbedError
from threerc.testbed.events import Kind

if TYPE_CHECKING:
    from threerc.testbed.lab import Lab
    from threerc.testbed.server import Client

_POLL_SECONDS: Final = 0.1


async def status(lab: Lab, _client: Client) -> dict[str, Any]:
    """How all of it is."""
    return {
        "run": lab.run.id,
        "site": lab.spec.site,
        "folder": str(lab.run.folder),
        "state": "running" if lab.ready else "starting",
        "waiting": lab.waits.now(),
        "capsules": [_capsule(capsule) for capsule in lab.capsules.values()],
        "machines": [
            {"name": each.name, "power": _power(each.running)} for each in lab.machines.values()
        ],
        "bridges": [
            {
                "name": each.name,
                "network": each.network,
                "switch": each.switch,
                "up": each.name not in lab.network.down,
            }
            for each in lab.network.bridges.values()
        ],
        "cables": [
            {"host": each.owner, "card": each.card, "bridge": each.bridge, "cut": each.cut}
            for each in lab.network.cables
        ],
    }


def _capsule(capsule: Capsule) -> dict[str, Any]:
    return {
        "name": capsule.name,
        "kind": capsule.spec.kind,
        "power": _power(capsule.init is not None),
        "init": capsule.init,
        "addresses": [str(a.ip) for card in capsule.spec.cards for a in card.addresses],
        "daemons": [
            {
                "name": name,
                "running": keeper.running,
                "ended": keeper.ended,
                "restarts": keeper.restarts,
                "log": str(keeper.log),
            }
            for name, keeper in capsule.keepers.items()
        ],
    }


def _power(on: bool) -> str:
    return "on" if on else "off"


async def run(  # noqa: PLR0913
    lab: Lab,
    _client: Client,
    *,
    capsule: str,
    argv: list[str],
    data: str = "",
    environment: dict[str, str] | None = None,
    seconds: float = 60.0,
) -> dict[str, Any]:
    """Run a program in a capsule to its end, within so many seconds."""
    work = _find(lab, capsule).call(argv, data.encode(), environment or {})
    try:
        done = await asyncio.wait_for(work, seconds)
    except TimeoutError:
        what = f"`{' '.join(argv)}` had not ended after {seconds:.0f} s"
        raise TestbedError(f"{capsule}: {what}") from None
    return {
        "rc": done.status,
        "out": done.output.decode("utf-8", errors="replace"),
        "err": done.errors.decode("utf-8", errors="replace"),
    }


async def power(lab: Lab, _client: Client, *, host: str, state: Literal["on", "off"]) -> None:
    """Cut the power of a capsule or a machine, or switch it on and wait until it serves."""
    found = lab.machines.get(host) or _find(lab, host)
    if state == "off":
        await found.off()
        lab.tell(Kind.FAULT, host, "power off")
    else:
        lab.tell(Kind.HEAL, host, "power on")
        await found.on()


async def freeze(
    lab: Lab, _client: Client, *, capsule: str, state: Literal["frozen", "thawed"]
) -> None:
    """Stop all that runs in a capsule where it is, or let it go on."""
    await _find(lab, capsule).freeze(frozen=state == "frozen")
    lab.tell(Kind.FAULT if state == "frozen" else Kind.HEAL, capsule, state)


async def signal(lab: Lab, _client: Client, *, capsule: str, daemon: str, name: str) -> None:
    """Send a signal, by its name such as KILL, to a daemon's main process."""
    try:
        number = signals.Signals[f"SIG{name.removeprefix('SIG')}"]
    except KeyError:
        raise TestbedError(f"no signal {name}") from None
    keeper = _find(lab, capsule).keeper(daemon)
    if not keeper.running:
        raise TestbedError(f"{capsule}: {daemon} does not run")
    keeper.signal(number)
    lab.tell(Kind.NOTE, capsule, f"{daemon} got {number.name}")


async def daemon(
    lab: Lab,
    _client: Client,
    *,
    capsule: str,
    daemon: str,
    state: Literal["on", "off"],
    instead: dict[str, str],
) -> None:
    """Stop a daemon, so that it stays stopped, or start it and wait until it serves.

    One of a host that is off starts with its host. `instead` are words in place of some of its
    command's, such as the path of another configuration.
    """
    found = _find(lab, capsule)
    keeper = found.keeper(daemon)
    if state == "off":
        await keeper.stop()
        lab.tell(Kind.FAULT, capsule, f"{daemon} stopped")
        return
    await keeper.permit(instead)
    what = "".join(f" with {new} for {old}" for old, new in instead.items())
    lab.tell(Kind.FAULT if instead else Kind.HEAL, capsule, f"{daemon} started{what}")
    if found.init is not None:
        await keeper.start()


async def bridge(lab: Lab, _client: Client, *, name: str, state: Literal["up", "down"]) -> None:
    """Let one network of a switch fail, or work again."""
    await lab.network.bridge(name, up=state == "up")
    lab.tell(Kind.HEAL if state == "up" else Kind.FAULT, "*", f"bridge {name} {state}")


async def switch(lab: Lab, _client: Client, *, name: str, state: Literal["up", "down"]) -> None:
    """Let a switch fail, or work again."""
    await lab.network.switch(name, up=state == "up")
    lab.tell(Kind.HEAL if state == "up" else Kind.FAULT, "*", f"switch {name} {state}")


async def apart(
    lab: Lab, _client: Client, *, hosts: list[str], state: Literal["apart", "together"]
) -> None:
    """Let hosts only reach one another, or all others again."""
    await lab.network.apart(tuple(hosts), are=state == "apart")
    for host in hosts:
        lab.tell(Kind.FAULT if state == "apart" else Kind.HEAL, host, state)


async def card(
    lab: Lab,
    _client: Client,
    *,
    host: str,
    state: Literal["cut", "mended"],
    card: str | None = None,
) -> None:
    """Cut the cable of a host's card (of all without a name), or mend it."""
    await lab.network.card(host, card, cut=state == "cut")
    what = f"cable {card} {state}" if card else f"all cables {state}"
    lab.tell(Kind.FAULT if state == "cut" else Kind.HEAL, host, what)


async def screenshot(lab: Lab, _client: Client, *, host: str) -> str:
    """The file, in the run's folder, that a machine's screen is drawn into (as a PPM)."""
    if host not in lab.machines:
        raise TestbedError(f"no machine {host} (there are: {', '.join(lab.machines) or 'none'})")
    file = lab.run.folder / f"{host}.ppm"
    await lab.machines[host].screenshot(file)
    return str(file)


async def events(lab: Lab, client: Client, *, since: float = 0.0) -> None:
    """Tell of all events from a time on, and of each new one, until the client hangs up."""
    async for event in _follow(lab):
        if event["time"] >= round(since, 3):  # as times are written
            await client.say(event=event)


async def wait(
    lab: Lab, _client: Client, *, wanted: dict[str, Any], seconds: float, since: float = 0.0
) -> dict[str, Any]:
    """Wait for the first event from a time on that has all that is wanted; which it is.

    TestbedError when time is up.
    """
    try:
        async with asyncio.timeout(seconds):
            async for event in _follow(lab):
                if event["time"] >= round(since, 3) and wanted.items() <= event.items():
                    return event
    except TimeoutError:
        pass
    what = ", ".join(f"{name} {value}" for name, value in wanted.items())
    raise TestbedError(f"waited {seconds:.0f} s in vain for an event: {what}")


async def _follow(lab: Lab) -> AsyncIterator[dict[str, Any]]:
    """All events of the run's file, to which others write too, and each that is added."""
    read, rest = 0, b""
    while True:
        if lab.run.events.exists():
            with lab.run.events.open("rb") as file:
                file.seek(read)
                new = file.read()
            read += len(new)
            *lines, rest = (rest + new).split(b"\n")
            for line in lines:
                with suppress(ValueError):
                    yield json.loads(line)
        await asyncio.sleep(_POLL_SECONDS)


async def down(lab: Lab, _client: Client) -> None:
    """End all of it; that the lab hangs up says so too."""
    lab.end.set()


_ALL: Final = (
    *(status, run, power, freeze, signal, daemon, bridge, switch, apart, card),
    *(screenshot, events, wait, down),
)
CALLS: Final[dict[str, Callable[..., Coroutine[Any, Any, Any]]]] = {
    each.__name__: each for each in _ALL
}


def _find(lab: Lab, name: str) -> Capsule:
    if name not in lab.capsules:
        raise TestbedError(f"no capsule {name} (there are: {', '.join(lab.capsules)})")
    return lab.capsules[name]
