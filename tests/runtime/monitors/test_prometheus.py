"""Prometheus' answers: what is made of them, and what is refused. A real one is in tests/real."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.runtime.monitors.support import Talk, hang, saying, serving, trickling, without_end
from threerc.runtime.config import Prometheus
from threerc.runtime.errors import MonitorLost
from threerc.runtime.monitors import Hosts
from threerc.runtime.monitors.prometheus import PrometheusServer
from threerc.runtime.observation import Seen

NOW = 1795567031.45
SITE = Hosts(["alfa01", "alfa02"], {"192.168.1.11": "alfa01", "2001:db8::12": "alfa02"})
Samples = Mapping[str, float | str]


def reply(body: str | bytes, status: str = "200 OK") -> bytes:
    data = body.encode() if isinstance(body, str) else body
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data


def vector(samples: Samples) -> str:
    result = [
        {"metric": {"instance": name}, "value": [NOW, str(value)]}
        for name, value in samples.items()
    ]
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}})


def asked(talk: Talk) -> Talk:
    """Reads the request first; what is left unread would reset the connection."""

    def after(connection: socket.socket, over: threading.Event) -> None:
        with connection.makefile("rb") as request:
            while request.readline().strip():
                pass
        talk(connection, over)

    return after


@contextmanager
def prometheus(
    *,
    scraped: Samples,
    alive: Samples,
    past: Samples | None = None,
    loads: Samples | None = None,
    runtime: bytes = reply("", "404 Not Found"),
) -> Iterator[int]:
    """A server that knows this by label `instance`; times are seconds ago."""

    def answer(path: str) -> bytes:
        url = urlsplit(path)
        if url.path == "/prefix/api/v1/status/runtimeinfo":
            return runtime
        assert url.path == "/prefix/api/v1/query"
        query = parse_qs(url.query)["query"][0]
        if "max_over_time" in query:
            return reply(vector(ago(past or {})))
        if "== 1" in query:
            return reply(vector(ago(alive)))
        return reply(vector(ago(scraped) if "timestamp" in query else loads or {}))

    def talk(connection: socket.socket, _: threading.Event) -> None:
        with connection.makefile("rb") as requests:
            for line in requests:
                if line.startswith(b"GET "):
                    path = line.decode().split()[1]
                elif line == b"\r\n":
                    connection.sendall(answer(path))

    with serving(talk) as port:
        yield port


def ago(samples: Samples) -> Samples:
    return {
        name: value if isinstance(value, str) else NOW - value for name, value in samples.items()
    }


def server(port: int, seconds: float = 6) -> PrometheusServer:
    settings = Prometheus(url=f"http://127.0.0.1:{port}/prefix/")
    return PrometheusServer(settings, SITE, fresh=60, interval=15, seconds=seconds)


A, B = "alfa01.sns.it:9100", "alfa02.sns.it:9100"


def test_who_answers_is_silent_for_no_time() -> None:
    with prometheus(scraped={A: 14, B: 1}, alive={A: 14, B: 1}, loads={A: 2.5}) as port:
        found = server(port).read()
    assert found.hosts == {"alfa01": Seen(2.5, 0), "alfa02": Seen(None, 0)}
    assert found.age == pytest.approx(14)
    assert found.source == f"prometheus http://127.0.0.1:{port}/prefix/"


def test_silence_lasts_from_the_last_answer_to_the_last_scrape() -> None:
    with prometheus(scraped={A: 10, B: 10}, alive={A: 10}, past={A: 40, B: 100}) as port:
        found = server(port).read()
    assert found.hosts["alfa01"].silent == 0
    assert found.hosts["alfa02"].silent == pytest.approx(90)
    assert found.down(["alfa01", "alfa02"], 4) == {"alfa02"}


def test_one_that_has_not_answered_for_long_is_silent_for_at_least_an_hour() -> None:
    with prometheus(scraped={A: 10, B: 10}, alive={A: 10}) as port:
        assert server(port).read().hosts["alfa02"].silent == 3600


def test_one_that_is_scraped_no_more_is_silent_since_its_last_answer() -> None:
    with prometheus(scraped={A: 10}, alive={}, past={A: 10, B: 300}) as port:
        assert server(port).read().hosts["alfa02"].silent == pytest.approx(300)


def test_of_two_exporters_on_a_host_the_one_that_answers_is_believed() -> None:
    both = {A: 5, "alfa01:9200": 5}
    with prometheus(scraped=both, alive={"alfa01:9200": 5}) as port:
        assert server(port).read().hosts == {"alfa01": Seen(None, 0)}


@pytest.mark.parametrize(
    ("instance", "name"),
    [
        ("alfa01", "alfa01"),
        ("ALFA01.sns.it:9100", "alfa01"),
        ("192.168.1.11:9100", "alfa01"),
        ("192.168.1.11", "alfa01"),
        ("[2001:db8::12]:9100", "alfa02"),
        ("[2001:db8::12]", "alfa02"),
        ("2001:db8::12", "alfa02"),
        ("other:9100", "other"),
        ("", None),
        ("a b:9100", None),
        ("http://alfa01/", None),
    ],
)
def test_a_host_is_the_label_instance(instance: str, name: str | None) -> None:
    with prometheus(scraped={instance: 1}, alive={instance: 1}) as port:
        assert set(server(port).read().hosts) == ({name} if name else set())


@pytest.mark.parametrize("load", ["NaN", "+Inf", "-1"])
def test_a_load_that_is_none_is_not_reported(load: str) -> None:
    with prometheus(scraped={A: 1}, alive={A: 1}, loads={A: load}) as port:
        assert server(port).read().hosts["alfa01"].load is None


def test_one_that_has_stopped_scraping_is_not_believed() -> None:
    told = prometheus(scraped={A: 70, B: 5, "c": 61}, alive={A: 70})
    with told as port, pytest.raises(MonitorLost, match="its data are 61 s old"):
        server(port).read()


def test_one_that_knows_nobody_is_not_believed() -> None:
    told = prometheus(scraped={}, alive={})
    with told as port, pytest.raises(MonitorLost, match=r'knows no host by up{job="node"}'):
        server(port).read()


@pytest.mark.parametrize(("started", "believed"), [("00:36:41.9", False), ("00:36:11.1", True)])
def test_one_that_was_just_started_is_not_believed(started: str, believed: bool) -> None:
    runtime = json.dumps({"data": {"startTime": f"2026-11-25T{started}23456789Z"}})
    with prometheus(scraped={A: 1}, alive={A: 1}, runtime=reply(runtime)) as port:
        if believed:
            assert server(port).read().hosts
        else:
            with pytest.raises(MonitorLost, match="was started 30 s ago"):
                server(port).read()


@pytest.mark.parametrize(
    ("talk", "why"),
    [
        (saying(b""), "."),
        (hang, "no whole answer within 0.4 s"),
        (trickling(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 90), "no whole answer within 0.4 s"),
        (trickling(reply("{}" * 5000)), "no whole answer within 0.4 s"),
        (saying(b"SSH-2.0-x\r\n"), "SSH"),
        (saying(reply("")), "not Prometheus'"),
        (saying(reply("not JSON")), "not Prometheus'"),
        (saying(reply(b"\xff\xfe\0")), "not Prometheus'"),
        (saying(reply("[" * 100_000)), "not Prometheus'"),
        (saying(reply('{"status": "success"}')), "not Prometheus'"),
        (saying(reply(vector({A: "x"}))), "not Prometheus'"),
        (saying(reply(vector({A: 1}).replace("vector", "matrix"))), "not Prometheus'"),
        (
            saying(reply('{"status": "error", "error": "parse\\nerror"}', "400 Bad Request")),
            "it answers 400: parse error",
        ),
        (saying(reply("<html>", "503 Service Unavailable")), "it answers 503: no reason given"),
        (
            saying(
                b"HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\nContent-Length: 0\r\n\r\n"
            ),
            "it answers 302",
        ),
        (saying(reply(b" " * (16 * 2**20 + 1))), "larger than 16 MiB"),
        (
            saying(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n"),
            "cut short",
        ),
        (without_end(b"HTTP/1.1 200 OK\r\n\r\n", b" " * 2**20), "larger than 16 MiB"),
        (trickling(b"HTTP/1.0 200 OK\r\n\r\n" + b" " * 5000), "no whole answer within 0.4 s"),
        (without_end(b"HTTP/1.1 200 OK\r\nA: ", b"b" * 2**10), "."),
        (
            saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
            r"IncompleteRead|invalid",
        ),
    ],
)
def test_whatever_else_is_said_is_lost_in_time(talk: Talk, why: str) -> None:
    with serving(asked(talk)) as port, pytest.raises(MonitorLost, match=why) as caught:
        server(port, seconds=0.4 if "no whole" in why else 30).read()
    assert "\n" not in str(caught.value)


values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=True) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["status", "data", "result", "resultType", "metric", "value", "error"]),
            inner,
            max_size=4,
        )
    ),
)


@settings(deadline=None)
@given(st.binary() | st.text().map(str.encode) | values.map(json.dumps).map(str.encode))
def test_nothing_but_lost_comes_of_whatever_is_answered(body: bytes) -> None:
    with serving(asked(saying(reply(body)))) as port, pytest.raises(MonitorLost):
        server(port).read()


@pytest.mark.parametrize("url", ["http://[x", "http://a:99999", "http://127.0.0.1:1"])
def test_a_url_that_leads_nowhere(url: str) -> None:
    monitor = PrometheusServer(Prometheus(url=url), SITE, 60, 15)
    assert monitor.name == f"prometheus {url}"
    assert monitor.host in {"", "a", "127.0.0.1"}
    with pytest.raises(MonitorLost):
        monitor.read()
