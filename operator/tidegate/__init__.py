"""tidegate: vLLM on one's own Kubernetes, asleep at zero, awake for the first request."""

__version__ = "0.1.0"
