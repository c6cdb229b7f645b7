"""Stands in for Xen's `xl`, which needs a machine that runs Xen: state in a file, xl's answers.

Called as `xl.py STATE ...`; a domain in the state's list `stubborn` outlives its destruction,
one in `broken` cannot be created.
"""

import json
import re
import sys
from pathlib import Path

STATES = {"running": "-b----", "paused": "--p---"}


def main(path: Path, command: str, *arguments: str) -> str | None:
    """Answer as xl does; the text of an error, or None."""
    state = json.loads(path.read_text())
    domains = state["domains"]
    if command == "list":
        print(f"{'Name':<40}  ID   Mem VCPUs\tState\tTime(s)")
        print(f"{'Domain-0':<40}     0  1024     2     r-----    1000.0")
        for name, domain in domains.items():
            flags = STATES[domain["state"]]
            print(f"{name:<40} {domain['id']:>5}    64     1     {flags}       1.0")
        return None
    if command == "create":
        text = Path(arguments[0]).read_text()
        name = re.findall(r'^name = "(.*)"$', text, re.M)[0]
        if name in domains:
            return f'libxl: error: Domain with name "{name}" already exists.'
        if name in state["broken"]:
            return "libxl: error: unable to add disk devices"
        state["last"] += 1
        domains[name] = {"id": state["last"], "state": "running"}
    else:
        # As xl: what is a number is an id, and no name.
        wanted = arguments[0]
        numbers = wanted.isdigit()
        found = [n for n, d in domains.items() if wanted == (str(d["id"]) if numbers else n)]
        if not found:
            return f"{wanted} is an invalid domain identifier (rc=-6)"
        if command == "pause":
            domains[found[0]]["state"] = "paused"
        elif found[0] not in state["stubborn"]:
            del domains[found[0]]
        if command == "migrate":
            state["moved"].append([found[0], arguments[1]])
    path.write_text(json.dumps(state))
    return None


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
