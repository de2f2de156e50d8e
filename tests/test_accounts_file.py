"""Accounts in conf.d: written whole, checked, taken back when wrong; hand-written files are never touched."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from presence_syncd import accounts_file
from presence_syncd.cli import main
from presence_syncd.config import Config, load
from tests.config.texts import CANARY, GOOD, write

SKYPE = '[services.skype]\ntype = "ucwa"\n[services."skype.eu"]\ntype = "ucwa"\n'
USER = "teams.user=fa8bf3dc-eca7-46b7-bad1-db199b62afc4"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path, GOOD + SKYPE)


def run(path: Path, *arguments: str) -> Result:
    done = CliRunner().invoke(main, ["account", *arguments, "--config", str(path)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


def add(path: Path, name: str, *links: str, json: bool = False) -> Result:
    return run(path, "add", name, *(f"--link={link}" for link in links), *(["--json"] if json else []))


def files(path: Path) -> list[str]:
    folder = path.parent / "conf.d"
    return sorted(file.name for file in folder.iterdir()) if folder.exists() else []


def test_an_added_account_has_a_file_with_values_of_the_right_types(path: Path, tmp_path: Path) -> None:
    (tmp_path / "password").write_text(CANARY)
    (tmp_path / "password").chmod(0o600)
    done = add(
        path,
        "bob",
        USER,
        "teams.direction=read",
        "symphony.user_id=14568529068038",
        "skype.sip=bob@contoso.com",
        f"skype.password.file={tmp_path}/password",
        "skype.reset_on_available=true",
        "skype.eu.sip=bob@contoso.eu",
        'skype.eu.password.command=["/bin/cat", "x"]',
        "skype.eu.direction=read",
    )
    file = tmp_path / "conf.d" / "bob.toml"
    assert (done.exit_code, done.output) == (0, f"added bob in {file}; `presence-syncd reload` tells the daemon\n")
    (table,) = tomllib.loads(file.read_text())["account"]
    links = table["links"]
    assert links["symphony"] == {"user_id": 14568529068038}
    assert links["skype"]["reset_on_available"] is True
    assert links["skype"]["password"] == {"file": f"{tmp_path}/password"}
    assert links["skype.eu"]["password"] == {"command": ["/bin/cat", "x"]}
    assert [account.name for account in load(path).accounts] == ["alice", "bob"]
    assert files(path) == ["bob.toml"]
    assert file.stat().st_mode & 0o777 == path.stat().st_mode & 0o777


def test_lists_are_written_with_commas_or_as_toml(path: Path) -> None:
    words = ("skype.password.command=cat, x", "skype.password.nonsense.deep=1", "skype.password.command=[oops")
    typed = [accounts_file.links_from(load(path), [word])["skype"]["password"] for word in words]
    assert typed == [{"command": ["cat", "x"]}, {"nonsense": {"deep": "1"}}, {"command": "[oops"}]


def test_a_wrong_account_is_taken_back_and_told_with_places(path: Path) -> None:
    done = add(path, "bob", "symphony.user_id=abc", "symphony.colour=red")
    assert done.exit_code == 78
    lines = done.output.splitlines()
    assert lines[0].startswith(
        f"{path.parent}/conf.d/bob.toml:6:1: account.bob.links.symphony.user_id: must be a whole"
    )
    assert lines[-1] == "nothing was changed"
    assert files(path) == []
    found = json.loads(add(path, "bob", "symphony.user_id=1", json=True).output)
    assert "same person as account alice" in found["problems"][0]


def test_a_secret_that_is_not_there_is_told_before_the_daemon_stumbles_over_it(path: Path) -> None:
    skype = ("skype.sip=bob@contoso.com", "skype.password.file=/nowhere")
    done = add(path, "bob", USER, *skype)
    assert done.exit_code == 78
    assert "password: file /nowhere: cannot be read" in done.output
    assert files(path) == []
    credential = add(path, "bob", USER, skype[0], "skype.password.credential=bob-skype")
    assert credential.exit_code == 0, "the daemon's own credentials cannot be looked at from here"


def test_a_configuration_that_is_wrong_already_is_not_added_to(path: Path) -> None:
    path.write_text(path.read_text() + "nonsense")
    assert add(path, "bob", USER).exit_code == 78
    assert files(path) == []


def test_nothing_that_is_there_is_overwritten(path: Path) -> None:
    done = add(path, "ALICE", USER)
    assert (done.exit_code, done.output) == (1, f"there is an account alice already, at {path}:11:1\n")
    write(path.parent, '[[account]]\nname = "zed"\nlinks.symphony.user_id = 9\n', "conf.d/bob.toml")
    done = add(path, "bob", USER)
    assert done.exit_code == 1
    assert "which does not hold this account; it is not touched" in done.output


@pytest.mark.parametrize(
    ("name", "link", "said"),
    [
        ("a b", USER, "legal are letters"),
        ("../x", USER, "legal are letters"),
        ("bob", "nope.user=1", "there is no such service; services: teams, symphony, skype, skype.eu"),
        ("bob", "teams.user", "write SERVICE.KEY=VALUE"),
        ("bob", "teams.=1", "write SERVICE.KEY=VALUE"),
        ("bob", "teams=1", "there is no such service"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(path: Path, name: str, link: str, said: str) -> None:
    done = add(path, name, link)
    assert done.exit_code == 2
    assert said in done.output


def test_a_folder_that_cannot_be_written_is_told(path: Path) -> None:
    (path.parent / "conf.d").write_text("a file is in the way")
    done = add(path, "bob", USER)
    assert done.exit_code == 1
    assert f"cannot write {path.parent}/conf.d" in done.output


def test_what_was_added_can_be_removed(path: Path) -> None:
    add(path, "bob", USER)
    done = run(path, "remove", "BOB")
    assert (done.exit_code, files(path)) == (0, [])
    assert "is gone; `presence-syncd reload` tells the daemon" in done.output
    add(path, "bob", USER)
    assert json.loads(run(path, "remove", "bob", "--json").output)["account"] == "bob"


def test_a_hand_written_account_is_shown_and_left_alone(path: Path) -> None:
    done = run(path, "remove", "alice")
    assert (done.exit_code, path.read_text()) == (1, GOOD + SKYPE)
    assert f"alice stands at {path}:11:1, in a file written by hand" in done.output
    add(path, "bob", USER)
    file = path.parent / "conf.d" / "bob.toml"
    file.write_text(file.read_text() + '[[account]]\nname = "eve"\nlinks.symphony.user_id = 9\n')
    assert "written by hand" in run(path, "remove", "bob").output
    assert files(path) == ["bob.toml"]


def test_an_unknown_account_is_answered_with_similar_ones(path: Path) -> None:
    done = run(path, "remove", "alise")
    assert (done.exit_code, done.output) == (1, "there is no account 'alise'; did you mean alice?\n")
    assert json.loads(run(path, "remove", "alise", "--json").output)["error"].startswith("there is no account")


def test_an_account_comes_back_if_the_configuration_is_wrong_without_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No account is needed by anything yet; a file that becomes wrong meanwhile stands for it."""
    add(path, "bob", USER)

    def load_and_spoil(where: Path) -> Config:
        found = load(where)
        where.write_text(where.read_text() + "nonsense")
        return found

    monkeypatch.setattr("presence_syncd.accounts_file.load", load_and_spoil)
    assert run(path, "remove", "bob").exit_code == 78
    assert files(path) == ["bob.toml"]


def test_accounts_are_listed_with_their_places(path: Path) -> None:
    add(path, "bob", USER)
    lines = [line.split() for line in run(path, "list").output.splitlines()]
    assert lines == [
        ["account", "links", "place"],
        ["alice", "teams", "symphony", f"{path}:11:1"],
        ["bob", "teams", f"{path.parent}/conf.d/bob.toml:2:1"],
    ]
    assert json.loads(run(path, "list", "--json").output)[1]["links"] == ["teams"]


def test_a_vip_is_written_and_listed_as_one(path: Path) -> None:
    assert run(path, "add", "boss", "--vip", f"--link={USER}").exit_code == 0
    assert {account.name: account.vip for account in load(path).accounts} == {"alice": False, "boss": True}
    assert [found["vip"] for found in json.loads(run(path, "list", "--json").output)] == [False, True]


def test_nothing_is_left_behind_when_writing_fails(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "conf.d" / "bob.toml"
    folder.mkdir(parents=True)
    (folder / "inside").touch()
    with pytest.raises(OSError, match="directory"):
        accounts_file._put(folder, "x", like=path)
    assert files(path) == ["bob.toml"]
