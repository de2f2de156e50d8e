"""`setup`: puts the systemd unit and a first configuration in their places.

The one rule: the unit is ours and is replaced (changes to it are drop-ins); the configuration is the administrator's.
"""

from __future__ import annotations

import sys
from pathlib import Path

CONFIG = Path("etc/presence-syncd/presence-syncd.toml")
UNIT = Path("etc/systemd/system/presence-syncd.service")
PACKAGE = Path(__file__).parent
PROGRAM = "/usr/local/bin/presence-syncd"
"""Where the unit as it is shipped expects the program."""
NEXT = (
    "Next:",
    f"  1. describe your services and people in /{CONFIG}",
    "  2. put the secrets where it says, such as LoadCredential= by `systemctl edit presence-syncd`",
    "  3. presence-syncd check --skip-environment   then, as the service sees it: presence-syncd check --online",
    "  4. systemctl daemon-reload && systemctl enable --now presence-syncd",
    "  5. presence-syncd status",
)
"""What an administrator does after `setup`."""


def shipped(name: str, package: Path = PACKAGE) -> str:
    """The text of a file that comes with the program: in the wheel inside of it, in a checkout where it is written."""
    inside = package / "data" / name
    if inside.is_file():
        return inside.read_text(encoding="utf-8")
    return (package.parent / ("deploy" if name.endswith(".service") else "") / name).read_text(encoding="utf-8")


def install(root: Path, *, force: bool) -> dict[Path, str]:
    """Write what is missing below `root`; says for each file what became of it. Raises OSError."""
    text = unit(program() if root == Path("/") else PROGRAM)
    return {
        root / UNIT: put(root / UNIT, text, replace=True, keep=False),
        root / CONFIG: put(root / CONFIG, shipped("config.example.toml"), replace=force, keep=True),
    }


def unit(starts: str) -> str:
    """The systemd unit that starts the program given."""
    return shipped("presence-syncd.service").replace(PROGRAM, starts)


def program(python: Path | None = None) -> str:
    """Where this very program is installed; the usual place if it is not."""
    found = (python or Path(sys.executable)).with_name("presence-syncd")
    return str(found) if found.exists() else PROGRAM


def put(file: Path, text: str, *, replace: bool, keep: bool) -> str:
    """Write a file at once, if it may be replaced; `keep` the old one beside it. Says what became of it."""
    if file.exists():
        if file.read_text(encoding="utf-8") == text:
            return "unchanged"
        if not replace:
            return "kept"
        if keep:
            file.replace(file.with_name(f"{file.name}.old"))
    _make(file.parent)
    temporary = file.with_name(f".{file.name}.new")
    temporary.write_text(text, encoding="utf-8")
    temporary.chmod(0o644)
    temporary.replace(file)
    return "written"


def _make(folder: Path) -> None:
    """Make a folder that everybody may enter, whatever the umask: the daemon runs as a user of its own."""
    for missing in reversed([parent for parent in (folder, *folder.parents) if not parent.exists()]):
        missing.mkdir()
        missing.chmod(0o755)
