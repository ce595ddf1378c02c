"""What an engine that sleeps gets: vLLM's own flag, and for the worker when to sleep and how deeply."""

from __future__ import annotations

from tidegate.api.spec import InferenceServiceSpec


def arguments(spec: InferenceServiceSpec) -> list[str]:
    """For vLLM; none where the engine never sleeps."""
    return ["--enable-sleep-mode"] if spec.engine.sleep else []


def environment(spec: InferenceServiceSpec) -> dict[str, str]:
    """For the worker's entrypoint. To wake may take as long as to start: both may read the weights."""
    sleep = spec.engine.sleep
    if sleep is None:
        return {}
    return {
        "TIDEGATE_SLEEP_AFTER_SECONDS": str(sleep.after_seconds),
        "TIDEGATE_SLEEP_LEVEL": str(sleep.level),
        "TIDEGATE_WAKE_SECONDS": str(spec.engine.startup_deadline_seconds),
    }
