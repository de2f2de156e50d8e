"""Make, spoil and mend the configuration inside the container of nspawn.sh.

    settle_in.py install | drop NAME | spoil | mend

`install` turns the tenant's configuration into a site's: default paths, secrets as credentials, only the two services
whose emulators it steers. The one rule: nothing here is known to the daemon.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import Any

TENANT = Path("/var/lib/tenant/presence-syncd.toml")
CONFIG = Path("/etc/presence-syncd/presence-syncd.toml")
GOOD = CONFIG.with_suffix(".good")
SERVICES = ("teams", "symphony")
WRONG = '\n[policy]\nsettle = "soon"\n'


def site(document: dict[str, Any]) -> dict[str, Any]:
    """A tenant's configuration as a site has it."""
    services = {name: document["services"][name] for name in SERVICES}
    services["teams"]["client_secret"] = {"credential": "graph-secret"}
    services["symphony"]["private_key"] = {"credential": "symphony-key"}
    accounts = [
        {"name": account["name"], "links": {name: account["links"][name] for name in SERVICES}}
        for account in document["account"]
    ]
    return {"services": services, "account": accounts}


def write(document: dict[str, Any]) -> None:
    """Write the configuration, for all to read: there is no secret in it."""
    import tomli_w  # noqa: PLC0415  # only the daemon's own environment has it

    CONFIG.write_text(tomli_w.dumps(document))
    CONFIG.chmod(0o644)


def drop(name: str) -> None:
    """Take an account out, as an editor would: by text."""
    before, *accounts = CONFIG.read_text().split("[[account]]")
    CONFIG.write_text("[[account]]".join([before, *(text for text in accounts if f'"{name}"' not in text)]))


def main(order: str, *names: str) -> None:
    """Carry out one order."""
    match order:
        case "install":
            write(site(tomllib.loads(TENANT.read_text())))
        case "drop":
            drop(*names)
        case "spoil":
            GOOD.write_text(CONFIG.read_text())
            CONFIG.write_text(CONFIG.read_text() + WRONG)
        case "mend":
            CONFIG.write_text(GOOD.read_text())


if __name__ == "__main__":
    main(*sys.argv[1:])
