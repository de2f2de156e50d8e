"""Cases A1-A10 of the sheet: finding the pool, and never telling a secret to anybody else."""

from __future__ import annotations

import anyio
import pytest

from presence_syncd.connectors.emulation import Answer
from presence_syncd.connectors.fields import Secret
from presence_syncd.connectors.flow import Reply, Request, Reveal
from presence_syncd.connectors.ucwa.protocol.auth import choose_grants, lifetime
from presence_syncd.connectors.ucwa.protocol.challenge import challenge_of
from presence_syncd.connectors.ucwa.protocol.door import Door
from presence_syncd.connectors.ucwa.protocol.trust import Trust, Untrusted, origin_of
from presence_syncd.connectors.ucwa.settings import Grant, Settings, UcwaLinkSettings
from presence_syncd.errors import AuthRejected, Rejected
from tests.connectors.ucwa.bench import JSON, PASSWORD, SIP, Bench, bench, started
from tests.connectors.ucwa.network import Fixed, links

INTERNAL, EXTERNAL = "lyncdiscoverinternal.contoso.com", "lyncdiscover.contoso.com"


def reached(b: Bench) -> set[str]:
    return {host for host, _ in b.net.connects}


async def test_a01_falls_back_to_the_outside_and_never_asks_without_encryption() -> None:
    async with bench() as b:
        del b.net.hosts[INTERNAL]
        b.start()
        await anyio.sleep(30)
        assert [host for host, _ in b.net.connects][:2] == [INTERNAL, EXTERNAL]
        assert {port for _, port in b.net.connects} == {443}
        assert b.last == "Online"


async def test_a02_a_move_to_another_domain_is_a_failed_probe() -> None:
    async with bench() as b:
        b.net.hosts[INTERNAL] = Fixed(302, location="https://evil.example/")
        b.net.hosts["evil.example"] = links(user="https://evil.example/user")
        b.start()
        await anyio.sleep(30)
        assert "evil.example" not in reached(b)
        assert b.last == "Online"


async def test_a_move_within_the_domain_is_followed_once() -> None:
    async with bench() as b:
        b.net.hosts[INTERNAL] = Fixed(302, location=f"https://{EXTERNAL}/")
        b.start()
        await anyio.sleep(30)
        assert b.last == "Online"


@pytest.mark.parametrize("body", ["<html>welcome</html>", "{}", '{"_links":{}}'])
async def test_what_is_no_discovery_service_is_a_failed_probe(body: str) -> None:
    async with bench() as b:
        b.net.hosts[INTERNAL] = Fixed(200, body, content_type="application/json" if body[0] == "{" else "text/html")
        b.start()
        await anyio.sleep(30)
        assert b.last == "Online"


async def test_a03_a_redirect_loop_is_detected_and_no_credential_is_sent() -> None:
    async with bench() as b:
        b.net.hosts[INTERNAL] = links(redirect=f"https://{EXTERNAL}/root")
        b.net.hosts[EXTERNAL] = links(redirect=f"https://{INTERNAL}/")
        b.start()
        await anyio.sleep(600)
        assert isinstance(b.parked, Untrusted)
        assert b.state == "parked"
        assert len(b.net.connects) <= 4
        assert b.emulator.sign_ins == []


async def test_a_long_chain_of_redirects_is_given_up() -> None:
    async with bench() as b:
        for n in range(9):
            b.net.hosts[f"r{n}.contoso.com"] = links(redirect=f"https://r{n + 1}.contoso.com/")
        b.net.hosts[INTERNAL] = links(redirect="https://r0.contoso.com/")
        b.start()
        await anyio.sleep(60)
        assert isinstance(b.parked, Untrusted)
        assert "r5.contoso.com" not in reached(b)


@pytest.mark.parametrize("href", ["http://evil.example/root", "https://evil.example/root"])
async def test_a04_a_redirect_to_a_stranger_is_refused(href: str) -> None:
    async with bench() as b:
        b.net.hosts[INTERNAL] = links(redirect=href)
        b.net.hosts["evil.example"] = links(user="https://evil.example/user")
        b.start()
        await anyio.sleep(60)
        assert "evil.example" not in reached(b)
        assert isinstance(b.parked, Untrusted)


