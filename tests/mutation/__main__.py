"""`python -m tests.mutation`: change the core in a private copy, and say which changes no test notices.

The one rule: the exit code is 1 unless the survivors are exactly those that `explained.toml` explains: a change that
was not tried counts as one that survived, and an explanation of what some test notices, or is no more, is wrong.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.mutation.survivors import Change, alive, change, outdated, read_explained, unexplained

ROOT = Path(__file__).parents[2]
MODULES = sorted(path.stem for path in ROOT.glob("presence_syncd/core/[!_]*.py"))
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "mutants", "build", "dist")


def main() -> int:
    """Run the command."""
    options = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    options.add_argument("modules", nargs="*", metavar="module", help=f"default: all of {', '.join(MODULES)}")
    options.add_argument("--jobs", type=int, default=1, help="processes")
    chosen = options.parse_args()
    if strange := set(chosen.modules) - set(MODULES):
        options.error(f"not in the core: {', '.join(sorted(strange))}")
    modules = chosen.modules or MODULES
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "tree")
        shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
        found = survivors(copy, modules, chosen.jobs)
    return verdict(found, modules)


def verdict(found: list[Change], modules: list[str]) -> int:
    """Print what is wrong, and a summary; returns the exit code."""
    explained = read_explained()
    left, wrong = unexplained(found, explained), outdated(found, explained, modules)
    for one in left:
        print(f"no test fails: {one}")
    for one in wrong:
        print(f"explained, but does not survive: {one}")
    print(f"{len(found)} survived, {len(left)} of them not explained; {len(wrong)} explanations are wrong")
    return 1 if left or wrong else 0


def survivors(copy: Path, modules: list[str], jobs: int) -> list[Change]:
    """Run mutmut over some modules of a copied tree. Raises CalledProcessError where it cannot run."""
    patterns = [f"presence_syncd.core.{module}.*" for module in modules]
    mutmut = [sys.executable, "-m", "mutmut"]
    subprocess.run([*mutmut, "run", "--max-children", str(jobs), *patterns], cwd=copy, check=True)

    def ask(*words: str) -> str:
        return subprocess.run([*mutmut, *words], cwd=copy, check=True, capture_output=True, text=True).stdout

    return [change(name, ask("show", name)) for name in alive(ask("results"), modules)]


if __name__ == "__main__":
    sys.exit(main())
