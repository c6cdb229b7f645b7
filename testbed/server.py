"""How the lab is talked to: a request on a socket, lines of JSON in answer.

    {"call": "power", "args": {"host": "alfa01", "state": "off"}}

is answered by any number of `{"progress": TEXT}`, `{"waiting": [[WHAT, SECONDS], ...]}` and
`{"event": {...}}`, and at last by `{"result": VALUE}` or `{"error": TEXT}`. What is waited for is
told twice a second, also when it is nothing: a lab that is silent hangs. There is one request to a
connection. Who hangs up has his request cancelled.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import traceback
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from threerc.testbed.calls import CALLS
from threerc.testbed.errors import TestbedError

if TYPE_CHECKING:
    from threerc.testbed.lab import Lab

THANKS: Final = b"thanks\n"
"""What who has a lab built says at last, so that no lab lives on of which nobody knows."""
LIMIT: Final = 64 << 20
"""Bytes of a line, at most."""
_REPORT_SECONDS: Final = 0.5


class Client:
    """Who asks, at the other end of a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def say(self, **line: Any) -> None:
        """Send a line. Raises ConnectionError if there is nobody."""
        self._writer.write(json.dumps(line).encode() + b"\n")
        await self._writer.drain()

    async def answer(self, value: Any) -> None:
        """Send the result."""
        with suppress(ConnectionError):
            await self.say(result=value)

    async def fail(self, why: str) -> None:
        """Send that it could not be done."""
        with suppress(ConnectionError):
            await self.say(error=why)

    async def request(self) -> Any:
        """What is asked. Raises ValueError."""
        return json.loads(await self._reader.readline())

    async def thanks(self) -> bool:
        """Whether the client says that it has the result, before it hangs up."""
        with suppress(ConnectionError):
            return await self._reader.readline() == THANKS
        return False

    async def gone(self) -> None:
        """Wait until nobody is there."""
        with suppress(ConnectionError):
            while await self._reader.read(4096):
                pass

    async def while_there(self, work: Coroutine[Any, Any, Any], lab: Lab) -> Any:
        """Do some work, unless the client goes: then ConnectionError. Report meanwhile."""
        task = asyncio.create_task(work)
        gone = asyncio.create_task(self.gone())
        told = len(lab.progress)
        try:
            while not task.done():
                await asyncio.wait(
                    {task, gone}, timeout=_REPORT_SECONDS, return_when=asyncio.FIRST_COMPLETED
                )
                if gone.done() and not task.done():
                    raise ConnectionError("the client is gone")
                told = await self._report(lab, told)
            return await task
        finally:
            for each in (task, gone):
                each.cancel()
            await asyncio.gather(task, gone, return_exceptions=True)

    async def _report(self, lab: Lab, told: int) -> int:
        for text in lab.progress[told:]:
            await self.say(progress=text)
        await self.say(waiting=lab.waits.now())
        return len(lab.progress)

    def close(self) -> None:
        """Hang up."""
        self._writer.close()


@asynccontextmanager
async def serve(lab: Lab) -> AsyncIterator[None]:
    """Answer whoever asks, as long as the block lasts."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = Client(reader, writer)
        try:
            with suppress(ConnectionError):
                await _answer(lab, client)
        finally:
            client.close()

    server = await asyncio.start_unix_server(handle, sock=_listen(lab.run.socket), limit=LIMIT)
    try:
        yield
    finally:
        server.close()


def _listen(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    # By its folder's descriptor, since a socket's path may have no more than 107 characters.
    folder = os.open(path.parent, os.O_PATH)
    old = os.umask(0o177)
    try:
        listener.bind(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.umask(old)
        os.close(folder)
    return listener


async def _answer(lab: Lab, client: Client) -> None:
    try:
        request = await client.request()
        call = CALLS[request["call"]]
        work = call(lab, client, **request.get("args", {}))
    except (ValueError, KeyError, TypeError) as error:
        await client.fail(f"no such call: {error}")
        return
    try:
        await client.answer(await client.while_there(work, lab))
    except (TestbedError, OSError, ValueError) as error:
        await client.fail(str(error))
    except Exception as error:  # else nobody would ever hear of it
        traceback.print_exc()
        await client.fail(f"a bug of the lab, told in lab.log: {error!r}")
