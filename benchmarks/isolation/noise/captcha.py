"""A captcha pod: jobs of some tenths of a second, each on several threads at once, and a short pause between.

    python3 captcha.py THREADS SECONDS

What a job computes does not matter (a key derivation, which lets go of Python's lock): that several threads
want a core at once, over and over, is what its neighbours feel. It ends by itself after SECONDS.
"""

from __future__ import annotations

import hashlib
import sys
import time
from concurrent.futures import ThreadPoolExecutor

ROUNDS = 150_000  # some 0.1 s of one core
PAUSE = 0.01  # seconds between two jobs


def solve(number: int) -> bytes:
    """One thread's part of a job."""
    return hashlib.pbkdf2_hmac("sha256", b"captcha", str(number).encode(), ROUNDS)


def main() -> None:
    threads, seconds = int(sys.argv[1]), float(sys.argv[2])
    end = time.monotonic() + seconds
    with ThreadPoolExecutor(threads) as pool:
        while time.monotonic() < end:
            list(pool.map(solve, range(threads)))
            time.sleep(PAUSE)


if __name__ == "__main__":
    main()
