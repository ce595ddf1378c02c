"""A token bucket: so many at once, then so many a second."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class TokenBucket:
    """``burst`` tokens at most, ``rate`` new ones a second; times in seconds, from any one clock."""

    burst: float
    rate: float
    _tokens: float = -1.0  # none was asked for yet: it is full
    _at: float = 0.0

    def take(self, now: float) -> bool:
        """Whether there was a token to take."""
        if not self.has(now):
            return False
        self._tokens -= 1.0
        return True

    def has(self, now: float, spare: float = 0.0) -> bool:
        """Whether there is one beside ``spare`` others, without taking it."""
        filled = self.burst if self._tokens < 0.0 else self._tokens + max(0.0, now - self._at) * self.rate
        self._tokens, self._at = min(self.burst, filled), now
        return self._tokens >= 1.0 + spare

    def full(self, now: float) -> bool:
        """Whether nothing has been taken that has not come back: it may be forgotten."""
        self.has(now)
        return self._tokens >= self.burst