async def test_a04_a_redirect_to_a_host_the_operator_named_is_followed() -> None:
    async with bench(service={"trusted_hosts": ["partner.example"]}) as b:
        b.net.hosts[INTERNAL] = links(redirect="https://web.partner.example/root")
        b.net.hosts["web.partner.example"] = links(
            user="https://pool-a.contoso.com/Autodiscover/AutodiscoverService.svc/root/oauth/user"
        )
        b.start()
        await anyio.sleep(30)
        assert b.last == "Online"


EVIL = [
    "https://contoso.com.evil.net/x",
    "https://evilcontoso.com/x",
    "https://lyncweb.contoso.com@evil.example/x",
    "https://lyncweb.contoso.com\\@evil.example/x",
    "https://203.0.113.9/x",
    "javascript://pool-a.contoso.com/x",
    "https://pool-a.contoso.com:0/x",
]


@pytest.mark.parametrize("href", EVIL)
@pytest.mark.parametrize("rel", ["redirect", "user"])
async def test_a05_a_link_that_only_looks_like_ours_is_refused(rel: str, href: str) -> None:
    async with bench() as b:
        b.net.hosts[INTERNAL] = links(**{rel: href})
        b.start()
        await anyio.sleep(60)
        assert reached(b) == {INTERNAL}
        assert isinstance(b.parked, Untrusted)
        assert all("evil" not in str(error) or "trusted" in str(error) for error in b.errors)


@pytest.mark.parametrize("href", EVIL)
async def test_a05_applications_elsewhere_get_no_token(href: str) -> None:
    async with bench() as b:
        b.emulator.faults.add(JSON({"_links": {"applications": {"href": href}}}, path="/user"))
        b.start()
        await anyio.sleep(60)
        assert reached(b) <= {INTERNAL, "pool-a.contoso.com"}
        assert isinstance(b.parked, Untrusted)


@pytest.mark.parametrize("href", EVIL)
async def test_a05_events_elsewhere_get_no_token(href: str) -> None:
    async with started() as b:
        page = {"_links": {"next": {"href": href}}}
        b.emulator.faults.add(JSON(page, path="/events"))
        b.emulator.client(SIP, "Busy")
        await anyio.sleep(200)
        assert reached(b) <= {INTERNAL, "pool-a.contoso.com"}
        assert isinstance(b.parked, Untrusted)


def test_a_host_is_ours_at_a_label_boundary_in_any_spelling() -> None:
    trust = Trust("contoso.com", ("bücher.example", "10.0.0.7"))
    assert trust.is_trusted("contoso.com")
    assert trust.is_trusted("lyncweb.contoso.com")
    assert trust.is_trusted("xn--bcher-kva.example")
    assert trust.is_trusted("10.0.0.7")
    assert not trust.is_trusted("1.10.0.0.7")
    assert not trust.is_trusted("evilcontoso.com")
    assert trust.follow("https://a.contoso.com/", "https://B.CONTOSO.com./x", "link") == "https://B.CONTOSO.com./x"
    assert trust.follow("https://other.example/a", "/b", "link") == "https://other.example/b"
    assert origin_of("https://A.Contoso.com./x") == "https://a.contoso.com:443"
    assert origin_of("http://[::1]:8080/x") == "http://[::1]:8080"
    for bad in ("https://[::1/x", "https://a b.contoso.com/", f"https://{'x' * 64}.contoso.com/"):
        with pytest.raises(Untrusted):
            trust.follow("https://a.contoso.com/", bad, "link")


async def test_a06_a_password_is_not_sent_to_a_token_service_on_a_foreign_host() -> None:
    async with bench() as b:
        challenge = 'MsRtcOAuth href="https://sts.evil.example/token",grant_type="password"'
        b.net.hosts["sts.evil.example"] = Fixed(200, '{"access_token":"x"}', content_type="application/json")
        b.emulator.faults.add(Answer(401, {"www-authenticate": challenge}, times=0))
        b.net.hosts[INTERNAL] = links(user="https://pool-a.contoso.com/user")
        b.start()
        await anyio.sleep(60)
        assert reached(b) == {INTERNAL, "pool-a.contoso.com"}
        assert b.state == "parked"
        assert "untrusted token endpoint" in b.states[-1][1]


