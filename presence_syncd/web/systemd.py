"""What systemd is told: ready, reloading, stopping, alive. One datagram each (sd_notify(3)).

The one rule: outside systemd nothing is sent and nothing fails.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress


def notify(*facts: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Send facts such as `READY=1`; whether there was somebody to tell."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    if address.startswith("@"):  # abstract namespace (unix(7))
        address = "\0" + address[1:]
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        sock.settimeout(0.5)  # a manager that does not read must not stop the loop
        sock.sendto("\n".join(facts).encode(), address)
        return True
    return False


def watchdog_seconds(environ: Mapping[str, str] = os.environ) -> float | None:
    """Seconds between two signs of life that systemd wants from this process; None if it wants none."""
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    micros = environ.get("WATCHDOG_USEC", "")
    return int(micros) / 3e6 if micros.isdigit() and int(micros) else None


def reloading() -> tuple[str, str]:
    """The facts that announce a reload; the time says which one (sd_notify(3), MONOTONIC_USEC)."""
    return "RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}"
