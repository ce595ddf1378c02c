"""Parts of bench_local: wakes beside the bare process, and what a request costs."""
