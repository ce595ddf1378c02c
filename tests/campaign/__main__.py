"""``python -m tests.campaign``: every write of every scenario, then seeded faults until the time is over."""

from __future__ import annotations

import argparse
import asyncio
import sys

from tests.campaign.campaign import Options, run
from tests.campaign.scenarios import SCENARIOS


def main() -> int:
    """0 where every case ended as without a fault."""
    names = [scenario.name for scenario in SCENARIOS]
    parser = argparse.ArgumentParser(prog="python -m tests.campaign", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=names, metavar="SCENARIO", help=f"of {', '.join(names)}")
    parser.add_argument("--seconds", type=float, default=600.0, help="for the seeded faults, [600]")
    parser.add_argument("--seed", type=int, help="play this seed alone, for each scenario")
    parser.add_argument("--first-seed", type=int, default=1, help="seeds are counted from here, [1]")
    parser.add_argument("--no-crashes", action="store_true", help="only the seeded faults")
    parser.add_argument("--lanes", type=int, default=4, help="cases at once, [4]")
    parser.add_argument("--json", help="where the figures are written")
    parser.add_argument("--logs", help="a folder where the operators' logs stay")
    given = parser.parse_args()
    seeds = (given.seed, given.seed) if given.seed is not None else (given.first_seed, None)
    options = Options(
        scenarios=tuple(given.only or names),
        seconds=given.seconds,
        seeds=seeds,
        crashes=not (given.no_crashes or given.seed is not None),
        lanes=given.lanes,
        json=given.json,
        logs=given.logs,
    )
    return asyncio.run(run(options))


if __name__ == "__main__":
    sys.exit(main())
