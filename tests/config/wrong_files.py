"""Wrong files, each with every line that is said about it: `line:column: what (hint)`."""

from __future__ import annotations

from presence_syncd.connectors import REGISTRY
from tests.config.texts import ALICE, CANARY, ELSE, GOOD, SYMPHONY, TEAMS

DURATION = 'a duration is a number and a unit (ms, s, m, h, d) in quotes, such as "5s" or "15m"'
WAYS = '{ credential = "NAME" }, { file = "/PATH" } or { env = "NAME" } (or { command = ["PROGRAM"] })'
GUID = 'legal is a GUID such as "fa8bf3dc-eca7-46b7-bad1-db199b62afc3"'

WRONG: dict[str, tuple[str, list[str]]] = {
    "malformed TOML": ("a = \n", ['1:5: not TOML: invalid value (text stands in quotes: key = "value")']),
    "an unclosed array": ("a = [1,\n2", ["2:2: not TOML: unclosed array"]),
    "a key twice": ("[a]\nb = 1\nb = 2\n", ["3:6: not TOML: cannot overwrite a value (a table or a key stands twice)"]),
    "a table twice": ("[a]\n[a]\n", ["2:3: not TOML: cannot declare ('a',) twice (a table or a key stands twice)"]),
    "a date there is not": (
        "a = 2020-02-30",
        ['1:5: not TOML: invalid date or datetime (text stands in quotes: key = "value")'],
    ),
    "a byte order mark": ("\ufeffa = 1", ["1:1: starts with a byte order mark (save it as UTF-8 without one)"]),
    "an endless number": ("a = " + "1" * 5000, [" a number is too long"]),
    "a bottomless array": ("a = " + "[" * 9000 + "]" * 9000, [" is nested too deeply"]),
    "an unknown table": ("[polcy]\n", ['1:1: polcy: unknown table (did you mean "policy"?)']),
    "an unknown key outside of tables": (
        "interval = 5\n" + GOOD,
        ["1:1: interval: unknown table (legal: daemon, policy, services, account)"],
    ),
    "an unknown key of the daemon": (
        "[daemon]\nsocket = 1\n",
        ["2:1: daemon.socket: unknown key (legal: state, http_exposed, http, control, log)"],
    ),
    "a relative state path": (
        '[daemon]\nstate = "state.db"\n',
        ["2:1: daemon.state: legal is an absolute path, one that starts with /"],
    ),
    "an endless socket path": (
        f'[daemon]\ncontrol = "/{"x" * 107}"\n',
        ["2:1: daemon.control: a Unix socket's path has at most 107 bytes"],
    ),
    "an open port": (
        '[daemon]\nhttp = "0.0.0.0:9464"\n',
        ['2:1: daemon.http: others can reach this address; use "127.0.0.1:9464", or set http_exposed = true'],
    ),
    "a port out of range": (
        '[daemon]\nhttp = "127.0.0.1:70000"\n',
        [
            '2:1: daemon.http: legal is "HOST:PORT", such as "127.0.0.1:9464" or "[::1]:9464", with a port up to 65535',
        ],
    ),
    "an unknown level": (
        '[daemon]\nlog = { level = "loud" }\n',
        ['2:9: daemon.log.level: must be "debug" or "info" or "warning" or "error"'],
    ),
    "a misspelt choice": (
        '[policy]\ncompose = "lates"\n',
        ['2:1: policy.compose: must be "latest" or "priority" or "busiest" (did you mean "latest"?)'],
    ),
    "a number for a duration": ("[policy]\nsettle = 2\n", [f"2:1: policy.settle: {DURATION}"]),
    "a table that is none": ("daemon = 1\n", ["1:1: daemon: must be a table"]),
    "priority without an order": (
        '[policy]\ncompose = "priority"\n',
        ['2:1: policy: compose = "priority" needs priority = ["SERVICE", ...], the most important first'],
    ),
    "a service twice in an order": (
        GOOD + '[policy]\ncompose = "priority"\npriority = ["teams", "teams"]\n',
        ["17:1: policy.priority: names a service twice"],
    ),
    "an order of unknown services": (
        GOOD + '[policy]\ncompose = "priority"\npriority = ["teams", "symphonie"]\n',
        ['17:22: policy.priority.1: there is no [services.symphonie] (did you mean "symphony"?)'],
    ),
    "services that are no tables": ("services = 1\n", ["1:1: services: must be tables [services.NAME]"]),
    "a service that is no table": ("[services]\nteams = 1\n", ["2:1: services.teams: must be a table"]),
    "a service's name that is none": (
        TEAMS.replace("services.teams", 'services."my teams"'),
        ["1:1: services.my teams: is no name (letters, digits, . _ @ -, at most 64)"],
    ),
    "a service without a type": (
        "[services.teams]\n",
        [f"1:1: services.teams.type: is missing (legal: {', '.join(REGISTRY)})"],
    ),
    "an unknown type": (
        '[services.teams]\ntype = "grahp"\n',
        ['2:1: services.teams.type: is no type of service (did you mean "graph"?)'],
    ),
    "a missing key": (
        TEAMS.replace('tenant = "contoso.com"\n', ""),
        ["1:1: services.teams.tenant: is missing (tenant id, or a domain of the tenant)"],
    ),
    "a misspelt key": (TEAMS + 'sweeep = "5s"\n', ['6:1: services.teams.sweeep: unknown key (did you mean "sweep"?)']),
    "a key of another type": (
        TEAMS + 'pod = "https://contoso.symphony.com"\n',
        ["6:1: services.teams.pod: unknown key (a key of type symphony; this service is of type graph)"],
    ),
    "a literal secret": (
        TEAMS.replace('{ env = "GRAPH_SECRET" }', f'"{CANARY}"'),
        [f"5:1: services.teams.client_secret: a secret is not written here; name its place: {WAYS}"],
    ),
    "a secret in two places": (
        TEAMS.replace("{ env", '{ file = "/x", env'),
        [f"5:1: services.teams.client_secret: name exactly one place: {WAYS}"],
    ),
    "a secret in an unknown place": (
        TEAMS.replace("{ env", f'{{ value = "{CANARY}", env'),
        ["5:19: services.teams.client_secret.value: unknown key (legal: credential, file, env, command)"],
    ),
    "a secret's relative path": (
        TEAMS.replace('env = "GRAPH_SECRET"', 'file = "secret"'),
        ["5:1: services.teams.client_secret: legal is an absolute path, one that starts with /"],
    ),
    "a relative certificate file": (
        TEAMS + 'ca_file = "ca.pem"\n',
        ["6:1: services.teams.ca_file: legal is an absolute path, one that starts with /"],
    ),
    "http to another machine": (
        TEAMS + 'graph_url = "http://graph.example.com"\n',
        ["6:1: services.teams.graph_url: http:// is allowed to this machine only; use https://"],
    ),
    "a password in a URL": (
        TEAMS + f'graph_url = "https://me:{CANARY}@graph.example.com"\n',
        ["6:1: services.teams.graph_url: a URL must not carry a user or a password; name a secret instead"],
    ),
    "a refresh after the time-out": (
        TEAMS + 'refresh = "280s"\n',
        ["6:1: services.teams: refresh must be under 270s, 90 % of the time-out of an Available session"],
    ),
    "a word nobody can write": (
        TEAMS + 'mapping = { "busy/call" = "Busy/InACall", "busy" = "Busy/Busy" }\n',
        [
            (
                "6:43: services.teams.mapping.busy: 'Busy/Busy' cannot be written for busy; legal: "
                "Available/Available, Busy/InACall, Busy/InAConferenceCall, DoNotDisturb/Presenting, Away/Away"
            )
        ],
    ),
    "a status there is not": (
        SYMPHONY + '[services.symphony.mapping]\n"busy/lunch" = "BUSY"\n',
        [
            (
                "7:1: services.symphony.mapping.busy/lunch: 'busy/lunch' is no status; legal: one of "
                "available, busy, dnd, brb, away, offline, unknown, then /activity, +idle, +ooo"
            )
        ],
    ),
    "a mapping in a table that is wrong": (
        TEAMS + 'mapping = { "busy" = "Busy/Busy" }\nfade = "1h"\n',
        ['7:1: services.teams.fade: legal is "1s" to "5m"'],
    ),
    "a mapping that is no table": (
        TEAMS + "mapping = 1\n",
        ["6:1: services.teams.mapping: must be a table"],
    ),
    "accounts that are no array": ("[account]\n", ["1:1: account: must be an array of tables (write [[account]])"]),
    "an account that is no table": ("account = [1]\n", ["1:12: account[0]: must be a table"]),
    "an account without a name": (
        GOOD + "[[account]]\n",
        ["15:1: account[1].name: is missing (the account's name in commands and logs)"],
    ),
    "an account's name that is none": (
        GOOD.replace('"alice"', '"alice smith"'),
        ["12:1: account.alice smith.name: must match ^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$"],
    ),
    "the same account twice": (
        GOOD + ALICE.replace("alice", "Alice"),
        ["16:1: account.Alice.name: stands twice, first at FILE:12:1 (an account has one table)"],
    ),
    "an account without links": (ELSE, ["15:1: account.bob: has no link (add [account.links.SERVICE])"]),
    "a link to no service": (
        ELSE + "links.symfony = { user_id = 2 }\n",
        ['17:1: account.bob.links.symfony: there is no [services.symfony] (did you mean "symphony"?)'],
    ),
    "a name where the service account needs a number": (
        ELSE + 'links.teams.user = "fa8bf3dc-eca7-46b7-bad1-db199b62afc4"\nlinks.symphony.username = "bob"\n',
        [
            (
                "18:1: account.bob.links.symphony.username: "
                "the service account (bot) finds users by user_id only; username is for app"
            )
        ],
    ),
    "a stranger read by an app": (
        ELSE.replace('bot = "presence-bot"', 'app = "presence"')
        + 'links.teams.user = "fa8bf3dc-eca7-46b7-bad1-db199b62afc4"\n'
        + 'links.symphony = { user_id = 7, external = true, direction = "read" }\n',
        [
            (
                "18:33: account.bob.links.symphony.external: "
                "a user of another company is read by a service account (bot), not by app"
            )
        ],
    ),
    "a name of two lines": (
        GOOD + '[policy]\npriority = ["a\\nb"]\n',
        ["16:13: policy.priority.0: there is no [services.a\N{REPLACEMENT CHARACTER}b] (services: symphony, teams)"],
    ),
    "a link that is no table": (ELSE + "links.symphony = 2\n", ["17:1: account.bob.links.symphony: must be a table"]),
    "a link of another type": (
        ELSE + "links.teams = { user_id = 2 }\n",
        [
            "17:1: account.bob.links.teams.user: is missing (the user's object id in Entra)",
            (
                "17:17: account.bob.links.teams.user_id: unknown key "
                "(a key of type symphony and bems; this service is of type graph)"
            ),
        ],
    ),
    "an id that is none": (
        ELSE + 'links.teams = { user = "bob" }\n',
        [f"17:17: account.bob.links.teams.user: {GUID}"],
    ),
    "the same person twice": (
        ELSE + 'links.teams = { user = "FA8BF3DC-eca7-46b7-bad1-db199b62afc3" }\n',
        [
            (
                "17:17: account.bob.links.teams.user: is the same person as account alice at FILE:13:17 "
                "(one account per person)"
            )
        ],
    ),
    "two writers in one domain": (
        GOOD.replace("bot =", 'presence_domain = "teams"\nbot ='),
        [
            (
                '15:1: account.alice.links.symphony: writes to presence domain "teams" like links.teams, '
                'and no order is set (set policy.writer = ["teams", "symphony"], or direction = "read" in one of them)'
            )
        ],
    ),
    "nothing that is written": (
        ELSE + 'links.symphony = { user_id = 2, direction = "read" }\n',
        ['15:1: account.bob: no link is written (set direction = "both" or "write" in one of them)'],
    ),
    "a wrong key of an account's policy": (
        ELSE + 'links.symphony.user_id = 2\npolicy = { settle = "1s", idel = "away" }\n',
        ['18:27: account.bob.policy.idel: unknown key (did you mean "idle"?)'],
    ),
    "an account's priority without an order": (
        ELSE + 'links.symphony.user_id = 2\npolicy = { compose = "priority" }\n',
        ['18:12: account.bob.policy: compose = "priority" needs priority = ["SERVICE", ...], the most important first'],
    ),
    "everything at once, in the order of the lines": (
        ALICE + TEAMS.replace("contoso.com", "common") + "[daemon]\nx = 1\ny = 2\n[policy]\nnote = true\n",
        [
            "4:1: account.alice.links.symphony: there is no [services.symphony] (services: teams)",
            "7:1: services.teams.tenant: legal is the id or a domain of one tenant, not a shared sign-in address",
            "11:1: daemon.x: unknown key (legal: state, http_exposed, http, control, log)",
            "12:1: daemon.y: unknown key (legal: state, http_exposed, http, control, log)",
            '14:1: policy.note: must be "ignore" or "mirror"',
        ],
    ),
}
