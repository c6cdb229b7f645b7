"""The controllers' own figures for Prometheus: as a textfile, or on a port."""

from __future__ import annotations

from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, start_http_server, write_to_textfile

from threerc.runtime.config import ControllerConfig, Metrics
from threerc.runtime.records import Record, State
from threerc.runtime.round import Report


class Figures:
    """What one controller measures. Counters are the shared state's: those of all controllers."""

    def __init__(self, me: str) -> None:
        self.registry = CollectorRegistry()
        self.me = me
        self._vm = self._gauge("threerc_vm_up", "1 if a VM is up, 0 if it is down", "vm", "host")
        self._state = self._gauge("threerc_vm_state", "1 for the state a VM is in", "vm", "state")
        self._actions = self._gauge(
            "threerc_vm_actions", "Actions on a VM by all controllers", "vm"
        )
        self._left = self._gauge("threerc_vm_left", "1 if a VM is left to a human", "vm")
        self._unread = self._gauge(
            "threerc_vm_unreadable", "1 if a VM's record cannot be read: nothing is done", "vm"
        )
        self._time = self._gauge("threerc_tick_timestamp_seconds", "When the last tick began")
        self._seconds = self._gauge("threerc_tick_seconds", "How long the last tick took")
        self._age = self._gauge("threerc_data_age_seconds", "Age of the monitor's data")
        self._still = self._gauge("threerc_standstill", "1 if nothing is done: see the log")

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        names = ("controller", *labels)
        return Gauge(name, text, names, registry=self.registry)

    def serve(self, port: int) -> None:
        """Answer Prometheus on a port, as long as the controller runs. Raises OSError."""
        start_http_server(port, registry=self.registry)

    def update(self, config: ControllerConfig, report: Report, seconds: float) -> None:
        """Take a tick's figures over."""
        down = {case.vm for case in report.cases}
        for gauge in (self._vm, self._state, self._actions, self._left, self._unread, self._age):
            gauge.clear()
        for vm, settings in config.virtual_machines.items():
            record = report.records.get(vm) or Record(host=settings.home)
            self._unread.labels(self.me, vm).set(vm in report.unread)
            if report.observation is not None:  # or nobody knows
                self._vm.labels(self.me, vm, record.host).set(vm not in down)
            if vm in report.unread:
                continue  # nor does anybody know what was done
            self._actions.labels(self.me, vm).set(record.done)
            self._left.labels(self.me, vm).set(bool(record.left))
            for state in State:
                self._state.labels(self.me, vm, state.value).set(record.state is state)
        self._time.labels(self.me).set(report.time)
        self._seconds.labels(self.me).set(seconds)
        self._still.labels(self.me).set(bool(report.standstill))
        if report.observation is not None:
            self._age.labels(self.me).set(report.observation.age)

    def write(self, path: Path) -> None:
        """Write them for node_exporter's textfile collector, in one step. Raises OSError."""
        write_to_textfile(str(path), self.registry)


def publish(settings: Metrics, figures: Figures) -> None:
    """Write the textfile, where the site wants one. Raises OSError."""
    if settings.textfile is not None:
        figures.write(Path(settings.textfile))
