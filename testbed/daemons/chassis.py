"""What a simulated board does to its host: it asks the lab, and tells it.

    python -m threerc.testbed.daemons.chassis SOCKET HOST get power
    python -m threerc.testbed.daemons.chassis SOCKET HOST set power 0

Source: OpenIPMI, ipmi_lan(5), chassis_control.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from typing import Any, Final

_SECONDS: Final = 120.0


def main(arguments: list[str]) -> int:
    """Do what the simulator wants; other wishes than power are none of ours, and granted."""
    path, host, verb, what, *value = arguments
    if what == "power" and verb == "get":
        sys.stdout.write(f"power:{int(is_on(path, host))}\n")
    elif what == "power" and verb == "set":
        # The simulator says it twice.
        if (value == ["1"]) != is_on(path, host):
            switch_on(path, host) if value == ["1"] else ask(path, "power", host=host, state="off")
    elif what == "reset" and verb == "set":
        ask(path, "power", host=host, state="off")
        switch_on(path, host)
    return 0


def is_on(path: str, host: str) -> bool:
    """Whether the lab has a host switched on. Raises OSError where it has no such host."""
    for capsule in ask(path, "status")["capsules"]:
        if capsule["name"] == host:
            return bool(capsule["power"] == "on")
    raise OSError(f"no capsule {host}")


def switch_on(path: str, host: str) -> None:
    """Switch a host on, and let it come up by itself: a board does not wait for that."""
    if os.fork() == 0:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(nothing, stream)
        ask(path, "power", host=host, state="on")


def ask(path: str, call: str, **arguments: Any) -> Any:
    """One call of the lab's; its result. Raises OSError, also where the lab refuses."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_SECONDS)
        connection.connect(path)
        request = {"call": call, "args": arguments}
        connection.sendall((json.dumps(request) + "\n").encode())
        for line in connection.makefile(encoding="utf-8"):
            answer = json.loads(line)
            if "error" in answer:
                raise OSError(answer["error"])
            if "result" in answer:
                return answer["result"]
    raise OSError("the lab ended before it had answered")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
