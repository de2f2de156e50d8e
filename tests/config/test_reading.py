"""What is wrong is said at once, each with its place; what is right becomes frozen values."""

from __future__ import annotations

import copy
import time
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from presence_syncd.config import Config, DaemonSettings, Format, Idle, Place, Policy, load
from presence_syncd.config.tables import parse_address
from presence_syncd.core.view import Compose
from presence_syncd.errors import ConfigError
from presence_syncd.toml_places import locate
from tests.config.texts import ALICE, GOOD, SYMPHONY, TEAMS, good, problems, write
from tests.config.wrong_files import WRONG


@pytest.mark.parametrize("case", WRONG)
def test_says_where_and_what_is_wrong(tmp_path: Path, case: str) -> None:
    text, expected = WRONG[case]
    assert problems(write(tmp_path, text)) == [f"p.toml:{line}".replace("FILE", "p.toml") for line in expected]


def test_reads_a_good_file_into_frozen_values(tmp_path: Path) -> None:
    config = good(tmp_path, '[policy]\nsettle = "1500ms"\n' + GOOD + '[account.policy]\nidle = "away"\n')
    alice = config.accounts[0]
    assert config.warnings == ()
    assert list(config.services) == ["teams", "symphony"]
    assert config.links == 2
    assert (alice.name, alice.reading, alice.writing) == ("alice", ("teams", "symphony"), ("teams", "symphony"))
    assert (alice.policy.settle, alice.policy.idle, config.policy.idle) == (1.5, Idle.AWAY, Idle.IGNORE)
    assert alice.place == Place(str(tmp_path / "p.toml"), 13, 1)
    assert str(alice.place).endswith("p.toml:13:1")
    with pytest.raises(AttributeError):
        alice.name = "bob"  # type: ignore[misc]


def test_defaults_are_those_of_the_design(tmp_path: Path) -> None:
    config = good(tmp_path, "")
    assert config == Config(DaemonSettings(), Policy())
    assert config.daemon.http == ("127.0.0.1", 9464)
    assert config.daemon.log.format is Format.JSON
    policy = config.policy
    assert (policy.compose, policy.settle, policy.settle_fade, policy.evidence) == (Compose.LATEST, 2.0, 30.0, 900.0)


def test_an_account_that_only_moved_is_the_same(tmp_path: Path) -> None:
    assert good(tmp_path) == good(tmp_path, "# moved\n\n" + GOOD)
    assert good(tmp_path) != good(tmp_path, GOOD.replace("user_id = 1", "user_id = 2"))


def test_windows_line_ends_change_no_place(tmp_path: Path) -> None:
    text, expected = WRONG["everything at once, in the order of the lines"]
    assert problems(write(tmp_path, text.replace("\n", "\r\n"))) == [f"p.toml:{line}" for line in expected]


@pytest.mark.parametrize(
    ("text", "address"),
    [("127.0.0.1:0", ("127.0.0.1", 0)), ("[::1]:9464", ("::1", 9464)), ("localhost:1", ("localhost", 1))],
)
def test_reads_addresses(text: str, address: tuple[str, int]) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["9464", ":9464", "127.0.0.1", "::1:9464", "localhost:x", "localhost:-1", 9464, "a:²"])
def test_refuses_what_is_no_address(text: object) -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        parse_address(text)


def test_an_address_others_reach_must_be_meant(tmp_path: Path) -> None:
    config = good(tmp_path, '[daemon]\nhttp = "0.0.0.0:9464"\nhttp_exposed = true\n')
    assert config.daemon.http == ("0.0.0.0", 9464)


def test_reads_accounts_and_services_beside_the_main_file(tmp_path: Path) -> None:
    write(tmp_path, SYMPHONY, "conf.d/20-symphony.toml")
    write(tmp_path, ALICE, "conf.d/10-alice.toml")
    write(tmp_path, "not TOML", "conf.d/.alice.toml.swp.toml")
    write(tmp_path, "not TOML", "conf.d/alice.toml~")
    config = good(tmp_path, TEAMS)
    assert config.links == 2
    assert str(config.accounts[0].place).endswith("conf.d/10-alice.toml:1:1")


def test_says_both_places_of_what_stands_in_two_files(tmp_path: Path) -> None:
    write(tmp_path, SYMPHONY + ALICE, "conf.d/a.toml")
    path = write(tmp_path, GOOD)
    assert problems(path) == [
        "conf.d/a.toml:1:1: services.symphony: stands twice, first at p.toml:6:1 (remove one of them)",
        "conf.d/a.toml:7:1: account.alice.name: stands twice, first at p.toml:12:1 (an account has one table)",
    ]


def test_other_tables_stand_in_the_main_file_only(tmp_path: Path) -> None:
    write(tmp_path, "[policy]\n[daemn]\n", "conf.d/a.toml")
    assert problems(write(tmp_path, GOOD)) == [
        "conf.d/a.toml:1:1: policy: stands in the main file only (legal here: services, account)",
        "conf.d/a.toml:2:1: daemn: unknown table (legal: services, account)",
    ]


