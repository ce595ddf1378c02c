"""What bench_wake.py is made of."""
