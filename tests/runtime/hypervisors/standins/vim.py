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

PROCESS = Path(__file__).parent / "vmware-vmx"


def main(path: Path, command: str, *arguments: str) -> str | None:
    """Answer as the tool does; the text of an error, or None."""
    state = json.loads(path.read_text())
    machines = state["machines"]
    if command == "vmsvc/getallvms":
        print("Vmid    Name         File                     Guest OS      Version   Annotation")
        for number, vm in machines.items():
            file = f"[standard] {vm['name']}/{vm['name']}.vmx"
            print(f"{number:<7} {vm['name']:<12} {file:<24} rhel4Guest    vmx-07              ")
        return None
    vm = machines[arguments[0]]
    match command:
        case "vmsvc/power.getstate":
            print(f"Retrieved runtime info\n{vm['power']}")
        case "vmsvc/power.on":
            if vm["power"] == "Powered on" or Path(vm["lock"]).exists():
                return "Power on failed"
            arguments_of = [str(PROCESS), "-x", f"/opt/vmware/{vm['name']}/{vm['name']}.vmx"]
            process = subprocess.Popen(
                arguments_of,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            vm |= {"power": "Powered on", "process": process.pid}
        case "vmsvc/power.off":
            if vm["power"] == "Powered off":
                return "Power off failed"
            vm["power"] = "Powered off"
            if vm["name"] not in state["stuck"]:
                with suppress(ProcessLookupError):
                    os.kill(vm["process"], signal.SIGKILL)
        case "vmsvc/snapshot.get":
            print("Get Snapshot:")
            for number in vm["snapshots"]:
                print(
                    f"|-ROOT\n--Snapshot Name        : s{number}\n--Snapshot Id        : {number}"
                )
                print("--Snapshot Desciption  : \n--Snapshot Created On  : 12/14/2008 4:31:1")
        case "vmsvc/snapshot.revert":
            vm["reverted"] = [*vm["reverted"], arguments[1]]
        case _:
            return f"Unknown command {command}"
    path.write_text(json.dumps(state))
    return None


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