def test_a_malformed_file_hides_no_other_and_brings_no_follow_ups(tmp_path: Path) -> None:
    write(tmp_path, "x = \n", "conf.d/a.toml")
    write(tmp_path, "y = \n", "conf.d/b.toml")
    assert [line.partition(":")[0] for line in problems(write(tmp_path, ALICE))] == ["conf.d/a.toml", "conf.d/b.toml"]


def test_files_that_cannot_be_read_are_one_line_each(tmp_path: Path) -> None:
    (tmp_path / "conf.d" / "folder.toml").mkdir(parents=True)
    (tmp_path / "conf.d" / "latin.toml").write_bytes(b"a = 1\nb = '\xe9'\n")
    assert problems(tmp_path / "none.toml") == [
        "none.toml: cannot be read: no such file or directory (name the file with --config)",
        "conf.d/folder.toml: cannot be read: is a directory",
        "conf.d/latin.toml:2:6: is not UTF-8 text (save the file as UTF-8)",
    ]


def test_a_conf_d_that_cannot_be_listed_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "conf.d").symlink_to("conf.d")
    assert problems(write(tmp_path, GOOD)) == ["conf.d: cannot be listed: too many levels of symbolic links"]


def test_a_conf_d_that_is_a_file_is_left_alone(tmp_path: Path) -> None:
    write(tmp_path, "", "conf.d")
    assert good(tmp_path).links == 2


def test_ends_reading_an_endless_file() -> None:
    with pytest.raises(ConfigError, match="is larger than 64 MiB"):
        load(Path("/dev/zero"))


def test_accounts_written_by_a_program_are_read(tmp_path: Path) -> None:
    bob = {"name": "bob", "links": {"symphony": {"user_id": 2}}}
    write(tmp_path, tomli_w.dumps({"account": [bob]}), "conf.d/b.toml")
    assert [account.name for account in good(tmp_path).accounts] == ["alice", "bob"]


def test_an_account_costs_as_much_to_read_among_ten_thousand_as_among_a_thousand(tmp_path: Path) -> None:
    """Seconds would only say how busy the machine is."""
    links = 'links.teams.user = "00000000-0000-0000-0000-{0:012d}"\nlinks.symphony.user_id = {0}\n'

    def cost(size: int) -> float:
        accounts = "".join(f'[[account]]\nname = "a{n}"\n' + links.format(n) for n in range(size))
        path = write(tmp_path, TEAMS + SYMPHONY + accounts)
        before = time.process_time()
        assert load(path).links == 2 * size
        return (time.process_time() - before) / size

    among_few = min(cost(1_000) for _ in range(3))
    among_many = cost(10_000)
    print(f"{among_few * 1e6:.0f} us among a thousand, {among_many * 1e6:.0f} us among ten thousand")
    assert among_many < 3 * among_few


@pytest.mark.parametrize("depth", range(440, 500, 3))
def test_goes_as_deep_as_tomllib_or_says_that_it_does_not(tmp_path: Path, depth: int) -> None:
    assert len(problems(write(tmp_path, "[daemon]\nx = " + "[" * depth + "]" * depth))) == 1


def test_a_name_with_control_characters_stays_on_one_line(tmp_path: Path) -> None:
    (said,) = problems(write(tmp_path, '[services]\n"a\\n\\u001b[31mb" = 1\n'))
    assert said == "p.toml:2:1: services.a\ufffd\ufffd[31mb: is no name (letters, digits, . _ @ -, at most 64)"


def entries(text: str) -> list[tuple[str | int, ...]]:
    """Every path of a document."""
    return list(locate(text))


def replaced(tree: Any, path: tuple[str | int, ...], value: object) -> Any:
    """The tree with one value put in place of another."""
    tree = copy.deepcopy(tree)
    inner = tree
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return tree


VALUES = st.one_of(
    st.integers(), st.booleans(), st.floats(), st.text(max_size=5), st.dates(), st.just([]), st.just({}),
    st.lists(st.dictionaries(st.sampled_from(["name", "type", "user", "file"]), st.text(max_size=3)), max_size=2),
    st.dictionaries(st.sampled_from(["type", "links", "mapping", "env", "level"]), st.integers(), max_size=2),
)  # fmt: skip
FULL = GOOD + '[daemon]\nhttp = "127.0.0.1:0"\nlog.level = "info"\n[policy]\npriority = ["teams"]\nsettle = "1s"\n'


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(entries(FULL)), VALUES)
def test_any_value_anywhere_is_read_or_refused_with_places(
    tmp_path: Path, path: tuple[str | int, ...], value: object
) -> None:
    text = tomli_w.dumps(replaced(tomllib.loads(FULL), path, value))
    try:
        load(write(tmp_path, text))
    except ConfigError as error:
        found = error.problems
    else:
        found = []
    assert all(problem.line and "\n" not in str(problem) for problem in found)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, len(FULL)), st.integers(0, 30), st.text(alphabet=" \t\n[]{}.,=\"'#a1\x00é", max_size=6))
def test_any_damage_is_read_or_refused(tmp_path: Path, start: int, length: int, put: str) -> None:
    with suppress(ConfigError):
        load(write(tmp_path, FULL[:start] + put + FULL[start + length :]))
