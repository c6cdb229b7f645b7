"""The one way into a running testbed, for the commands, for campaigns, and for tests.

with create("ci") as (run, lock), start(spec, run, lock, progress) as held:
    testbed = held.let_go()
testbed.call("power", host="alfa01", state="off")
testbed.down()
"""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from threerc.testbed import needs, runs
from threerc.testbed.errors import TestbedError
from threerc.testbed.parts import LabSpec
from threerc.testbed.process import program, tail
from threerc.testbed.runs import Run
from threerc.testbed.server import THANKS

_ANSWER_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.1
_CREDENTIALS: Final = "3i"
_ALL: Final = ("--mount", "--uts", "--ipc", "--net", "--pid")
_NEVER: Final = "-sys_module,-sys_rawio,-sys_boot,-sys_time"
"""What root may do to a machine, and nothing of a testbed needs to."""


class Progress(Protocol):
    """Who wants to know how it goes on."""

    def done(self, what: str) -> None:
        """Something is done: what, and how long it took."""

    def waiting(self, waits: Sequence[tuple[str, float]]) -> None:
        """What is waited for now, each with its seconds so far."""


class Silent:
    """A progress that nobody looks at."""

    def done(self, what: str) -> None:
        """Say nothing."""

    def waiting(self, waits: Sequence[tuple[str, float]]) -> None:
        """Say nothing."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How a program in a capsule ended."""

    rc: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Testbed:
    """A running testbed. Every method raises TestbedError when the lab is gone or refuses.

    A lab that has had no word for `silence` seconds hangs; it has one twice a second.
    """

    run: Run
    silence: float = 30.0
    __test__ = False  # no test class, whatever pytest makes of the name

    def call(self, name: str, /, progress: Progress | None = None, **arguments: Any) -> Any:
        """Ask the lab; the calls are those of `calls.py`."""
        with self._connected() as connection:
            return _result(connection, name, arguments, progress or Silent())

    def status(self) -> dict[str, Any]:
        """How all of it is."""
        found: dict[str, Any] = self.call("status")
        return found

    def execute(
        self,
        capsule: str,
        *argv: str,
        data: str = "",
        environment: Mapping[str, str] | None = None,
        seconds: float = 60.0,
    ) -> Answer:
        """Run a program in a capsule to its end."""
        more: dict[str, Any] = {
            "data": data,
            "environment": dict(environment or {}),
            "seconds": seconds,
        }
        return Answer(**self.call("run", capsule=capsule, argv=list(argv), **more))

    def power(self, host: str, state: str) -> None:
        """Cut a capsule's or a machine's power (`off`), or switch it `on`."""
        self.call("power", host=host, state=state)

    def freeze(self, capsule: str, state: str) -> None:
        """Stop all that runs in a capsule (`frozen`), or let it go on (`thawed`)."""
        self.call("freeze", capsule=capsule, state=state)

    def signal(self, capsule: str, daemon: str, name: str) -> None:
        """Send a signal such as `KILL` to a daemon."""
        self.call("signal", capsule=capsule, daemon=daemon, name=name)

    def daemon(
        self, capsule: str, daemon: str, state: str, instead: Mapping[str, str] | None = None
    ) -> None:
        """Stop a daemon (`off`), or start it (`on`), with other words in place of its command's."""
        words = dict(instead or {})
        self.call("daemon", capsule=capsule, daemon=daemon, state=state, instead=words)

    def switch(self, name: str, state: str) -> None:
        """Let a switch fail (`down`), or work again (`up`)."""
        self.call("switch", name=name, state=state)

    def apart(self, hosts: Sequence[str], state: str) -> None:
        """Let hosts only reach one another (`apart`), or all others again (`together`)."""
        self.call("apart", hosts=list(hosts), state=state)

    def bridge(self, name: str, state: str) -> None:
        """Let one network of a switch fail (`down`), or work again (`up`)."""
        self.call("bridge", name=name, state=state)

    def card(self, host: str, state: str, card: str | None = None) -> None:
        """Cut a host's cables (`cut`), or mend them (`mended`); one, or all of them."""
        self.call("card", host=host, state=state, card=card)

    def wait(self, seconds: float, since: float = 0.0, **wanted: Any) -> dict[str, Any]:
        """The first event from a time on that has all that is wanted, once it has happened."""
        found: dict[str, Any] = self.call("wait", wanted=wanted, seconds=seconds, since=since)
        return found

    def events(self, since: float = 0.0) -> Iterator[dict[str, Any]]:
        """All events from a time on, and then each new one."""
        with self._connected() as connection:
            for line in _lines(connection, "events", {"since": since}):
                if "event" in line:
                    yield line["event"]

    def enter(self, capsule: str, argv: Sequence[str]) -> list[str]:
        """The command that runs one in a capsule, at the terminal of whoever runs it."""
        (found,) = [each for each in self.status()["capsules"] if each["name"] == capsule] or [None]
        if found is None or found["init"] is None:
            raise TestbedError(f"{capsule} is no capsule, or is off")
        return [*self._enter_lab(), *_into(found["init"], *_ALL), *argv]

    def enter_network(self) -> list[str]:
        """The beginning of a command that has the site's network, and this machine's files."""
        found = {
            each["kind"]: each["init"]
            for each in self.status()["capsules"]
            if each["init"] is not None
        }
        for kind in ("router", "service", "physical"):
            if kind in found:
                return [*self._enter_lab(), *_into(found[kind], "--net")]
        raise TestbedError("no capsule is on")

    def _enter_lab(self) -> list[str]:
        with self._connected() as connection:
            told = connection.getsockopt(
                socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize(_CREDENTIALS)
            )
        # Told by the kernel, as we see the process: not the number that it has for itself.
        return _into(struct.unpack(_CREDENTIALS, told)[0], *_ALL)

    def down(self) -> None:
        """End it, and remove its folder."""
        with suppress(_HungUp):
            self.call("down")
        self.run.await_death()
        self.run.remove()

    @contextmanager
    def _connected(self) -> Iterator[socket.socket]:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(self.silence)
        with connection:
            try:
                folder = os.open(self.run.folder, os.O_PATH)
                try:  # a socket's path may have no more than 107 characters
                    connection.connect(f"/proc/self/fd/{folder}/{runs.SOCKET}")
                finally:
                    os.close(folder)
            except OSError as error:
                if self.run.lives() and not self.run.has_lab():
                    what = f"{self.run.id} ({self.run.site}) is still being prepared"
                    raise TestbedError(f"testbed {what}") from None
                raise _HungUp(f"testbed {self.run.id} does not answer: {error}") from None
            try:
                yield connection
            except TimeoutError:
                what = f"has said nothing for {self.silence:g} s; `3rc testbed clean` ends it"
                raise TestbedError(f"testbed {self.run.id} {what}") from None


