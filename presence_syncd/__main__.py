"""Run the command line as `python -m presence_syncd`."""

from __future__ import annotations

from presence_syncd.cli import main

main()
