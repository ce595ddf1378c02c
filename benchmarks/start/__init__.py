"""How long a worker takes from its process's first moment until it serves, beside stock vLLM."""
