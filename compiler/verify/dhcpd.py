"""dhcpd.conf and dhcpd6.conf, by `dhcpd -t`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from threerc.compiler.verify.base import Checker, Failure, Staged

_COMPLAINT = re.compile(r"^\S+ line (\d+): (.*)$", re.MULTILINE)


def _check(staged: Staged) -> Iterator[Failure]:
    for path, file in staged.files("dhcpd"):
        version = "-6" if file.name == "dhcpd6.conf" else "-4"
        result = staged.run("-t", version, "-cf", file)
        # Unknown statements are complained about, but dhcpd -t still exits 0.
        complaints = _COMPLAINT.findall(result.stderr)
        for line, message in complaints:
            yield Failure(path, int(line), message)
        if result.returncode and not complaints:
            yield Failure(path, 0, result.stderr.strip())


CHECKER = Checker("dhcpd", "dhcpd", "isc-dhcp-server", _check)