HREF, GRANTS = 'href="https://t.contoso.com/o"', 'grant_type="urn:microsoft.rtc:windows,password"'
BEARER = 'Bearer trusted_issuers="0@contoso.com", client_id="4"'
TRAPS = {
    "two fields": [BEARER, f"MsRtcOAuth {HREF},{GRANTS}"],
    "merged": [f"{BEARER}, MsRtcOAuth {HREF},{GRANTS}"],
    "swapped": [f"MsRtcOAuth {GRANTS},{HREF}, {BEARER}"],
    "unquoted": [f"MsRtcOAuth href=https://t.contoso.com/o,{GRANTS}"],
    "spaces and case": [f"MSRTCOAUTH  {HREF.replace('=', ' = ')} , {GRANTS.replace('=', ' = ')}"],
    "authorization_uri": ['Bearer authorization_uri="https://login.example/common"', f"MsRtcOAuth {HREF},{GRANTS}"],
    "bare schemes": ["Negotiate, NTLM", f"MsRtcOAuth {HREF},{GRANTS}"],
    "escapes": [f'Digest realm="a \\" MsRtcOAuth href=x", MsRtcOAuth {HREF},{GRANTS}'],
}


@pytest.mark.parametrize("fields", TRAPS.values(), ids=TRAPS.keys())
def test_a07_every_way_to_write_the_challenge_is_read(fields: list[str]) -> None:
    found = challenge_of(Reply(401, tuple(("WWW-Authenticate", field) for field in fields)))
    assert found is not None
    assert found.href == "https://t.contoso.com/o"
    assert found.grants == {"urn:microsoft.rtc:windows", "password"}
    assert choose_grants(found, (Grant.PASSWORD, Grant.WINDOWS)) == [Grant.PASSWORD, Grant.WINDOWS]


def test_a07_without_its_own_scheme_there_is_no_challenge() -> None:
    assert challenge_of(Reply(401, (("www-authenticate", 'Bearer client_id="4"'),))) is None
    assert challenge_of(Reply(401)) is None


async def test_a07_grants_that_are_not_offered_park_the_link_without_a_password_sent() -> None:
    async with bench() as b:
        b.emulator.grants = "urn:microsoft.rtc:passive"
        b.start()
        await anyio.sleep(600)
        assert isinstance(b.parked, AuthRejected)
        assert b.emulator.sign_ins == []


def test_a07_the_windows_grant_is_used_where_the_password_is_not_offered() -> None:
    settings = Settings()
    door = Door("alice", settings, UcwaLinkSettings(sip=SIP, password={"env": "P"}), {})
    realm = door.realm_of("https://pool-a.contoso.com/user")
    assert realm == "alice https://pool-a.contoso.com:443"
    challenge = ("WWW-Authenticate", 'MsRtcOAuth href="/t",grant_type="urn:microsoft.rtc:windows"')
    flow = door.token(realm, Reply(401, (challenge,)))
    assert isinstance(next(flow), Reveal)
    request = flow.send(Secret(PASSWORD))
    assert isinstance(request, Request)
    assert request.url == "https://pool-a.contoso.com/t"
    assert request.windows == ("alice@contoso.com", PASSWORD)
    assert request.body == b"grant_type=urn%3Amicrosoft.rtc%3Awindows"
    assert PASSWORD not in repr(request)
    with pytest.raises(AuthRejected, match="Windows") as refused:
        flow.send(Reply(401))
    assert refused.value.retry_after is None


async def test_a08_refused_credentials_are_tried_exactly_once() -> None:
    async with bench() as b:
        b.password = "wrong"
        b.start()
        await anyio.sleep(3600)
        assert isinstance(b.parked, AuthRejected)
        assert b.parked.retry_after is None
        for flow in (b.link.watch, b.link.read, b.link.watch):
            with pytest.raises(AuthRejected):
                await b.run(flow())
        assert len(b.emulator.sign_ins) == 1
        b.password = PASSWORD
        b.driver.tokens.reopen()
        assert (await b.run(b.link.read())).raw == "Online"


