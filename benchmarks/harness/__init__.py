"""What the benchmarks share: processes on their cores, proxies, load, and the report."""
