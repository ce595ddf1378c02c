"""The workers that take keys from the queue and run one pass for each."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass

from tidegate.control.passes import make_passes
from tidegate.control.queue import Backoff, KeyedQueue
from tidegate.controller.metrics import OperatorMetrics
from tidegate.controller.reconcile import PassResult, Reconciler
from tidegate.domain.service import ServiceKey
from tidegate.kube.errors import ConflictError, KubeError, NotFoundError, NotLeaderError, ThrottledError

_logger = logging.getLogger(__name__)

PASS_BUDGET = 60.0  # seconds; every call within a pass has a budget of its own


@dataclass(frozen=True)
class Runner:
    """Runs passes until cancelled; a pass that fails is tried again, later each time."""

    queue: KeyedQueue[ServiceKey]
    backoff: Backoff[ServiceKey]
    reconciler: Reconciler
    metrics: OperatorMetrics

    async def run(self, workers: int) -> None:
        """So many passes at once, never two for one service."""
        await make_passes(self.queue, self._one, workers)

    async def _one(self, key: ServiceKey) -> float | None:
        started = time.perf_counter()
        result = await self._pass(key)
        self.metrics.reconcile_seconds.labels(result.result).observe(time.perf_counter() - started)
        return result.recheck_after

    async def _pass(self, key: ServiceKey) -> PassResult:
        try:
            async with asyncio.timeout(PASS_BUDGET):
                result = await self.reconciler.reconcile(key)
        except (ConflictError, NotFoundError) as error:
            _logger.debug("%s: %s", key, error)  # somebody was faster; the next look is at what is now
            return PassResult("error", self.backoff.failed(key))
        except NotLeaderError as error:
            _logger.debug("%s: %s", key, error)  # who leads looks at it, and that may be this replica again
            return PassResult("error", self.backoff.failed(key))
        except ThrottledError as error:
            _logger.warning("%s: %s", key, error)
            return PassResult("error", self.backoff.failed(key, error.retry_after_seconds or 0.0))
        except (KubeError, TimeoutError) as error:
            _logger.warning("%s: %s", key, error)
            return PassResult("error", self.backoff.failed(key))
        except Exception:
            _logger.exception("%s: the pass failed for a reason that is not foreseen", key)
            return PassResult("error", self.backoff.failed(key))
        self.backoff.succeeded(key)
        return result
