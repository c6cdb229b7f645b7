"""Stands in for VMware's `vmware-vim-cmd` and `vim-cmd`, which cannot be had: their answers.

Called as `vim.py STATE vmsvc/...`. A VM that is on is a process called vmware-vmx with the path
of its .vmx, as on VMware Server; one in the state's list `stuck` does not end with its power.
"""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

PROCESS = Path(__file__).parent / "vmware-vmx"


def main(path: Path, command: str, *arguments: str) -> str | None:
    """Answer as the tool does; the text of an error, or None."""
    state = json.loads(path.read_text())
    machines = state["machines"]
    if command == "vmsvc/getallvms":
        listing(machines)
        return None
    vm = machines[arguments[0]]
    match command.removeprefix("vmsvc/"):
        case "power.getstate":
            print(f"Retrieved runtime info\n{vm['power']}")
        case "power.on":
            if vm["power"] == "Powered on" or Path(vm["lock"]).exists():
                return "Power on failed"
            vm.update(power="Powered on", process=process(vm["name"]))
        case "power.off":
            vm["power"] = "Powered off"
            if vm["name"] not in state["stuck"]:
                with suppress(ProcessLookupError):
                    os.kill(vm["process"], signal.SIGKILL)
        case "snapshot.get":
            snapshots(vm["snapshots"])
        case "snapshot.revert":
            vm["reverted"] = [*vm["reverted"], arguments[1]]
    path.write_text(json.dumps(state))
    return None


def listing(machines: dict[str, Any]) -> None:
    """All VMs that are registered."""
    print("Vmid    Name         File                     Guest OS      Version   Annotation")
    for number, vm in machines.items():
        file = f"[standard] {vm['name']}/{vm['name']}.vmx"
        print(f"{number:<7} {vm['name']:<12} {file:<24} rhel4Guest    vmx-07              ")


def process(name: str) -> int:
    """The process of a VM that is switched on."""
    command = [str(PROCESS), "-x", f"/opt/vmware/{name}/{name}.vmx"]
    nothing = subprocess.DEVNULL
    started = subprocess.Popen(
        command, stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True
    )
    return started.pid


def snapshots(numbers: list[int]) -> None:
    """The snapshots of a VM."""
    print("Get Snapshot:")
    for number in numbers:
        print(f"|-ROOT\n--Snapshot Name        : s{number}\n--Snapshot Id        : {number}")
        print("--Snapshot Desciption  : \n--Snapshot Created On  : 12/14/2008 4:31:1")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
