"""The parts of the worker's entrypoint. Nothing here imports vLLM before ``serving`` does."""
