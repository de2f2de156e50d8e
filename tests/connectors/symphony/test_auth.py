from __future__ import annotations

from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from presence_syncd.connectors.fields import Secret, SecretRef
from presence_syncd.connectors.flow import Flow, Reply, Request, Reveal
from presence_syncd.connectors.symphony.auth import act_as, load_key, log_in, session_token
from presence_syncd.errors import AuthRejected, RateLimited, Rejected, RemoteProtocolError, Unavailable
from tests.connectors.symphony.pod import keys, reply, service

PLACE = SecretRef(env="KEY")
LOGIN = "https://pod.example/login"


def key_as(form: PrivateFormat, encryption: Any = None) -> str:
    key = load_pem_private_key(keys()[0].encode(), None)
    return key.private_bytes(Encoding.PEM, form, encryption or NoEncryption()).decode()


def elliptic_key() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def signed_request(flow: Flow[Any]) -> Request:
    assert next(flow) == Reveal(PLACE)
    request = flow.send(Secret(keys()[0]))
    assert isinstance(request, Request)
    return request


def test_a_login_is_signed_with_rs512_and_claims_nothing_more() -> None:
    request = signed_request(log_in(f"{LOGIN}/pubkey/authenticate", "bot", PLACE, 1_800_000_000.9))
    token = reply({}).__class__(200, (), request.body or b"").json_object()["token"]
    assert jwt.get_unverified_header(token) == {"alg": "RS512", "typ": "JWT"}
    claims = jwt.decode(token, keys()[1], algorithms=["RS512"], options={"verify_exp": False})
    assert claims == {"sub": "bot", "exp": 1_800_000_240}
    assert request.realm is None


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_a_key_may_be_pkcs1_or_pkcs8(form: PrivateFormat) -> None:
    assert load_key(Secret(key_as(form)), PLACE).key_size == 2048


@pytest.mark.parametrize("wrong", ["public", "locked", "elliptic", "garbage", "empty"])
def test_an_unreadable_key_is_named_by_its_place_only(wrong: str) -> None:
    text = {
        "public": keys()[1],
        "locked": key_as(PrivateFormat.PKCS8, BestAvailableEncryption(b"x")),
        "elliptic": elliptic_key(),
        "garbage": "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----",
        "empty": "",
    }[wrong]
    with pytest.raises(AuthRejected, match="env KEY") as caught:
        load_key(Secret(text), PLACE)
    assert caught.value.retry_after is None
    assert "c2VjcmV0" not in str(caught.value)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_login_waits_a_minute_and_names_sub(status: int) -> None:
    flow = log_in(f"{LOGIN}/pubkey/authenticate", "bot", PLACE, 0.0)
    signed_request(flow)
    with pytest.raises(AuthRejected, match="sub 'bot'") as caught:
        flow.send(reply({"code": 401, "message": "secret"}, status))
    assert caught.value.retry_after == 60.0
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("status", "error"), [(429, RateLimited), (500, Unavailable), (404, Rejected)])
def test_other_trouble_at_the_login_is_not_about_the_credentials(status: int, error: type[Exception]) -> None:
    flow = log_in(f"{LOGIN}/pubkey/authenticate", "bot", PLACE, 0.0)
    signed_request(flow)
    with pytest.raises(error):
        flow.send(reply({}, status))


def test_the_answer_names_the_header() -> None:
    assert session_token(reply({"name": "X-Session", "token": "t"})).headers == (("X-Session", "t"),)
    assert session_token(reply({"token": "t"})).headers == (("sessionToken", "t"),)


@pytest.mark.parametrize(
    "data",
    [{}, {"name": "a", "token": 1}, {"name": 1, "token": "t"}, {"name": "a b", "token": "t"}, {"token": "t\r\nx: y"}],
)
def test_a_token_no_header_can_carry_is_refused(data: dict[str, object]) -> None:
    with pytest.raises(RemoteProtocolError):
        session_token(reply(data))


@pytest.mark.parametrize(
    ("realm", "path"),
    [("user 14568529068038", "user/14568529068038"), ("username a b/c@d.example", "username/a%20b%2Fc%40d.example")],
)
def test_acts_as_a_user_by_the_session_of_the_app(realm: str, path: str) -> None:
    flow = act_as(LOGIN, realm)
    request = next(flow)
    assert isinstance(request, Request)
    assert (request.method, request.url) == ("POST", f"{LOGIN}/pubkey/app/{path}/authenticate")
    assert (request.realm, request.body) == ("app", None)
    with pytest.raises(StopIteration) as end:
        flow.send(reply({"name": "sessionToken", "token": "t"}))
    assert end.value.value.headers == (("sessionToken", "t"),)


def test_a_user_without_the_app_is_refused_alone() -> None:
    flow = act_as(LOGIN, "user 1")
    next(flow)
    with pytest.raises(Rejected, match="installed") as caught:
        flow.send(Reply(403))
    assert caught.value.status == 403


@pytest.mark.parametrize(("realm", "path"), [("bot", "pubkey/authenticate"), ("app", "pubkey/app/authenticate")])
def test_each_realm_has_its_login(realm: str, path: str) -> None:
    request = signed_request(service().token(realm, None, 0.0))
    assert request.url == f"{LOGIN}/{path}"


def test_a_users_realm_goes_by_the_app() -> None:
    request = next(service().token("user 1", None, 0.0))
    assert isinstance(request, Request)
    assert request.realm == "app"
