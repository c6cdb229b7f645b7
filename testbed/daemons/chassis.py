"""What a simulated board does to its host: it asks the lab, and tells it.

    python -m threerc.testbed.daemons.chassis SOCKET HOST get power
    python -m threerc.testbed.daemons.chassis SOCKET HOST set power 0

Source: OpenIPMI, ipmi_lan(5), chassis_control.
"""

from __future__ import annotations

import json
import socket
import sys
from typing import Any, Final

_SECONDS: Final = 30.0


def main(arguments: list[str]) -> int:
    """Do what the simulator wants; other wishes than power are none of ours, and granted."""
    path, host, verb, what, *value = arguments
    if what == "power" and verb == "get":
        sys.stdout.write(f"power:{int(is_on(path, host))}\n")
    elif what == "power" and verb == "set":
        ask(path, "power", capsule=host, on=value == ["1"])
    elif what == "reset" and verb == "set":
        ask(path, "power", capsule=host, on=False)
        ask(path, "power", capsule=host, on=True)
    return 0


def is_on(path: str, host: str) -> bool:
    """Whether the lab has a host switched on."""
    return bool(ask(path, "status")["capsules"][host]["on"])


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
