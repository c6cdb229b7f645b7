"""One tick: observe, decide, place, act, record.

Source: thesis 7.3-7.14, 8 and appendix. For every VM that is down a tick says what it did, or why
it did nothing.
"""

from __future__ import annotations

from threerc.runtime import journal
from threerc.runtime.acting import Actor
from threerc.runtime.brake import Braked, judge
from threerc.runtime.config import ControllerConfig
from threerc.runtime.deciding import Decider
from threerc.runtime.drain import drain
from threerc.runtime.errors import Conflict, MonitorLost
from threerc.runtime.memory import Memory
from threerc.runtime.ordering import Orderer
from threerc.runtime.round import Report, Round
from threerc.runtime.upkeep import keep_up
from threerc.runtime.view import View
from threerc.runtime.world import World


def tick(world: World, config: ControllerConfig, me: str, *, act: bool = True) -> Report:
    """Look once at the whole site and do what is to be done; `me` is this controller's host.

    Without `act` nothing is done or written, only said. Raises StoreLost: without the shared
    state nothing is known, and nothing is done.
    """
    now = world.now()
    report = Report(now)
    memory = Memory(world.store, world.zone, me, now)
    memory.load()
    try:
        report.observation = world.observe()
    except MonitorLost as error:
        report.standstill = f"no monitor has fresh data: {error}"
        report.events.append(journal.standstill(now, me, report.standstill))
    else:
        view = View(config, memory, report.observation, now)
        _go_through(Round(world, view, report, act))
    if act:
        _say(world, report)
    return report


def _go_through(turn: Round) -> None:
    view, memory, report = turn.view, turn.memory, turn.report
    for vm in view.down_vms:
        if view.known(vm):
            memory.record(vm, turn.config.virtual_machines[vm].home)
    if turn.act:
        report.events += keep_up(turn.world, view)
    report.standstill = _brake(turn)
    if report.standstill:
        _stand_still(turn)
    else:
        _recover(turn)
    if turn.act:
        memory.note(view.absent, view.down)
        memory.know(vm for vm in turn.config.virtual_machines if vm not in view.down)
    report.events += [case.event(turn.now, memory.me) for case in report.cases]


def _recover(turn: Round) -> None:
    plans = Decider(turn).run()
    orders = Orderer(turn).run(plans)
    if turn.act:
        Actor(turn).run(plans, orders)
        drain(turn)
        return
    for vm, order in orders.items():  # what would be done, were it not only said
        plans[vm].case.step, plans[vm].case.to = order.step, order.to


def _brake(turn: Round) -> str:
    """Why nothing may be done in this tick, or nothing."""
    view, source = turn.view, turn.view.observation.host
    own = view.observation.hosts.get(source)
    if own is not None and own.down(turn.config.monitors.down_after):
        return f"{source} tells of all others, but has not heard of itself for {own.silent:.0f} s"
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


def _say(world: World, report: Report) -> None:
    """Write the logs, and notify of all but waits."""
    lines = [line for case in report.cases for line in case.lines(report.time, world.zone)]
    if lines or report.events:
        world.store.log(lines, report.events)
    loud = [event for event in report.events if event["kind"] != "wait"]
    if loud:
        world.tell(loud)
