"""`python -m tests.fuzz READER [FOLDER] [libFuzzer options]`: fuzz one reader with atheris until it breaks."""

from __future__ import annotations

import sys

from tests.fuzz.readers import READERS, read


def main() -> int:
    """Run atheris; returns the exit code: 2 for wrong use, 0 where atheris is not installed."""
    if len(sys.argv) < 2 or sys.argv[1] not in READERS:
        print(f"usage: python -m tests.fuzz READER [FOLDER] [OPTIONS]\nreaders: {', '.join(READERS)}", file=sys.stderr)
        return 2
    try:
        import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore]  # only nightly has it
    except ImportError:
        print("skipped: atheris is not installed", file=sys.stderr)
        return 0
    name = sys.argv.pop(1)
    atheris.instrument_all()
    atheris.Setup(sys.argv, lambda data: read(name, data))
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
