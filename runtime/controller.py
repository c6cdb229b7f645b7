"""One tick: observe, decide, place, act, record.

Source: thesis 7.3-7.14, 8 and appendix. For every VM that is down a tick says what it did, or why
it did nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import Final

from threerc.runtime import journal
from threerc.runtime.acting import Actor
from threerc.runtime.brake import Braked, judge
from threerc.runtime.config import ControllerConfig
from threerc.runtime.deciding import Decider
from threerc.runtime.drain import drain
from threerc.runtime.errors import Conflict, MonitorLost, StoreLost, Unwritable
from threerc.runtime.leftovers import Leftovers
from threerc.runtime.memory import Memory
from threerc.runtime.observation import Observation
from threerc.runtime.ordering import Orderer
from threerc.runtime.retelling import News
from threerc.runtime.round import Report, Round
from threerc.runtime.upkeep import Upkeep
from threerc.runtime.view import View
from threerc.runtime.world import World

_NOTHING: Final = Observation({}, "no monitor")
_TICKS: Final = 3
_CRON: Final = 120
"""Seconds between two ticks of a controller that cron starts in each second minute."""
_TELL_LOST: Final = 600
"""Every how many seconds people are told that the shared state is lost, by the clock."""


def tick(
    world: World, config: ControllerConfig, me: str, *, act: bool = True, every: int | None = None
) -> Report:
    """Look once at the whole site and do what is to be done; `me` is this controller's host.

    Without `act` nothing is done or written, only said. `every` is how many seconds a daemon lets
    pass between ticks, if it does not keep to the minutes. Raises StoreLost: without the shared
    state nothing is known, and nothing more is done. What was done until then is told.
    """
    report = Report(world.now())
    try:
        _tick(world, config, me, report, act=act, every=every)
    except StoreLost as error:
        if act:
            _say_what_is_lost(world, me, report, error, every or _CRON)
        raise
    return report


def _tick(  # noqa: PLR0913 - all that a tick is
    world: World, config: ControllerConfig, me: str, report: Report, *, act: bool, every: int | None
) -> None:
    memory = Memory(world.store, world.zone, me, report.time)
    memory.load()
    # What was read is as old as this, and no older: reading it may have taken long.
    now = memory.now = report.time = world.now()
    try:
        report.observation = world.observe()
    except MonitorLost as error:
        _see_nothing(Round(world, View(config, memory, _NOTHING, now), report, act), error)
    else:
        view = View(config, memory, report.observation, now)
        gap = memory.is_gap(_TICKS * (max(every or 0, _CRON) + config.deadline))
        _go_through(Round(world, view, report, act), gap=gap)
    report.records = {vm: held.record for vm, held in memory.held.items()}
    if act:
        _say(world, me, report)


def _say_what_is_damaged(turn: Round) -> None:
    """What cannot be read of the shared state hinders nobody else, and is no secret."""
    for vm in turn.view.unread:
        reason = turn.view.unreadable(vm)
        turn.report.unread[vm] = reason
        turn.report.events.append(journal.standstill(turn.now, turn.memory.me, reason, vm))
    for what in turn.memory.damaged:
        turn.note("*", what)


def _say_what_is_lacking(turn: Round) -> None:
    """Before a VM is down that could not be started without."""
    lacking = turn.world.lacking()
    if lacking:
        turn.note("*", lacking)


def _see_nothing(turn: Round, error: MonitorLost) -> None:
    """Without a monitor nothing is done, but that no machine goes on installing itself."""
    _say_what_is_damaged(turn)
    report = turn.report
    report.standstill = f"no monitor has fresh data: {error}"
    report.events.append(journal.standstill(turn.now, turn.memory.me, report.standstill))
    if turn.act:
        upkeep = Upkeep(turn.world, turn.view)
        report.events += [*upkeep.begin(), *upkeep.end()]


def _go_through(turn: Round, *, gap: bool) -> None:
    view, memory, report = turn.view, turn.memory, turn.report
    _say_what_is_damaged(turn)
    _say_what_is_lacking(turn)
    for vm in view.down_vms:
        if view.known(vm) and vm not in memory.unread:
            memory.record(vm, turn.config.virtual_machines[vm].home)
    upkeep = Upkeep(turn.world, view)
    if turn.act:
        report.events += upkeep.begin()
    blind = _blind(turn, gap=gap)
    report.standstill = blind or _brake(turn)
    if report.standstill:
        _stand_still(turn)
    else:
        _recover(turn, upkeep.due)
    if turn.act:
        report.events += upkeep.end()
        Leftovers(turn).run()
        _remember(turn, judged=not blind)
    cases = (case for case in report.cases if case.vm not in memory.unread)  # told already
    report.events += [case.event(turn.now, memory.me) for case in cases]


def _remember(turn: Round, *, judged: bool) -> None:
    """Keep what the next tick is to know; what was done is told also where that cannot be."""
    view, memory = turn.view, turn.memory
    up = [vm for vm in turn.config.virtual_machines if vm not in view.down]
    for write in (
        partial(memory.note, view.absent, view.down, judged=judged),
        partial(memory.know, up),
    ):
        try:
            write()
        except Unwritable as error:
            turn.note("*", f"the next tick does not know what this one has seen: {error}")


def _recover(turn: Round, links: Collection[str]) -> None:
    plans = Decider(turn).run()
    orders = Orderer(turn, links).run(plans)
    if turn.act:
        Actor(turn).run(plans, orders)
        drain(turn)
        return
    for vm, order in orders.items():  # what would be done, were it not only said
        plans[vm].case.step, plans[vm].case.to = order.step, order.to


def _blind(turn: Round, *, gap: bool) -> str:
    """Why nobody can be judged by what the monitor says in this tick, or nothing."""
    observation, memory = turn.view.observation, turn.memory
    own = observation.hosts.get(observation.host)
    if own is not None and own.down(turn.config.monitors.down_after):
        who = observation.host
        return f"{who} tells of all others, but has not heard of itself for {own.silent:.0f} s"
    hosts = (*turn.config.physical_hosts, *turn.config.virtual_machines)
    if hosts and observation.hosts.keys().isdisjoint(hosts):
        return f"{observation.source} knows none of the site's hosts"
    if gap and turn.act:  # what is only said is what the tick after this one would do
        since = f"for {turn.now - memory.looked:.0f} s" if memory.looked else "before"
        return f"no controller has seen the site {since}: this tick only looks, the next one acts"
    return ""


def _brake(turn: Round) -> str:
    """Why too much is silent for anything to be done, or nothing."""
    view = turn.view
    braked = judge(turn.config.brake, turn.memory.brake, view.silence(), turn.now)
    if turn.act:
        _set_brake(turn, braked)
    if braked is None or braked.released:
        return ""
    return f"{braked.reason}: nothing is done until it clears, or `3rc release`"


def _set_brake(turn: Round, braked: Braked | None) -> None:
    before = turn.memory.brake
    try:
        turn.memory.set_brake(braked)
    except Conflict:
        return  # the other controller has just judged the same
    if before is not None and braked is None:
        turn.note("*", "the brake is off: what had gone silent is back, or was too little")


def _stand_still(turn: Round) -> None:
    reason = turn.report.standstill
    turn.report.events.append(journal.standstill(turn.now, turn.memory.me, reason))
    for vm in turn.view.down_vms:
        turn.report.cases.append(turn.idle(vm, f"stands still: {reason}"))


def _say(world: World, me: str, report: Report) -> None:
    """Write the logs, and notify of all but waits. What was told lately is not told again."""
    lines = [line for case in report.cases for line in case.lines(report.time, world.zone)]
    news = News(world.store, me, report.time, report.events)
    if lines or news.fresh:
        world.store.log(lines, news.fresh)
    loud = [*news.late, *(event for event in news.fresh if event["kind"] != "wait")]
    late = world.tell(loud) if loud else ()
    # Only now: whoever dies before has told nobody, and is to tell it again.
    news.remember(late)


def _say_what_is_lost(
    world: World, me: str, report: Report, error: StoreLost, every: float
) -> None:
    """Notify of what was done although it cannot be logged, and that nothing is done any more.

    Nobody can remember whether that was told before, so the clock says when it is: in the first
    tick of each ten minutes.
    """
    reason = f"the shared state is lost: {error}"
    done = [case.event(report.time, me) for case in report.cases if case.step]
    for event in done:
        event["reason"] = f"{event['reason']}; perhaps it is not written down, {reason}"
    if done or report.time % _TELL_LOST < every:
        world.tell([*done, journal.standstill(report.time, me, reason)])
