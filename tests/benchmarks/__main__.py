"""`python -m tests.benchmarks`: measure everything, each in processes of its own, and print the table.

The one rule: rounds of ours and of the yardsticks alternate in the same run; read ratios, not times.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.benchmarks import figures, vendors
from tests.benchmarks.measuring import Kept, run
from tests.benchmarks.plans import ALL, SMOKE, Extent, plans

PACKAGES = ("anyio", "aiohttp", "httpx", "uvloop")


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and return 1 if a measurement failed, or a bar is missed that is for a crowd of this size."""
    asked = _arguments(arguments)
    extent = SMOKE if asked.smoke else Extent(asked.accounts, asked.rounds, asked.seconds)
    results = run(extent, asked.only, Kept(asked.keep))
    found = figures.figures(results)
    if asked.json:
        print(json.dumps({"figures": [figure.row() for figure in found], "on": _where(), "results": results}, indent=1))
    else:
        print(figures.table(found))
        print("".join(f"skipped: {name} is not installed\n" for name in vendors.missing()), end="")
    is_whole = plans(extent, asked.only, {}).keys() == results.keys()
    return int(not is_whole or (not asked.smoke and any(figure.verdict == "missed" for figure in found)))


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    whole = Extent()
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--accounts", type=int, default=whole.accounts, help="people of the great crowd")
    parser.add_argument("--rounds", type=int, default=whole.rounds, help="rounds of what alternates")
    parser.add_argument("--seconds", type=float, default=whole.seconds, help="how long each crowd is watched")
    parser.add_argument("--only", type=_names, default=ALL, help=f"some of {','.join(ALL)}")
    parser.add_argument("--smoke", action="store_true", help="everything in small, side by side: does it run?")
    parser.add_argument("--keep", type=Path, help="file for results as they come; what it has is not measured again")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args(arguments)


def _names(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if unknown := set(names) - set(ALL):
        raise argparse.ArgumentTypeError(f"no such measurement: {', '.join(sorted(unknown))}")
    return names


def _where() -> dict[str, Any]:
    """What a figure depends on beside us."""
    installed = {name: version(name) for name in (*PACKAGES, *vendors.installed())}
    return {"python": platform.python_version(), "cores": len(os.sched_getaffinity(0)), **installed}


if __name__ == "__main__":
    sys.exit(main())
