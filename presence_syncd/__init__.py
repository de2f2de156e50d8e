"""Keep each person's presence the same in several chat services, and alive."""

from __future__ import annotations

__version__ = "0.1.0"
