"""What can go wrong on a host."""

from __future__ import annotations


class AgentError(Exception):
    """A line for people: what could not be done on this host."""
