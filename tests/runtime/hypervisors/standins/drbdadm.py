"""Stands in for drbdadm, whose module this kernel has not: a role for each resource in a file.

Called as `drbdadm.py STATE COMMAND RESOURCE`; it keeps what it was told in the list `told`.
"""

import json
import sys
from pathlib import Path


def main(path: Path, command: str, resource: str) -> str | None:
    """Answer as drbdadm does; the text of an error, or None."""
    state = json.loads(path.read_text())
    state["told"].append([command, resource])
    role = state["roles"].get(resource, "Secondary")
    path.write_text(json.dumps(state))
    if command == "role":
        print(f"{role}/Secondary")
        return None
    if role == "held":
        return f"{resource}: State change failed: (-12) Device is held open by someone"
    state["roles"][resource] = command.capitalize()
    path.write_text(json.dumps(state))
    return None


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
