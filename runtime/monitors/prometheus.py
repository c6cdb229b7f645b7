"""Prometheus, for sites without Ganglia: its HTTP API (Prometheus 2.14 and later, and look-alikes).

All times are Prometheus' own. A host is silent for as long as it lay between the last scrape that
found it up and the last scrape: the time since then is no evidence of anything. A target that is
not scraped any more, though others are, is silent since it was last found up.

Source: https://prometheus.io/docs/prometheus/latest/querying/api/ and .../functions/.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from statistics import median_low
from typing import Final, Literal, TypeVar
from urllib.parse import urlencode, urlsplit

from pydantic import BaseModel, ValidationError

from threerc.runtime.config import Prometheus
from threerc.runtime.errors import MonitorLost
from threerc.runtime.monitors.base import ANSWER_SECONDS, Hosts, put
from threerc.runtime.observation import TMAX, Observation, Seen
from threerc.runtime.web import Answer, NoAnswer, Server

LOOK_BACK: Final = 3600
"""Seconds for which a host's last sign of life is looked for: exactly for `_NEAR` scrapes, for
the rest to `_FAR` scrapes."""
LONGEST_INTERVAL: Final = 120
"""Seconds between scrapes; what is older than five minutes is no present value to Prometheus."""
_NEAR: Final = 20
_FAR: Final = 10
_LONGEST_REASON: Final = 200
_OK: Final = 200
_USER: Final = re.compile(r"(?<=//)[^/@]*@|\?.*")


class _Sample(BaseModel):
    metric: dict[str, str]
    value: tuple[float, float]


class _Vector(BaseModel):
    resultType: Literal["vector"]  # noqa: N815 - Prometheus' own
    result: list[_Sample]


class _Answer(BaseModel):
    status: Literal["success"]
    data: _Vector


class _Failure(BaseModel):
    error: str


class _Info(BaseModel):
    startTime: datetime  # noqa: N815 - Prometheus' own


class _Runtime(BaseModel):
    data: _Info


_M = TypeVar("_M", bound=BaseModel)


@dataclass(frozen=True)
class _Answers:
    """By `instance`: when it was last scraped, when it last answered, its load; and the time."""

    now: float
    scraped: Mapping[str, float]
    alive: Mapping[str, float]
    loads: Mapping[str, float]

    def silent(self, instance: str, fresh: float) -> float:
        last = self.scraped.get(instance, 0.0)
        until = last if self.now - last <= fresh else self.now
        return max(until - self.alive.get(instance, until - LOOK_BACK), 0.0)

    def load(self, instance: str) -> float | None:
        value = self.loads.get(instance, -1.0)
        return value if value >= 0 else None


@dataclass(frozen=True)
class PrometheusServer:
    """A Prometheus server that scrapes the hosts every `interval` seconds.

    Data older than `fresh` seconds are not believed, nor a server that was started so lately.
    """

    settings: Prometheus
    hosts: Hosts
    fresh: float
    interval: int
    seconds: float = ANSWER_SECONDS

    @property
    def name(self) -> str:
        """For people: `prometheus http://bibe:9090`."""
        return f"prometheus {_USER.sub('', self.settings.url)}"

    @property
    def host(self) -> str:
        """The host that it runs on, where its URL tells."""
        try:
            told = urlsplit(self.settings.url).hostname
        except ValueError:
            return ""
        return self.hosts.short(told or "") or ""

    def read(self) -> Observation:
        """All hosts that it scrapes. Raises MonitorLost."""
        answers = self._ask()
        age = answers.now - median_low(answers.scraped.values())
        if age > self.fresh:
            raise MonitorLost(f"its data are {age:.0f} s old: it does not scrape")
        tmax = max(TMAX, float(self.interval))
        found: dict[str, Seen] = {}
        for instance in answers.scraped.keys() | answers.alive.keys():
            name = self.hosts.short(_without_port(instance))
            if name is not None:
                silent = answers.silent(instance, self.fresh)
                put(found, name, Seen(answers.load(instance), silent, tmax))
        return Observation(found, self.name, self.host, max(age, 0.0))

    def _ask(self) -> _Answers:
        up = self.settings.up
        with closing(_Api(self.settings.url, self.seconds)) as api:
            scraped, now = api.query(f"max by (instance) (timestamp({up}))")
            if not scraped:
                raise MonitorLost(f"it knows no host by {up}")
            started = api.started()
            if started is not None and now - started < self.fresh:
                raise MonitorLost(f"it was started {now - started:.0f} s ago, too lately to know")
            alive, _ = api.query(f"max by (instance) ({_alive(up)})", now)
            if alive.keys() != scraped.keys():
                past, _ = api.query(_alive_before(up, self.interval), now)
                alive = {**past, **alive}
            loads, _ = api.query(f"max by (instance) ({self.settings.load})", now)
        return _Answers(now, scraped, alive, loads)


def _alive(up: str) -> str:
    """When each target that has answered its last scrape did so."""
    return f"(timestamp({up}) and {up} == 1)"


def _alive_before(up: str, interval: int) -> str:
    """When each target last answered, for whatever has within LOOK_BACK.

    No scrape is missed by steps shorter than the time between two. Over all of LOOK_BACK they
    would take too long: an answer that lies further back may be later than told by a step and
    a scrape, though not within the nearer past.
    """
    near, step = _NEAR * interval, max(interval // 2, 1)
    far = _FAR * interval
    return (
        f"max by (instance) (max_over_time({_alive(up)}[{near}s:{step}s]) or clamp_max("
        f"max_over_time({_alive(up)}[{LOOK_BACK}s:{far}s]) + {far + interval}, time() - {near}))"
    )


def _without_port(instance: str) -> str:
    """The host of `alfa01.sns.it:9100`, `[2001:db8::1]:9100` or of either without a port."""
    if instance.startswith("["):
        return instance[1:].partition("]")[0]
    host, _, port = instance.rpartition(":")
    return host if port.isdigit() and ":" not in host and host else instance


class _Api:
    """One server, for `seconds` in all. All methods but `close` raise MonitorLost."""

    def __init__(self, url: str, seconds: float) -> None:
        self._server = Server(url)
        self._seconds = seconds
        self._end = time.monotonic() + seconds

    def close(self) -> None:
        """Hang up."""
        self._server.close()

    def query(self, promql: str, at: float | None = None) -> tuple[Mapping[str, float], float]:
        """A value for each label `instance`; and when that was, by the server's clock."""
        when = {} if at is None else {"time": repr(at)}
        answer = self._get("query?" + urlencode({"query": promql, **when}))
        if answer.status != _OK:
            raise MonitorLost(f"it answers {answer.status}: {_failure(answer.body)}")
        samples = _parsed(_Answer, answer.body).data.result
        values = {
            sample.metric.get("instance", ""): sample.value[1]
            for sample in samples
            if isfinite(sample.value[1])
        }
        return values, max((sample.value[0] for sample in samples), default=0.0)

    def started(self) -> float | None:
        """When the server was started; None where it is a look-alike that does not tell."""
        answer = self._get("status/runtimeinfo")
        if answer.status != _OK:
            return None
        return _parsed(_Runtime, answer.body).data.startTime.timestamp()

    def _get(self, path: str) -> Answer:
        try:
            return self._server.ask("GET", f"/api/v1/{path}", self._end - time.monotonic())
        except NoAnswer as error:
            if time.monotonic() >= self._end:
                raise MonitorLost(f"no whole answer within {self._seconds:g} s") from None
            raise MonitorLost(str(error)) from None


def _parsed(model: type[_M], body: bytes) -> _M:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        reason = error.errors(include_url=False)[0]["msg"]
        raise MonitorLost(f"its answer is not Prometheus': {_line(reason)}") from None


def _failure(body: bytes) -> str:
    """What an answer says has failed."""
    try:
        return _line(_Failure.model_validate_json(body).error)
    except ValidationError:
        return "no reason given"


def _line(text: str) -> str:
    return " ".join(text.split())[:_LONGEST_REASON]
