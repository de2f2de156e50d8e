"""`python -m tests.mutation`: change the core in a private copy, and say which changes no test notices.

The one rule: the exit code is 1 if a survivor is not explained in `explained.toml`.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.mutation.survivors import Change, alive, change, read_explained, unexplained

ROOT = Path(__file__).parents[2]
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "mutants", "build", "dist")


def main() -> int:
    """Run the command."""
    options = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    options.add_argument("modules", nargs="*", default=["*"], help="modules of the core, such as observe; default: all")
    options.add_argument("--jobs", type=int, default=1, help="processes")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "tree")
        shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
        found = survivors(copy, chosen.modules, chosen.jobs)
    left = unexplained(found, read_explained())
    for one in left:
        print(one)
    print(f"{len(found)} survived, {len(left)} of them not explained")
    return 1 if left else 0


def survivors(copy: Path, modules: list[str], jobs: int) -> list[Change]:
    """Run mutmut over some modules of a copied tree. Raises CalledProcessError where it cannot run."""
    patterns = [f"presence_syncd.core.{module}.*" for module in modules]
    mutmut = [sys.executable, "-m", "mutmut"]
    subprocess.run([*mutmut, "run", "--max-children", str(jobs), *patterns], cwd=copy, check=True)

    def ask(*words: str) -> str:
        return subprocess.run([*mutmut, *words], cwd=copy, check=True, capture_output=True, text=True).stdout

    return [change(name, ask("show", name)) for name in alive(ask("results"))]


if __name__ == "__main__":
    sys.exit(main())
