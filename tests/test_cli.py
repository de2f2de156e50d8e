"""The commands print what programs and people can read, and exit with the right code."""

from __future__ import annotations

import json
import re
from pathlib import Path

from click.testing import CliRunner, Result

from presence_syncd import installing
from presence_syncd.cli import main
from presence_syncd.config import load, schema, vocabularies
from presence_syncd.core.presence import parse_status
from tests.config.test_environment import ENVIRON
from tests.config.texts import CANARY, ELSE, GOOD, TEAMS, write

REPO = Path(__file__).parent.parent


def run(*arguments: str, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(main, arguments, env=env)


def test_check_prints_findings_and_exits_with_78(tmp_path: Path) -> None:
    done = run("check", "--config", str(write(tmp_path, TEAMS + 'sweeep = "5s"\n')))
    assert done.exit_code == 78
    assert done.output == f'{tmp_path}/p.toml:6:1: services.teams.sweeep: unknown key (did you mean "sweep"?)\n'


def test_check_prints_warnings_and_a_summary(tmp_path: Path) -> None:
    path = write(tmp_path, ELSE + "links.symphony.user_id = 2\n")
    done = run("check", "--config", str(path), "--skip-environment")
    assert done.exit_code == 0
    first, *budgets, last = done.output.splitlines()
    assert first.startswith(f"warning: {path}:15:1: account.bob: has one link")
    assert [line.split()[0] for line in budgets] == ["service", "teams", "symphony"]
    assert last == "ok: 2 accounts, 3 links, 2 services"


def test_check_looks_at_the_environment(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD + f'[daemon]\nstate = "{tmp_path}/s"\ncontrol = "{tmp_path}/c"\n')
    done = run("check", "--config", str(path), env={"GRAPH_SECRET": CANARY, "SYMPHONY_KEY": CANARY})
    assert done.exit_code == 78
    assert CANARY not in done.output
    assert "services.symphony.private_key" in done.output
    done = run("check", env={**ENVIRON, "PRESENCE_SYNCD_CONFIG": str(path)})
    budgets = [
        "service   needs     of granted  headroom  room for        time to renew",
        "teams     0.204/s   37.5/s      99%       8,060 more      58 s",
        "symphony  0.0667/s  10/s        99%       a million more  -",
    ]
    assert done.exit_code == 0
    assert done.output.splitlines() == [*budgets, "ok: 1 account, 2 links, 2 services"]


def test_check_prints_json(tmp_path: Path) -> None:
    path = write(tmp_path, TEAMS + 'sweeep = "5s"\n')
    done = run("check", "--json", "--config", str(path))
    hint = 'did you mean "sweep"?'
    message = "services.teams.sweeep: unknown key"
    found = {"file": str(path), "line": 6, "column": 1, "message": message, "hint": hint}
    assert (done.exit_code, json.loads(done.output)) == (78, {"ok": False, "errors": [found], "warnings": []})
    done = run("check", "--json", "--skip-environment", "--config", str(write(tmp_path, GOOD)))
    counts = {"accounts": 1, "links": 2, "services": 2}
    found = json.loads(done.output)
    assert {budget["service"]: budget["granted"] for budget in found.pop("budgets")} == {"teams": 37.5, "symphony": 10}
    assert (done.exit_code, found) == (0, {"ok": True, "errors": [], "warnings": [], **counts})


def test_schema_prints_what_an_editor_reads() -> None:
    assert json.loads(run("schema").output) == schema()


def test_mapping_prints_the_words_as_used(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace("bot =", 'mapping = { "brb" = "AWAY" }\nbot ='))
    tables = json.loads(run("mapping", "--json", "--config", str(path)).output)
    assert tables["symphony"]["write"]["brb"] == "AWAY"
    assert tables["teams"]["write"]["busy/call"] == "Busy/InACall"
    assert "busy/call" in tables["teams"]["read_back"]["Busy/InACall"]
    assert vocabularies(load(path))["symphony"].word_for(parse_status("brb")) == "AWAY"
    printed = run("mapping", "--config", str(path)).output
    assert "┃" not in printed  # nobody sees frames who reads it from a pipe
    assert re.search(r"^busy/call +Busy/InACall +busy/call", printed, re.MULTILINE)


def test_mapping_refuses_a_wrong_file(tmp_path: Path) -> None:
    done = run("mapping", "--config", str(tmp_path / "none.toml"))
    assert done.exit_code == 78
    assert "cannot be read" in done.output


def test_check_does_not_go_online_before_the_rest_is_right(tmp_path: Path) -> None:
    done = run("check", "--online", "--config", str(write(tmp_path, GOOD)), env={"GRAPH_SECRET": CANARY})
    assert done.exit_code == 78
    assert "services.symphony.private_key" in done.output
    assert "services.teams" not in done.output


def test_completion_prints_a_script_for_each_shell() -> None:
    for shell in ("bash", "zsh", "fish"):
        assert "_PRESENCE_SYNCD_COMPLETE" in run("completion", shell).output
        assert run("completion", env={"SHELL": f"/bin/{shell}"}).output == run("completion", shell).output
    done = run("completion", env={"SHELL": "/bin/tcsh"})
    assert (done.exit_code, "name a shell: bash, zsh, fish" in done.output) == (2, True)


def test_setup_installs_what_is_missing_and_says_what_is_next(tmp_path: Path) -> None:
    unit = tmp_path / "etc/systemd/system/presence-syncd.service"
    config = tmp_path / "etc/presence-syncd/presence-syncd.toml"
    done = run("setup", "--root", str(tmp_path))
    assert done.exit_code == 0
    assert done.output.splitlines()[:2] == [f"written    {unit}", f"written    {config}"]
    assert "presence-syncd check" in done.output
    assert config.read_text() == (REPO / "config.example.toml").read_text()
    assert unit.read_text() == (REPO / "deploy/presence-syncd.service").read_text()
    assert (config.stat().st_mode & 0o777, config.parent.stat().st_mode & 0o777) == (0o644, 0o755)
    assert json.loads(run("setup", "--root", str(tmp_path), "--json").output)["files"][str(config)] == "unchanged"


def test_setup_replaces_the_unit_but_no_configuration_unless_forced(tmp_path: Path) -> None:
    unit = write(tmp_path, "old", "presence-syncd.service")
    config = write(tmp_path, "mine", "presence-syncd.toml")
    assert [installing.put(unit, "new", replace=True, keep=False), unit.read_text()] == ["written", "new"]
    assert [installing.put(config, "new", replace=False, keep=True), config.read_text()] == ["kept", "mine"]
    assert [installing.put(config, "new", replace=True, keep=True), config.read_text()] == ["written", "new"]
    assert config.with_name("presence-syncd.toml.old").read_text() == "mine"


def test_setup_says_what_it_cannot_write(tmp_path: Path) -> None:
    done = run("setup", "--root", str(write(tmp_path, "", "etc").parent))
    assert done.exit_code == 1
    assert f"cannot write {tmp_path}/etc" in done.output


def test_the_unit_starts_the_program_that_installed_it(tmp_path: Path) -> None:
    (tmp_path / "presence-syncd").touch()
    assert installing.program(tmp_path / "python") == f"{tmp_path}/presence-syncd"
    assert installing.program(tmp_path / "nowhere" / "python") == installing.PROGRAM
    assert "ExecStart=/opt/x run" in installing.unit("/opt/x")
    assert "ExecReload=/opt/x reload" in installing.unit("/opt/x")


def test_a_file_that_is_shipped_is_found_inside_the_package_first(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    write(tmp_path, "from the wheel", "data/config.example.toml")
    assert installing.shipped("config.example.toml", tmp_path) == "from the wheel"
    assert installing.shipped("config.example.toml").startswith("#:schema")


def test_a_command_without_a_daemon_says_so_in_json(tmp_path: Path) -> None:
    done = run("status", "--json", "--control", str(tmp_path / "none"))
    assert (done.exit_code, json.loads(done.output)["error"].split(":")[0]) == (1, "the daemon is not running")
    done = run("status", "--json", "--config", str(tmp_path / "none.toml"))
    assert (done.exit_code, "cannot be read" in json.loads(done.output)["error"]) == (78, True)
    done = run("status", "--config", str(tmp_path / "none.toml"))
    assert (done.exit_code, "name the file with --config" in done.output) == (78, True)
