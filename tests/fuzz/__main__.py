"""`python -m tests.fuzz [READER ...] [--seconds N]`: fuzz the readers with atheris, guided by what their code does.

The one rule: the exit code is 1 if a reader broke, did not end, or took too much memory; the input that did it is kept,
and `--replay` shows it again without atheris.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

LIMITS = ("-timeout=120", "-rss_limit_mb=1024", "-max_len=4096", "-verbosity=0", "-print_final_stats=0")
"""Seconds (of a clock on the wall, on a machine that may be busy) and megabytes one input may take, and its length."""
NOISE = "INFO: Instrumenting "


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("readers", nargs="*", metavar="READER", help="default: all; an unknown name lists them")
    parser.add_argument("--seconds", type=int, default=60, help="for each reader (default: 60)")
    parser.add_argument("--corpus", type=Path, help="folder where inputs are kept, to go on from next time")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="give one input to the one reader that is named")
    options = parser.parse_args(arguments)
    from tests.fuzz.readers import READERS, read

    if unknown := set(options.readers) - set(READERS):
        parser.error(f"no reader is called {', '.join(sorted(unknown))}; there are {', '.join(READERS)}")
    if options.replay is not None:
        for name in options.readers:
            read(name, options.replay.read_bytes())
        return 0
    if find_spec("atheris") is None:
        parser.error("atheris is not installed (pip install atheris)")
    with tempfile.TemporaryDirectory() as folder:
        broken = [
            name
            for name in options.readers or READERS
            if not _ends_well(name, READERS[name][1], (options.corpus or Path(folder)) / name, options.seconds)
        ]
    print(
        f"{len(options.readers or READERS) - len(broken)} passed, {len(broken)} failed: {', '.join(broken) or 'none'}"
    )
    return 1 if broken else 0


def _ends_well(name: str, sample: bytes, corpus: Path, seconds: int) -> bool:
    """Fuzz one reader in a process of its own, which libFuzzer ends as it likes."""
    corpus.mkdir(parents=True, exist_ok=True)
    corpus.joinpath("sample").write_bytes(sample)
    prefix = f"-artifact_prefix=fuzz-{name}-"
    command = [sys.executable, "-m", "tests.fuzz.process", name, str(corpus), *LIMITS, prefix]
    print(f"{name}: {seconds} s", flush=True)
    run = subprocess.run(
        [*command, f"-max_total_time={seconds}"], check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if run.returncode:
        lines = run.stdout.decode(errors="replace").splitlines()
        print("\n".join(line for line in lines if not line.startswith(NOISE)))
    return run.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
