"""An apply that loses the connection to a host in the middle of a step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.rollout.machines import Land
from tests.runtime.hypervisors.capsule import inside
from threerc.rollout.apply import Outcome, Rollout
from threerc.rollout.fleet import Fleet, Opener, Roads
from threerc.rollout.history import History
from threerc.rollout.sessions import Answer, Pipe, Session
from threerc.rollout.tree import Tree, Ways


@dataclass
class Losing:
    """Sessions by ssh, of which one host's is lost in the middle of a step."""

    open: Opener
    host: str
    step: str
    lose: Callable[[Pipe], None]

    def __call__(self, host: str) -> Session:
        session = self.open(host)
        if host != self.host or not isinstance(session, Pipe):
            return session
        return _Lost(session, self.step, self.lose)


@dataclass
class _Lost:
    session: Pipe
    step: str
    lose: Callable[[Pipe], None]
    name: str = field(init=False)

    def __post_init__(self) -> None:
        self.name = self.session.name

    def ask(self, step: str, seconds: float, content: bytes | None = None, **given: Any) -> Answer:
        if step == self.step:
            self.lose(self.session)
        return self.session.ask(step, seconds, content, **given)

    def close(self) -> None:
        self.session.close()


def losing(
    hosts: Land, host: str, step: str, lose: Callable[[Pipe], None], seconds: float
) -> Outcome:
    """An apply of what was built last, in which a connection is lost."""
    tree = Tree.read(hosts.site.out)
    history = History(hosts.site.folder / "state")
    key = hosts.site.folder.parent / "user"
    roads = Roads(Ways(tree.snapshot()), seconds, key)
    with inside(hosts.net), Fleet(Losing(roads, host, step, lose), seconds) as fleet:
        rollout = Rollout(fleet, tree, history, lambda _: None)
        return rollout.run(rollout.survey(()), history.begin(tree, "a test", ""))


def end_of_ssh(pipe: Pipe) -> None:
    """The connection breaks, and both ends see it."""
    pipe._process.kill()  # noqa: SLF001
    pipe._process.wait()  # noqa: SLF001
