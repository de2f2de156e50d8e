"""What tables mean together: odd things are warned of, follow-ups are not reported."""

from __future__ import annotations

from pathlib import Path

import pytest

from presence_syncd.config.findings import keys_at
from presence_syncd.connectors import REGISTRY, Registry
from tests.config.texts import ELSE, GOOD, SYMPHONY, good, problems, write
from tests.config.toy import ToySettings

ODD: dict[str, tuple[str, list[str]]] = {
    "a lonely account": (
        ELSE + "links.symphony.user_id = 2\n",
        ["15:1: account.bob: has one link, so that nothing is mirrored (add [account.links.SERVICE])"],
    ),
    "nothing that is read": (
        GOOD.replace(" }\nlinks", ', direction = "write" }\nlinks').replace("= 1 }", '= 1, direction = "write" }'),
        ["11:1: account.alice: no link is read, so that only pins are shown"],
    ),
    "an order with a service nobody uses": (
        GOOD + SYMPHONY.replace("services.symphony", "services.spare") + '[policy]\nwriter = ["spare", "teams"]\n',
        [
            "15:1: services.spare: is not used: no account has a link to it",
            "21:11: policy.writer.0: spare is never used: no account has a link to it",
        ],
    ),
    "an account's order with a service it does not use": (
        ELSE + 'links.symphony.user_id = 2\npolicy = { compose = "priority", priority = ["teams"] }\n',
        [
            "15:1: account.bob: has one link, so that nothing is mirrored (add [account.links.SERVICE])",
            "18:46: account.bob.policy.priority.0: teams is never used: this account does not have a link to it",
        ],
    ),
    "an order nobody asks for": (
        GOOD + '[policy]\npriority = ["teams"]\n',
        ['16:1: policy.priority: has no effect: no compose is "priority"'],
    ),
}


@pytest.mark.parametrize("case", ODD)
def test_warns_of_what_is_odd(tmp_path: Path, case: str) -> None:
    text, expected = ODD[case]
    found = [str(problem).replace(f"{tmp_path}/", "") for problem in good(tmp_path, text).warnings]
    assert found == [f"p.toml:{line}" for line in expected]


def test_an_order_of_writers_allows_two_doors(tmp_path: Path) -> None:
    text = GOOD.replace("bot =", 'presence_domain = "teams"\nbot =')
    config = good(tmp_path, text + '[account.policy]\nwriter = ["symphony", "teams"]\n')
    assert (config.domain("teams"), config.domain("symphony")) == ("teams", "teams")
    assert config.accounts[0].policy.writer == ("symphony", "teams")


def test_one_writer_and_one_reader_need_no_order(tmp_path: Path) -> None:
    text = GOOD.replace("bot =", 'presence_domain = "teams"\nbot =').replace("= 1 }", '= 1, direction = "read" }')
    assert good(tmp_path, text).accounts[0].writing == ("teams",)


def test_a_rule_of_the_main_file_does_not_come_up_again_in_accounts(tmp_path: Path) -> None:
    text = GOOD + '[policy]\ncompose = "priority"\npriority = ["spare"]\n'
    assert problems(write(tmp_path, text)) == [
        "p.toml:17:13: policy.priority.0: there is no [services.spare] (services: symphony, teams)"
    ]


def test_a_broken_service_brings_no_follow_ups_in_its_links(tmp_path: Path) -> None:
    found = problems(write(tmp_path, GOOD.replace('"graph"', '"grap"')))
    assert found == ['p.toml:2:1: services.teams.type: is no type of service (did you mean "graph"?)']


def test_a_kind_whose_package_is_missing_breaks_only_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(REGISTRY, "_folders", _folders() | {"graph": "no_such_package"})
    assert problems(write(tmp_path, GOOD.replace("bot =", "bott ="))) == [
        "p.toml:2:1: services.teams.type: type graph needs no_such_package, which is not installed",
        'p.toml:9:1: services.symphony.bott: unknown key (did you mean "bot"?)',
    ]


def _folders() -> dict[str, str]:
    assert isinstance(REGISTRY, Registry)
    return dict(REGISTRY._folders)


def test_the_registry_is_a_mapping_of_kinds() -> None:
    assert len(REGISTRY) == len(list(REGISTRY)) >= 2
    assert "irc" not in REGISTRY
    assert all(connector.kind == kind for kind, connector in REGISTRY.items())
    with pytest.raises(KeyError):
        REGISTRY["irc"]


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(REGISTRY, "_folders", {"toy": "tests.config.toy"})


TOYS = '[services.one]\ntype = "toy"\n[services.two]\ntype = "toy"\n'


@pytest.mark.usefixtures("toys")
def test_checks_the_mapping_of_a_kind_that_does_not(tmp_path: Path) -> None:
    assert problems(write(tmp_path, TOYS + 'mapping = { busy = "red", available = "on" }\n')) == [
        "p.toml:5:13: services.two.mapping.busy: 'red' cannot be written for busy; legal: on, busy"
    ]


@pytest.mark.usefixtures("toys")
def test_says_which_settings_a_service_does_not_take(tmp_path: Path) -> None:
    link = '[[account]]\nname = "alice"\nlinks = { one = {}, two = {} }\npolicy.writer = ["one", "two"]\n'
    assert problems(write(tmp_path, TOYS + "broken = true\n" + link)) == [
        "p.toml:3:1: services.two: these settings do not fit together"
    ]


@pytest.mark.usefixtures("toys")
def test_finds_relative_paths_of_secrets_wherever_they_are(tmp_path: Path) -> None:
    secrets = 'keys = [{ file = "/x" }, { file = "y" }]\nby_host = { "a.b" = { file = "z" } }\n'
    absolute = "legal is an absolute path, one that starts with /"
    assert problems(write(tmp_path, TOYS + secrets)) == [
        f"p.toml:5:26: services.two.keys.1: {absolute}",
        f"p.toml:6:13: services.two.by_host.a.b: {absolute}",
    ]


@pytest.mark.usefixtures("toys")
def test_kinds_that_share_a_domain_are_doors_to_one_presence(tmp_path: Path) -> None:
    link = '[[account]]\nname = "alice"\nlinks = { one = {}, two = {} }\n'
    assert 'presence domain "toys"' in problems(write(tmp_path, TOYS + link))[0]


@pytest.mark.usefixtures("toys")
def test_a_person_is_found_twice_where_no_key_tells_the_id(tmp_path: Path) -> None:
    link = '[[account]]\nname = "alice"\nlinks = { one = {} }\n'
    found = "is the same person as account alice at p.toml:7:11 (one account per person)"
    assert problems(write(tmp_path, TOYS + link + link.replace("alice", "bob"))) == [
        f"p.toml:10:11: account.bob.links.one: {found}"
    ]


def test_names_the_keys_of_the_table_that_is_meant() -> None:
    assert keys_at(ToySettings, ("keys", 0)) == ["credential", "file", "env", "command"]
    assert keys_at(ToySettings, ("rate",)) == list(ToySettings.model_fields)


@pytest.mark.usefixtures("toys")
def test_a_person_is_the_same_in_any_case_of_letters(tmp_path: Path) -> None:
    link = (
        '[[account]]\nname = "alice"\nlinks = { one.user = "Alice", two.user = "x" }\npolicy.writer = ["one", "two"]\n'
    )
    other = link.replace('"alice"', '"bob"').replace('"Alice"', '"ALICE"').replace('"x"', '"y"')
    (said,) = problems(write(tmp_path, TOYS + link + other))
    assert "account.bob.links.one: is the same person as account alice" in said
