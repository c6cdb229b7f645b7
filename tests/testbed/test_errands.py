from __future__ import annotations

import socket
import threading

from threerc.runtime.config import ControllerConfig
from threerc.runtime.simulation.brief import complete
from threerc.testbed.errands import heard

SAID = b"""\
<?xml version="1.0"?>
<GANGLIA_XML VERSION="3.7.2" SOURCE="gmond">
<CLUSTER NAME="test" LOCALTIME="1000" OWNER="" LATLONG="" URL="">
<HOST NAME="gridce.example.org" IP="192.0.2.7" REPORTED="997" TN="3" TMAX="20" DMAX="0"/>
</CLUSTER>
</GANGLIA_XML>
"""


def test_a_collector_that_does_not_answer_hears_nobody() -> None:
    """Were it left out, nobody would miss what it does not hear."""
    with socket.create_server(("127.0.0.1", 0)) as alive, socket.socket() as dead:
        dead.bind(("127.0.0.1", 0))  # nobody listens
        collectors = [
            {"host": name, "address": "127.0.0.1", "port": each.getsockname()[1]}
            for name, each in (("bibe", alive), ("bussolo", dead))
        ]
        config = ControllerConfig.model_validate(complete({"monitors": {"collectors": collectors}}))
        threading.Thread(target=answer, args=(alive,)).start()
        assert heard(config) == {"bibe": {"gridce": 3}, "bussolo": {}}


def answer(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.sendall(SAID)
