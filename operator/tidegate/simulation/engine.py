"""What a worker is: how long it takes to start, what it runs at once, and how fast."""

from __future__ import annotations

import random
from dataclasses import dataclass

from tidegate.simulation.trace import Request, Trace


@dataclass(frozen=True, slots=True)
class Engine:
    """One kind of worker; times in seconds."""

    slots: int = 32  # requests that run at once: engine.maxConcurrency
    start_seconds: float = 60.0  # from the decision to the first probe that is answered
    start_spread: float = 0.0  # a start takes up to this share more or less, evenly
    seconds_per_prompt_token: float = 0.0003
    seconds_per_token: float = 0.05
    slowdown: float = 0.0  # each further request that runs beside makes every one take this share longer

    def work(self, request: Request) -> float:
        """Seconds that a request runs alone."""
        if request.seconds is not None:
            return request.seconds
        prompt = request.prompt_tokens * self.seconds_per_prompt_token
        return prompt + request.generated_tokens * self.seconds_per_token

    def arrivals(self, trace: Trace) -> list[tuple[float, float]]:
        """When each request of a trace arrives, and how long it runs alone."""
        return [(request.arrival, self.work(request)) for request in trace.requests]

    def start(self, chance: random.Random) -> float:
        """Seconds that one start takes."""
        spread = self.start_spread
        return self.start_seconds * (1 + chance.uniform(-spread, spread)) if spread else self.start_seconds

    def stretch(self, running: int) -> float:
        """How many times as long each of so many takes."""
        return 1 + self.slowdown * (running - 1)
