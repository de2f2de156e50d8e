"""Tokens: what is sent, what is believed, and that no secret comes out."""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
from typing import Any
from urllib.parse import parse_qs

import httpx
import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from presence_syncd.connectors.connector import Token
from presence_syncd.connectors.emulation import EmulatedClock
from presence_syncd.connectors.flow import Reply
from presence_syncd.connectors.graph import auth
from presence_syncd.connectors.graph.emulator import CLIENT_ID, GraphEmulator
from presence_syncd.errors import AuthRejected, RateLimited, RemoteProtocolError, Unavailable
from tests.connectors.driver import Driver
from tests.connectors.graph.bench import ROOT, USER, answer, hand, link_of, settings

WALL = 1_800_000_000.5
PEM, PKCS8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
PLAIN = serialization.NoEncryption()


@pytest.fixture(scope="module")
def pair() -> tuple[str, str]:
    """A certificate and its key, as PEM."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "presence-syncd")])
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=3650))
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(PEM).decode(), key.private_bytes(PEM, PKCS8, PLAIN).decode()


def form_of(driven: Any) -> dict[str, str]:
    return {key: values[0] for key, values in parse_qs(driven.requests[0].body.decode()).items()}


def granted(**more: Any) -> Reply:
    return answer(200, {"token_type": "Bearer", "access_token": "abc", "expires_in": 3599, **more})


def test_asks_with_the_secret_and_says_it_understands_challenges() -> None:
    driven = hand(auth.token(settings(), None, WALL), granted())
    request, form = driven.requests[0], form_of(driven)
    assert (request.method, request.url) == ("POST", f"{ROOT}/contoso.onmicrosoft.com/oauth2/v2.0/token")
    assert request.realm is None
    assert form["client_secret"] == "s3cret"
    assert form["grant_type"] == "client_credentials"
    assert form["scope"] == "https://graph.microsoft.com/.default"
    assert json.loads(form["claims"]) == {"access_token": {"xms_cc": {"values": ["cp1"]}}}
    assert driven.value == Token((("authorization", "Bearer abc"),), 3599.0, 3299.0)
    assert "s3cret" not in repr(driven.steps)
    assert "abc" not in repr(driven.value)


def test_asks_with_another_issuers_token() -> None:
    wanted = settings(client_secret=None, federated_token={"file": "/run/token"})
    form = form_of(hand(auth.token(wanted, None, WALL), granted()))
    assert form["client_assertion"] == "s3cret"
    assert form["client_assertion_type"].endswith(":jwt-bearer")
    assert "client_secret" not in form


def test_signs_a_new_assertion_each_time(pair: tuple[str, str]) -> None:
    url = f"{ROOT}/t/oauth2/v2.0/token"
    first, second = (auth.assertion(*pair, CLIENT_ID, url, WALL) for _ in range(2))
    certificate = x509.load_pem_x509_certificate(pair[0].encode())
    header = jwt.get_unverified_header(first)
    digest = hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).digest()
    assert header["alg"] == "PS256"
    assert header["x5t#S256"] == base64.urlsafe_b64encode(digest).decode().rstrip("=")
    claims = [jwt.decode(text, options={"verify_signature": False}) for text in (first, second)]
    assert claims[0]["aud"] == url
    assert claims[0]["iss"] == claims[0]["sub"] == CLIENT_ID
    assert claims[0]["nbf"] == claims[0]["iat"] == int(WALL)
    assert 300 <= claims[0]["exp"] - claims[0]["nbf"] <= 600
    assert claims[0]["jti"] != claims[1]["jti"]


def test_refuses_keys_it_cannot_sign_with_and_quotes_nothing(pair: tuple[str, str]) -> None:
    wrong = ec.generate_private_key(ec.SECP256R1()).private_bytes(PEM, PKCS8, PLAIN).decode()
    for certificate, key in ((pair[0], "SECRETKEY"), ("SECRETCERT", pair[1]), (pair[0], wrong)):
        with pytest.raises(AuthRejected, match="legal is PEM") as refused:
            auth.assertion(certificate, key, CLIENT_ID, ROOT, WALL)
        assert "SECRET" not in str(refused.value)
        assert refused.value.__cause__ is None


async def test_the_certificate_signs_in_to_the_emulated_tenant(pair: tuple[str, str]) -> None:
    emulator = GraphEmulator(EmulatedClock())
    emulator.add_user(USER)
    emulator.login.certificate = pair[0]
    ways = {"certificate": {"credential": "cert"}, "private_key": {"credential": "key"}}
    link = link_of(client_secret=None, certificate=ways)
    pems = {"credential cert": pair[0], "credential key": pair[1]}
    driver = Driver(emulator.app, link, clock=emulator.clock, secrets=pems)
    await driver.run(link.read())
    emulator.login.revoke()
    await driver.run(link.read())
    assert emulator.faults.count("POST", "token") == 2


async def test_the_emulated_tenant_takes_an_assertion_once_and_for_its_own_time_and_app(pair: tuple[str, str]) -> None:
    emulator = GraphEmulator(EmulatedClock())
    emulator.login.certificate = pair[0]
    url = f"{ROOT}/contoso.onmicrosoft.com/oauth2/v2.0/token"
    http = httpx.AsyncClient(transport=httpx.ASGITransport(emulator.app))

    async def status(text: str) -> int:
        form = {"client_id": CLIENT_ID, "scope": "x/.default", "grant_type": "client_credentials"}
        kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        sent = {**form, "client_assertion": text, "client_assertion_type": kind}
        return (await http.post(url, data=sent)).status_code

    now = emulator.clock.now()
    good = auth.assertion(*pair, CLIENT_ID, url, now)
    assert [await status(good), await status(good)] == [200, 401]
    assert await status(auth.assertion(*pair, USER, url, now)) == 401
    assert await status(auth.assertion(*pair, CLIENT_ID, "https://elsewhere", now)) == 401
    assert await status(auth.assertion(*pair, CLIENT_ID, url, now - 700)) == 401


@pytest.mark.parametrize(
    ("more", "expires", "renewal"),
    [
        ({"expires_in": "3600"}, 3600.0, 3300.0),
        ({"expires_in": 86000, "refresh_in": 43000}, 86000.0, 43000.0),
        ({"expires_in": 400}, 400.0, 200.0),
        ({"expires_in": 3600, "refresh_in": 9999}, 3600.0, 3300.0),
        ({"expires_in": None}, None, None),
        ({"expires_in": "soon", "refresh_in": 60}, None, 60.0),
        ({"expires_in": -1}, None, None),
    ],
)
def test_renews_when_told_or_five_minutes_before_the_end(
    more: dict[str, Any], expires: float | None, renewal: float | None
) -> None:
    value = hand(auth.token(settings(), None, WALL), granted(**more)).value
    assert (value.expires_in, value.refresh_in) == (expires, renewal)


@pytest.mark.parametrize("text", ["", None, "two words", "line\r\nx-evil: 1", "ü"])
def test_a_token_that_is_no_header_text_is_refused(text: object) -> None:
    assert isinstance(hand(auth.token(settings(), None, WALL), granted(access_token=text)).error, RemoteProtocolError)


def denied(**body: Any) -> Any:
    return {"error_description": "AADSTS7000222: the secret hunter2 is expired", **body}


@pytest.mark.parametrize(
    ("reply", "kind", "text", "probe"),
    [
        (answer(401, denied(error="invalid_client", error_codes=[7000222])), AuthRejected, "AADSTS7000222", None),
        (answer(400, denied(error="unauthorized_client", error_codes=[700016])), AuthRejected, "unauthorized", 900.0),
        (answer(400, denied(error="<b>hunter2</b>", error_codes="x")), AuthRejected, "no error code", 900.0),
        (answer(403, "<html>"), AuthRejected, "HTTP 403", 900.0),
        (answer(400, {"error": "temporarily_unavailable"}), Unavailable, "temporarily", None),
        (answer(503, "", ("Retry-After", "7")), Unavailable, "HTTP 503", 7.0),
        (answer(429, "", ("Retry-After", "9")), RateLimited, "HTTP 429", 9.0),
        (answer(302), RemoteProtocolError, "HTTP 302", None),
        (answer(200, "<html>"), RemoteProtocolError, "not JSON", None),
    ],
)
def test_says_why_it_was_refused_without_the_service_s_words(
    reply: Reply, kind: type[Exception], text: str, probe: float | None
) -> None:
    error = hand(auth.token(settings(), None, WALL), reply).error
    assert type(error) is kind
    assert text in str(error)
    assert error.retry_after == probe
    assert "hunter2" not in str(error)


def challenge(claims: str) -> Reply:
    plain = ("WWW-Authenticate", 'Bearer realm="", authorization_uri="https://x", claims="bm8="')
    return answer(401, "", plain, ("www-authenticate", f'Bearer {claims}, realm="", error="insufficient_claims"'))


CLAIMS = {"access_token": {"nbf": {"essential": True, "value": "?>?>?"}}, "id_token": {"x": None, "y": "~~~"}}
PADDED = base64.b64encode(json.dumps(CLAIMS).encode()).decode()
assert PADDED.endswith("="), "the padding must matter"
assert {"+", "/"} & set(PADDED), "the alphabet must matter"
URL_SAFE = base64.urlsafe_b64encode(json.dumps(CLAIMS).encode()).decode()


@pytest.mark.parametrize(
    "text",
    [
        f'claims="{PADDED}"',
        f'claims="{PADDED.rstrip("=")}"',
        f"CLAIMS={URL_SAFE.rstrip('=')}",
        f'claims = "{URL_SAFE}"',
    ],
)
def test_asks_for_the_claims_of_a_challenge_however_they_are_written(text: str) -> None:
    form = form_of(hand(auth.token(settings(), challenge(text), WALL), granted()))
    asked = json.loads(form["claims"])
    assert asked["access_token"] == {**CLAIMS["access_token"], "xms_cc": {"values": ["cp1"]}}  # type: ignore[dict-item]
    assert asked["id_token"] == CLAIMS["id_token"]


@pytest.mark.parametrize("text", ['claims="%%%"', 'claims="bm8="', 'claims="WzFd"', 'claims=""', 'note="x"'])
def test_an_unreadable_challenge_asks_for_a_plain_token(text: str) -> None:
    form = form_of(hand(auth.token(settings(), challenge(text), WALL), granted()))
    assert json.loads(form["claims"]) == {"access_token": {"xms_cc": {"values": ["cp1"]}}}


def test_claims_that_are_no_object_are_replaced() -> None:
    assert auth.merged({"access_token": 7}) == {"access_token": {"xms_cc": {"values": ["cp1"]}}}


def test_a_refusal_is_a_401_or_a_challenge() -> None:
    service = link_of().service
    assert service.is_refusal(answer(401))
    assert service.is_refusal(answer(403, "", ("WWW-Authenticate", 'Bearer error="insufficient_claims"')))
    assert not service.is_refusal(answer(403))
    assert not service.is_refusal(answer(200, "", ("WWW-Authenticate", 'error="insufficient_claims"')))
