"""What can go wrong around a controller; one root, each a line for people."""

from __future__ import annotations


class ControllerError(Exception):
    """Root of all errors that are not a bug of ours."""


class Unreachable(ControllerError):
    """A host did not answer in time: what it did, if anything, is not known."""


class Refused(ControllerError):
    """A host answered, and did not do what it was asked."""


class MonitorLost(ControllerError):
    """No monitor has fresh data; the text says what each of them answered."""


class StoreLost(ControllerError):
    """The shared state cannot be read or written; the text says why."""


class Conflict(ControllerError):
    """Somebody else has changed a key of the shared state since it was read."""


class Unwritable(Conflict):
    """A key of the shared state cannot be written, though others can: it stays as it is."""
