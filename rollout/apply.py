"""One roll-out: staged and checked on all hosts, then switched, told and asked; or all undone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from threerc.rollout.errors import RolloutError
from threerc.rollout.fleet import Fleet
from threerc.rollout.history import History, Time, who
from threerc.rollout.sessions import Answer, Session
from threerc.rollout.tree import Tree
from threerc.runtime.errors import ControllerError, Unreachable

_STEPS: Final = ("check", "prepare", "switch", "tell", "health")
_FEW: Final = 5


@dataclass
class Survey:
    """What was found on the hosts before anything was changed, `<host><path>: words` each.

    `changes` are the files that change, by host; `gone` the hosts of the last tree that this one
    does not have.
    """

    changes: dict[str, list[str]] = field(default_factory=dict)
    down: dict[str, str] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)
    edits: list[str] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    recovered: list[str] = field(default_factory=list)
    not_checked: list[str] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """Whether no host has to be changed."""
        return not self.changes


@dataclass
class Outcome:
    """What came of a roll-out. `why` says what failed where it was undone.

    `amiss` are the hosts that are not known to be as before then, as `undone` says. `links` are the
    boot links that were switched while it went on, and were kept.
    """

    survey: Survey
    time: Time | None = None
    why: list[str] = field(default_factory=list)
    undone: list[str] = field(default_factory=list)
    amiss: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    told: dict[str, list[str]] = field(default_factory=dict)
    absent: dict[str, list[str]] = field(default_factory=dict)
    behind: dict[str, str] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether all was undone."""
        return bool(self.why)


