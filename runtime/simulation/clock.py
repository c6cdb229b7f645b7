"""A controller's clock, which may be wrong."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Clock:
    """It is `ahead` seconds ahead at the true moment `since`, and gains `drift` in each second."""

    ahead: float = 0.0
    drift: float = 0.0
    since: float = 0.0

    def local(self, moment: float) -> float:
        """What it shows at a true moment."""
        return moment + self.ahead + (moment - self.since) * self.drift

    def true(self, local: float) -> float:
        """The true moment at which it shows that."""
        return self.since + (local - self.since - self.ahead) / (1 + self.drift)

    def jump(self, seconds: float) -> None:
        """Set it forward, or back."""
        self.ahead += seconds
