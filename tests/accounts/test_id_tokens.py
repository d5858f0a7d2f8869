"""What counts as a verified address, at the providers that say it each in their own way."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from accounts.services import id_tokens
from accounts.services.id_tokens import ENTRA, GOOGLE, Expected, TokenRefused, keys_read, token_judge
from tests import provider as fake

NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
TENANT = "0b5f2e6c-1111-4222-8333-123456789abc"
MICROSOFT = f"https://login.microsoftonline.com/{TENANT}/v2.0"
COGNITO = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEfGhI"


def judged(issuer: str, **changed: Any) -> str:  # Any: JSON
    seconds = int(NOW.timestamp())
    claims = {
        "iss": issuer,
        "sub": "account-1",
        "aud": "latchkey",
        "exp": seconds + 300,
        "iat": seconds,
        "nonce": "n" * 32,
        "email": "Ben@North.example",
        **changed,
    }
    token = fake.signed({name: value for name, value in claims.items() if value is not ...})
    expected = Expected(
        issuer=issuer, client_id="latchkey", nonce="n" * 32, domains=["north.example"], moment=NOW
    )
    keys = keys_read({"keys": [fake.rsa_key().as_dict(private=False)]})
    return token_judge(token, keys, expected).email


def test_cognito_says_verified() -> None:
    assert judged(COGNITO, email_verified=True, token_use="id") == "ben@north.example"


@pytest.mark.parametrize("hd", ["north.example"])
def test_google_vouches_for_accounts_of_the_company(hd: str) -> None:
    assert judged(GOOGLE, email_verified=True, hd=hd) == "ben@north.example"


@pytest.mark.parametrize("hd", [..., None, "evil.example", "", True, ["north.example"]])
def test_google_does_not_vouch_for_private_accounts_with_a_company_address(hd: Any) -> None:
    with pytest.raises(TokenRefused, match="hd:"):
        judged(GOOGLE, email_verified=True, hd=hd)


@pytest.mark.parametrize("told", [True, 1, "1"])
def test_entra_vouches_by_the_owner_of_the_domain(told: Any) -> None:
    assert judged(MICROSOFT, tid=TENANT, xms_edov=told) == "ben@north.example"


@pytest.mark.parametrize("told", [..., None, False, 0, "0", "true", 1.0, 2, [True], {"1": 1}])
def test_entra_without_it_vouches_for_nobody(told: Any) -> None:
    with pytest.raises(TokenRefused, match="email_verified:"):
        judged(
            MICROSOFT,
            tid=TENANT,
            xms_edov=told,
            preferred_username="ben@north.example",
            upn="ben@north.example",
        )


@pytest.mark.parametrize("tid", [..., None, "9188040d-6c67-4c5b-b112-36a304b66dad"])
def test_entras_word_counts_for_its_own_tenant_alone(tid: Any) -> None:
    with pytest.raises(TokenRefused, match="email_verified:"):
        judged(MICROSOFT, tid=tid, xms_edov=True)


def test_what_is_said_to_be_not_verified_is_not() -> None:
    """Even where the other claim is there: the plainer word counts."""
    with pytest.raises(TokenRefused, match="email_verified:"):
        judged(MICROSOFT, tid=TENANT, xms_edov=True, email_verified=False)


@pytest.mark.parametrize(
    "issuer",
    [
        f"https://login.microsoftonline.com/{TENANT}/v2.0/",
        f"https://login.microsoftonline.com.evil.example/{TENANT}/v2.0",
        f"https://evil.example/https://login.microsoftonline.com/{TENANT}/v2.0",
        f"http://login.microsoftonline.com/{TENANT}/v2.0",
        "https://login.microsoftonline.com/common/v2.0",
        COGNITO,
    ],
)
def test_nobody_else_may_speak_as_entra(issuer: str) -> None:
    assert not ENTRA.fullmatch(issuer)
    with pytest.raises(TokenRefused, match="email_verified:"):
        judged(issuer, tid=TENANT, xms_edov=True)


@pytest.mark.parametrize("said", [{}, {"keys": None}, {"keys": {"kid": 1}}, {"keys": []}])
def test_sets_without_keys(said: dict[str, Any]) -> None:
    with pytest.raises(TokenRefused, match="keys"):
        keys_read(said)


def test_of_many_keys_the_first_are_looked_at() -> None:
    own = fake.rsa_key().as_dict(private=False)
    others = [{"kty": "oct", "k": "eA"}] * id_tokens.MOST_KEYS
    with pytest.raises(TokenRefused):
        keys_read({"keys": [*others, own]})
    assert len(keys_read({"keys": [*others[1:], own]})) == 1


def test_a_set_that_gives_its_private_keys_away_is_read_as_if_it_had_not() -> None:
    (key,) = keys_read({"keys": [fake.rsa_key().as_dict(private=True)]})
    assert not key.is_private


def test_a_key_so_large_that_checking_would_be_work() -> None:
    huge = {"kty": "RSA", "n": fake.plain_part(b"\xff" * 2049), "e": "AQAB"}
    with pytest.raises(TokenRefused):
        keys_read({"keys": [huge]})
