"""Signed messages: one moment, whole digests, the exact bytes, and not too long ago."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.kernel.signatures import WINDOW_SECONDS, BadSignature, Signature, digest, header

SECRET = b"whsec_test"
NOW = 1_800_000_000
BODY = b'{"id": "evt_1"}'


def check(line: str, *, body: bytes = BODY, secret: bytes = SECRET, now: int = NOW) -> None:
    Signature.parse(line).check(body=body, secret=secret, now=now)


def good(moment: int = NOW) -> str:
    return header(moment=moment, body=BODY, secret=SECRET)


def test_the_digest_is_the_one_that_shops_work_out() -> None:
    """As Stripe's papers describe it: HMAC-SHA256 over the moment, a full stop and the body."""
    right = hmac.new(SECRET, b"1800000000." + BODY, hashlib.sha256).hexdigest()
    assert digest(moment=NOW, body=BODY, secret=SECRET) == right
    check(f"t={NOW},v1={right}")
    check(f"t={NOW}, v1={right}, v0=abc, scheme=x")


@pytest.mark.parametrize("off", [-WINDOW_SECONDS, 0, WINDOW_SECONDS])
def test_a_message_counts_for_five_minutes(off: int) -> None:
    check(good(), now=NOW + off)


@pytest.mark.parametrize("off", [-WINDOW_SECONDS - 1, WINDOW_SECONDS + 1, 86_400])
def test_an_old_one_and_one_from_the_future_count_for_nothing(off: int) -> None:
    with pytest.raises(BadSignature):
        check(good(), now=NOW + off)


def test_one_of_several_digests_is_enough() -> None:
    """While a secret is being changed, a sender signs with both."""
    other = digest(moment=NOW, body=BODY, secret=b"old")
    check(f"t={NOW},v1={other},v1={digest(moment=NOW, body=BODY, secret=SECRET)}")


@pytest.mark.parametrize(
    "line",
    [
        "",
        "t",
        "t=,v1=",
        f"t={NOW}",
        f"v1={'0' * 64}",
        f"t={NOW},v1={'0' * 63}",
        f"t={NOW},v1={'0' * 65}",
        f"t={NOW},v1={'A' * 64}",
        f"t={NOW},v1={'0' * 64}",
        f"t=-1,v1={'0' * 64}",
        f"t=١٨٠٠٠٠٠٠٠٠,v1={'0' * 64}",
        f"t={NOW}.0,v1={'0' * 64}",
        f"t={'9' * 13},v1={'0' * 64}",
        f"t={NOW},t={NOW},v1={'0' * 64}",
        f"t={NOW}" + f",v1={'0' * 64}" * 9,
        f"t={NOW},v1={'0' * 64}," + "x" * 1000,
    ],
)
def test_what_is_no_signature_is_refused(line: str) -> None:
    with pytest.raises(BadSignature):
        check(line)


def test_another_secret_another_body_and_another_moment_are_refused() -> None:
    with pytest.raises(BadSignature):
        check(good(), secret=b"other")
    with pytest.raises(BadSignature):
        check(good(), body=BODY + b" ")
    with pytest.raises(BadSignature):
        check(good().replace(f"t={NOW}", f"t={NOW + 1}"))


@given(st.text(max_size=300))
def test_any_text_is_a_signature_or_refused(line: str) -> None:
    for tried in (line, f"t={NOW},{line}", f"t={NOW},v1={line}"):
        with pytest.raises(BadSignature):
            check(tried)


@given(
    body=st.binary(max_size=200), secret=st.binary(min_size=1, max_size=64), moment=st.integers(0, 10**12 - 1)
)
def test_what_we_sign_we_recognise(body: bytes, secret: bytes, moment: int) -> None:
    line = header(moment=moment, body=body, secret=secret)
    found = Signature.parse(line)
    assert found.moment == moment
    found.check(body=body, secret=secret, now=moment)
    with pytest.raises(BadSignature):
        found.check(body=body + b"x", secret=secret, now=moment)
