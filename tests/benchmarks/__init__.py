"""Benchmarks: `python -m tests.benchmarks` prints what the daemon costs, as ratios to yardsticks of the same run."""
