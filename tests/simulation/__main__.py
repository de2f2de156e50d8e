"""`python -m tests.simulation`: run seeds, with a progress bar, a line that replays each failure, and a summary.

The one rule: the exit code is 1 if anything failed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from collections.abc import Iterable, Iterator
from functools import partial

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from presence_syncd.core.values import replace
from tests.simulation.corpus import read_corpus
from tests.simulation.replay import Outcome, replay
from tests.simulation.sabotage import BUGS
from tests.simulation.world import Parameters

SHOWN = 700
"""Characters of one broken invariant that are printed."""


def names(text: str) -> frozenset[str]:
    """Read a list of names, as `kill,clock`."""
    return frozenset(filter(None, text.split(",")))


def parser() -> argparse.ArgumentParser:
    """The options."""
    options = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    options.add_argument("--seeds", type=int, default=20, help="how many seeds")
    options.add_argument("--from-seed", type=int, default=0, help="the first seed")
    options.add_argument("--hours", type=float, default=2.0, help="virtual hours of each")
    options.add_argument("--accounts", type=int, default=5, help="people of each")
    options.add_argument("--jobs", type=int, default=1, help="processes")
    options.add_argument("--engine", choices=("asyncio", "trio"), default="asyncio", help="whose virtual time")
    options.add_argument(
        "--carrier",
        choices=("aiohttp", "httpcore"),
        default="aiohttp",
        help="what moves the bytes on asyncio: production's, or httpx's own",
    )
    options.add_argument("--services", type=names, default=frozenset(), help="only these, such as teams,symphony")
    options.add_argument("--without", type=names, default=frozenset(), help="left out: kinds of faults, or of trials")
    options.add_argument("--sabotage", choices=("", *BUGS, "all"), default="", help="put a bug in, to see it found")
    options.add_argument("--corpus", action="store_true", help="run the seeds of all bugs found so far")
    options.add_argument("--trace", action="store_true", help="print the trace's last lines where something broke")
    return options


def runs(options: argparse.Namespace) -> list[Parameters]:
    """What is to be run."""
    if options.corpus:
        return [entry.parameters for entry in read_corpus()]
    seeds = range(options.from_seed, options.from_seed + options.seeds)
    one = partial(
        Parameters,
        hours=options.hours,
        accounts=options.accounts,
        engine=options.engine,
        carrier=options.carrier,
        sabotage=options.sabotage,
        without=options.without,
        services=options.services,
    )
    return [one(seed) for seed in seeds]


def outcomes(wanted: list[Parameters], jobs: int) -> Iterator[Outcome]:
    """Run them, in this process or in several."""
    if jobs <= 1:
        yield from map(replay, wanted)
        return
    with multiprocessing.get_context("spawn").Pool(jobs, maxtasksperchild=50) as pool:
        yield from pool.imap_unordered(replay, wanted)


def watched(console: Console, results: Iterable[Outcome], total: int, *, trace: bool) -> list[Outcome]:
    """Show how far it is, and what broke as soon as it did."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    done: list[Outcome] = []
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("seeds", total=total)
        for outcome in results:
            done.append(outcome)
            progress.advance(task)
            if not outcome.passed:
                tell(progress.console, outcome, trace=trace)
    return done


def tell(console: Console, outcome: Outcome, *, trace: bool = False) -> None:
    """Say what broke, and how to see it again."""
    say = partial(console.print, markup=False, highlight=False, soft_wrap=True)
    say(f"seed {outcome.parameters.seed} FAILED: {outcome.parameters.command()}")
    for line in dict.fromkeys(str(each)[:SHOWN] for each in outcome.broken):
        say(f"    {line}")
    if trace:
        say("\n".join(outcome.tail))


def search(console: Console, options: argparse.Namespace) -> int:
    """Look for every bug put in on purpose; returns how many were not found within the seeds."""
    missed = 0
    for bug in BUGS:
        options.sabotage = bug
        wanted = runs(options)
        found = next(((n, each) for n, each in enumerate(wanted, 1) if is_found(each)), None)
        missed += found is None
        told = f"found after {found[0]} seeds: {found[1].command()}" if found else f"NOT found in {len(wanted)} seeds"
        console.print(f"{bug:30} {told}", markup=False, soft_wrap=True)
    return missed


def is_found(parameters: Parameters) -> bool:
    """Whether a run with a bug fails, and passes without it: a seed that fails anyway proves nothing."""
    return not replay(parameters).passed and replay(replace(parameters, sabotage="")).passed


def main(arguments: list[str] | None = None) -> int:
    """Run; returns the exit code."""
    options, console = parser().parse_args(arguments), Console()
    if options.sabotage == "all":
        return min(search(console, options), 1)
    wanted = runs(options)
    done = watched(console, outcomes(wanted, options.jobs), len(wanted), trace=options.trace)
    failed = sum(not outcome.passed for outcome in done)
    spent = sum(outcome.seconds for outcome in done)
    lived = sum(outcome.hours * outcome.parameters.accounts for outcome in done)
    console.print(
        f"{lived:.0f} account-hours, {sum(o.requests for o in done)} requests, {lived / spent:.1f} account-hours/s of a core"
    )
    console.print(f"{len(done) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