class Rollout:
    """One roll-out of one tree. `progress` is told each step."""

    def __init__(
        self,
        fleet: Fleet,
        tree: Tree,
        history: History,
        progress: Callable[[str], None],
    ) -> None:
        self._fleet = fleet
        self._tree = tree
        self._history = history
        self._progress = progress
        self._hosts: list[str] = []

    def survey(self, overwrite: Collection[str]) -> Survey:
        """Reach all hosts and see what would change; they are ours until the fleet is left.

        Raises RolloutError where a host is another's, or none can be reached.
        """
        self._progress("reaching the hosts")
        found = Survey(gone=self._gone())
        begun: dict[str, Answer] = {}
        for host, said in self._fleet.begin(sorted(self._tree.hosts), who()).items():
            if isinstance(said, Unreachable):
                found.down[host] = str(said)
            elif isinstance(said, Exception):
                raise RolloutError(str(said)) from None
            else:
                begun[host] = said
                found.recovered += [f"{host}: {each}" for each in said["recovered"]]
        if not begun:
            raise RolloutError(f"no host can be reached: {_few(list(found.down.values()))}")
        self._compare(begun, overwrite, found)
        return found

    def _gone(self) -> list[str]:
        last = self._history.applied()
        if last is None or self._history.has(self._tree):
            return []
        return sorted(Tree.read(last).hosts.keys() - self._tree.hosts.keys())

    def _compare(
        self, begun: Mapping[str, Answer], overwrite: Collection[str], found: Survey
    ) -> None:
        self._progress("comparing")
        known = {time.run for time in self._history.times()}
        digests = self._tree.digests()

        def stage(session: Session) -> Answer:
            given = [_path(each) for each in overwrite if _host(each) == session.name]
            if begun[session.name]["digest"] == digests[session.name] and not given:
                return session.ask("look", self._fleet.seconds)
            entries = self._tree.hosts[session.name]
            return session.ask("stage", self._fleet.seconds, entries=entries, overwrite=given)

        for host, said in self._all(self._fleet.each(begun, stage)).items():
            about = begun[host]["about"]
            if begun[host]["digest"] and about.get("run") not in known and host not in overwrite:
                found.conflicts.append(f"{host}: was applied by {about.get('who')}, not from here")
            if "changes" in said and (said["changes"] or begun[host]["digest"] != digests[host]):
                found.changes[host] = said["changes"]
            for name in ("edits", "conflicts", "links"):
                told = [f"{host}{path}: {how}" for path, how in said.get(name, ())]
                getattr(found, name).extend(told)

    def run(self, survey: Survey, time: Time) -> Outcome:
        """Change the hosts of a survey, or leave all of them as they were."""
        self._hosts = sorted(survey.changes)
        outcome = Outcome(survey, time)
        self._progress("sending")
        outcome.why = _failures(self._fleet.each(self._hosts, lambda s: self._send(s, time)))
        for step in _STEPS:
            if not outcome.why:
                self._progress(step)
                self._take(step, self._fleet.step(self._hosts, step), outcome)
        if outcome.why:
            self._undo(outcome)
            self._history.note(time, "rolled back", _few(outcome.why))
        else:
            self._history.note(time, "applied")
            for host, said in self._fleet.step(self._hosts, "commit").items():
                if isinstance(said, Exception):
                    outcome.behind[host] = str(said)
        return outcome

    def _send(self, session: Session, time: Time) -> None:
        """Stage what a host does not have yet."""
        host = session.name
        about = {"run": time.run, "number": time.number, "who": time.who, "when": time.when}
        about |= {"commit": time.commit, "summary": time.summary}
        for path_digest in session.ask("want", self._fleet.seconds, about=about)["want"]:
            path = self._paths(host)[path_digest]
            content = self._tree.content(host, path)
            session.ask("put", self._fleet.seconds, content, sha256=path_digest)

    def _paths(self, host: str) -> dict[str, str]:
        entries = self._tree.hosts[host]
        return {entry["sha256"]: path for path, entry in entries.items() if "sha256" in entry}

    def _take(self, step: str, said: Mapping[str, Any], outcome: Outcome) -> None:
        outcome.why += _failures(said)
        for host, answer in said.items():
            if isinstance(answer, Exception):
                continue
            outcome.why += [f"{host}: {each}" for each in answer.get("failures", ())]
            outcome.survey.not_checked += [f"{host}: {e}" for e in answer.get("not_checked", ())]
            outcome.links += [f"{host}{path}: {to}" for path, to in answer.get("links", ())]
            if step == "tell":
                outcome.told[host] = answer["told"]
                outcome.absent[host] = answer["absent"]

    def _undo(self, outcome: Outcome) -> None:
        """Bring every host back; one that was lost is asked again, since it undoes by itself."""
        self._progress("undoing")
        there = [host for host in self._hosts if host in self._fleet.sessions]
        said = self._fleet.step(there, "undo")
        lost = [host for host in self._hosts if host not in self._fleet.sessions]
        said |= self._fleet.begin(lost, who()) if lost else {}
        for host, answer in said.items():
            if isinstance(answer, Exception):
                told = f"{host}: {answer}: it undoes by itself, at the latest by the next apply"
                outcome.undone.append(told)
                outcome.amiss.append(host)
            else:
                outcome.undone += [f"{host}: {each}" for each in answer["recovered"]]
                outcome.amiss += [host] if answer["recovered"][1:] else []

    @staticmethod
    def _all(said: Mapping[str, Any]) -> dict[str, Answer]:
        failed = _failures(said)
        if failed:
            raise RolloutError(_few(failed))
        return dict(said)


def _few(why: list[str]) -> str:
    """Reasons in a line, the first ones of many."""
    more = [f"and {len(why) - _FEW} more"] if len(why) > _FEW else []
    return "; ".join([*why[:_FEW], *more])


def _failures(said: Mapping[str, Any]) -> list[str]:
    return [str(each) for each in said.values() if isinstance(each, ControllerError)]


def _host(overwrite: str) -> str:
    return overwrite.partition("/")[0]


def _path(overwrite: str) -> str:
    """The path on its host that may be overwritten; all of them for a host alone."""
    _, slash, path = overwrite.partition("/")
    return slash + path or "/"
