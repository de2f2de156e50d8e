"""`python -m tests.fuzz.process READER FOLDER [OPTIONS]`: one run of libFuzzer, started by `python -m tests.fuzz`."""

from __future__ import annotations

import sys


def main() -> None:
    """Hand the process over to atheris; it ends it."""
    import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore]  # only where fuzzing is done

    with atheris.instrument_imports(include=["presence_syncd"]):
        from tests.fuzz.readers import read
    name = sys.argv.pop(1)
    atheris.Setup(sys.argv, lambda data: read(name, data))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