def _into(pid: int, *spaces: str) -> list[str]:
    return [program("nsenter"), "--target", str(pid), *spaces, "--"]


class Held:
    """A testbed that ends with whoever has built it, unless it is let go."""

    def __init__(
        self, testbed: Testbed, process: subprocess.Popen[bytes], connection: socket.socket
    ) -> None:
        self.testbed = testbed
        self.is_free = False
        self._process = process
        self._connection = connection

    def let_go(self) -> Testbed:
        """Let it live on by itself, until `down`. TestbedError where it has ended meanwhile."""
        try:
            self._connection.sendall(THANKS)
        except OSError:
            raise TestbedError(_ended(self.testbed.run)) from None
        self.is_free = True
        # so that it is no zombie one day
        threading.Thread(target=self._process.wait, daemon=True).start()
        return self.testbed

    def end(self) -> None:
        """End it, if it was not let go; then nothing of it lives."""
        if not self.is_free:
            _end(self._process)


@contextmanager
def start(spec: LabSpec, run: Run, lock: int, progress: Progress | None = None) -> Iterator[Held]:
    """Build a testbed in a run's folder; TestbedError if it does not come up.

    If the caller dies within the block, or leaves it without having let go, all of it ends. The
    run's folder stays, with its logs.
    """
    needs.check(spec)
    try:
        run.write_spec(spec)
    except OSError as error:
        raise TestbedError(f"{run.folder}: {error.strerror}") from None
    ours, theirs = socket.socketpair()
    with ours:
        with theirs, (run.logs / "lab.log").open("ab") as log:
            process = subprocess.Popen(
                _command(run, theirs.fileno(), lock),
                pass_fds=(theirs.fileno(), lock),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        held = Held(Testbed(run), process, ours)
        try:
            _await_built(run, process, ours, progress or Silent())
            yield held
        finally:
            held.end()


def _await_built(
    run: Run, process: subprocess.Popen[bytes], connection: socket.socket, progress: Progress
) -> None:
    try:
        run.journal(process.pid)
        _finish(_answers(connection), progress)
    except OSError as error:
        raise TestbedError(f"{run.folder}: {error.strerror}") from None
    except _HungUp:
        raise TestbedError(_ended(run)) from None


def _ended(run: Run) -> str:
    return f"the lab ended\n{tail(run.logs / 'lab.log')}"


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill a lab; when this returns, nothing of it lives."""
    try:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        inside = children.read_text(encoding="ascii").split()
    except OSError:
        inside = []
    for child in inside:  # process 1 of the lab: `process` ends once all in there is dead
        with suppress(ProcessLookupError):
            os.kill(int(child), signal.SIGKILL)
    if not inside:
        process.kill()
    process.wait()


def _command(run: Run, connection: int, lock: int) -> list[str]:
    apart = ("--mount", "--uts", "--ipc", "--net", "--pid", "--fork", "--kill-child")
    lab = (sys.executable, "-P", "-m", "threerc.testbed.lab")
    return [
        *(program("setpriv"), "--bounding-set", _NEVER, "--"),
        *(program("unshare"), *apart, "--mount-proc", "--", program("tini"), "--", *lab),
        *(str(run.folder), str(connection), str(lock)),
    ]


class _HungUp(TestbedError):
    """The lab ended before it had answered, or has ended already."""


def _result(
    connection: socket.socket, name: str, arguments: Mapping[str, Any], progress: Progress
) -> Any:
    return _finish(_lines(connection, name, arguments), progress)


def _lines(
    connection: socket.socket, name: str, arguments: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    connection.sendall(json.dumps({"call": name, "args": arguments}).encode() + b"\n")
    return _answers(connection)


def _answers(connection: socket.socket) -> Iterator[dict[str, Any]]:
    with connection.makefile("rb") as lines:
        for line in lines:
            yield json.loads(line)


def _finish(lines: Iterator[dict[str, Any]], progress: Progress) -> Any:
    for line in lines:
        if "result" in line:
            return line["result"]
        if "error" in line:
            raise TestbedError(line["error"])
        if "progress" in line:
            progress.done(line["progress"])
        if "waiting" in line:
            progress.waiting([(what, seconds) for what, seconds in line["waiting"]])
    raise _HungUp("the lab ended before it had answered")


def clean(hung_after: float = _ANSWER_SECONDS) -> tuple[list[Run], list[Run]]:
    """Remove what killed runs have left, and end labs that do not answer within so many seconds.

    Returns the runs that are removed, and those that run well. Raises OSError, TestbedError.
    """
    living = []
    for run in runs.known():
        if run.lives():
            if _hangs(run, hung_after):
                run.kill()
            else:
                living.append(run)
    return runs.remove_dead(), [run for run in living if run.lives()]


def _hangs(run: Run, seconds: float) -> bool:
    """Whether it has a lab that does not answer for so long; one that starts has no socket yet."""
    deadline = time.monotonic() + seconds
    while run.lives() and run.has_lab():
        try:
            Testbed(run, silence=seconds).status()
        except TestbedError:
            if time.monotonic() > deadline:
                return True
            time.sleep(_POLL_SECONDS)
        else:
            return False
    return False