async def test_a09_no_pool_sees_the_token_of_another() -> None:
    async with bench() as b:
        b.emulator.people[SIP].pool = "pool-b"
        b.start()
        await anyio.sleep(30)
        assert b.last == "Online"
        tokens = {
            host: {s.token for s in b.recorder.seen if s.host.startswith(host) and s.token}
            for host in ("pool-a", "pool-b")
        }
        assert len(tokens["pool-a"]) == len(tokens["pool-b"]) == 1
        assert tokens["pool-a"] != tokens["pool-b"]
        assert [pool for _, pool in b.emulator.sign_ins] == ["pool-a", "pool-b"]


async def test_a09_the_same_over_a_redirect() -> None:
    async with bench(redirects=True) as b:
        b.emulator.people[SIP].pool = "pool-b"
        b.start()
        await anyio.sleep(30)
        assert b.last == "Online"
        assert [pool for _, pool in b.emulator.sign_ins] == ["pool-a", "pool-b"]


async def test_a09_a_web_ticket_called_invalid_is_replaced_once() -> None:
    async with started() as b:
        invalid = {"x-ms-diagnostics": '28032;source="x";reason="The web ticket is invalid."'}
        b.emulator.faults.add(Answer(500, invalid, path="me/presence"))
        await b.publish("Busy")
        assert b.emulator.shown(SIP) == "Busy"
        assert len(b.emulator.sign_ins) == 2


async def test_a10_a_fresh_token_that_is_refused_too_ends_it() -> None:
    async with bench() as b:
        challenge = 'MsRtcOAuth href="/WebTicket/oauthtoken",grant_type="password"'
        b.emulator.faults.add(Answer(401, {"www-authenticate": challenge}, times=0, path="applications$"))
        b.start()
        await anyio.sleep(50)
        assert isinstance(b.parked, AuthRejected)
        assert len(b.emulator.sign_ins) == 2


async def test_a_grant_that_is_switched_off_gives_way_to_the_next_once() -> None:
    async with bench() as b:
        off = Answer(
            400, {"content-type": "application/json"}, '{"error":"unsupported_grant_type"}', path="oauthtoken", times=0
        )
        b.emulator.faults.add(off)
        b.start()
        await anyio.sleep(50)
        assert isinstance(b.parked, AuthRejected)
        assert b.emulator.faults.count("POST", "oauthtoken") == 2


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ('{"error":"invalid_grant","ms_rtc_passiveauthuri":"https://x/PassiveAuth.aspx"}', AuthRejected),
        ('{"error":"invalid_request"}', Rejected),
    ],
)
async def test_other_refusals_of_the_token_service_park(error: str, kind: type[Exception]) -> None:
    async with bench() as b:
        b.emulator.faults.add(Answer(400, {"content-type": "application/json"}, error, path="oauthtoken", times=0))
        b.start()
        await anyio.sleep(600)
        assert isinstance(b.parked, kind)
        assert b.emulator.faults.count("POST", "oauthtoken") == 1


async def test_trouble_of_the_token_service_is_waited_out() -> None:
    async with bench() as b:
        b.emulator.faults.add(
            Answer(400, {"content-type": "application/json"}, '{"error":"server_error"}', path="oauthtoken"),
            Answer(503, path="oauthtoken"),
            Answer(200, {"content-type": "application/json"}, '{"access_token":"two\\nlines"}', path="oauthtoken"),
        )
        b.start()
        await anyio.sleep(120)
        assert b.last == "Online"
        assert b.parked is None


def test_a_token_is_renewed_before_it_ends_but_not_in_its_first_half() -> None:
    assert lifetime(28289) == (28289.0, 28289 - 28289 * 0.05)
    assert lifetime("3600") == (3600.0, 3300.0)
    assert lifetime(120) == (120.0, 60.0)
    assert lifetime(None) == lifetime("soon") == lifetime(-1) == lifetime("nan") == (None, None)


async def test_nothing_secret_is_in_states_errors_or_urls() -> None:
    async with bench() as b:
        b.start()
        await anyio.sleep(600)
        told = repr((b.states, b.errors, b.memory, b.link.__dict__, b.link.membership.door.__dict__))
        assert PASSWORD not in told
        assert "cwt=" not in told
        assert all("alice" not in detail and "applications/1" not in detail for _, detail in b.states)
