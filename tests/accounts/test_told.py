"""What is done to people's places and factors stands in the record of their practice; and their seeds under the newest key."""

from __future__ import annotations

from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core.management import call_command

from accounts.lifecycle import AccountEvent, ContactRole, FactorKind, MemberRole
from accounts.models import Membership, User
from accounts.services import totp
from accounts.services.factors import factor_prove, factor_remove, recovery_codes_renew, totp_enrol
from accounts.services.people import person_sign_out
from engagements.services.people import contact_change_role, contact_end, membership_change_role
from portal.kernel import clock, secrets, tenancy
from portal.kernel.errors import InvalidMove
from portal.kernel.models import AuditEvent
from tests.accounts.conftest import make_browser
from tests.factories import Firm, acting, make_consultant, make_contact
from tests.signing_in import let_in

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def last(scope: tenancy.Scope) -> tuple[str, str]:
    """Kind and actor of the newest event."""
    with tenancy.use(scope):
        event = AuditEvent.objects.order_by("-seq")[0]
    return event.kind, event.actor


def code(*, ahead: int = 0) -> str:
    return totp.code_of(SECRET, totp.step_at(clock.now()) + ahead)


def factor_of(user: User) -> Authenticator:
    with tenancy.use(tenancy.user_scope(user.pk)):
        return Authenticator.objects.get(type=FactorKind.TOTP)


def test_a_changed_role_of_a_consultant_is_told(firm: Firm) -> None:
    user = User.objects.create_user(f"ben@{firm.practice.code}.example", name="Ben", is_staff=True)
    with tenancy.use(firm.practice_side):
        place = Membership.objects.create(practice=firm.practice, user=user, role=MemberRole.CONSULTANT)
        membership_change_role(membership=place, role=MemberRole.AUDITOR, actor=acting(firm.owner))
    assert last(firm.practice_side) == (AccountEvent.MEMBERSHIP_CHANGED, f"user:{firm.owner.pk}")


def test_a_changed_role_and_the_leaving_of_a_contact_are_told_to_both_sides(firm: Firm) -> None:
    contact = make_contact(firm, "lee", ContactRole.VIEWER)

    def change() -> None:
        contact_change_role(contact=contact, role=ContactRole.AWS_ADMIN, actor=acting(firm.owner))

    def end() -> None:
        contact_end(contact=contact, actor=acting(firm.owner))

    for act, kind in ((change, AccountEvent.CONTACT_CHANGED), (end, AccountEvent.CONTACT_ENDED)):
        with tenancy.use(firm.practice_side):
            act()
        for scope in (firm.practice_side, firm.client_side):
            assert last(scope) == (kind, f"user:{firm.owner.pk}")


def test_signing_somebody_out_everywhere_is_told_and_ends_every_session(firm: Firm) -> None:
    ben = make_consultant(firm, "ben")
    with tenancy.use(firm.practice_side):
        place = Membership.objects.select_related("user").get(user=ben)
    for seat in (place, firm.contact):
        browsers = [let_in(make_browser(), seat.user) for _ in range(2)]
        assert [one.get("/welcome/").status_code for one in browsers] == [200, 200]
        with tenancy.use(firm.practice_side):
            person_sign_out(seat=seat, actor=acting(firm.owner))
        assert [one.get("/welcome/").status_code for one in browsers] == [302, 302]
        assert last(firm.practice_side) == (AccountEvent.SIGNED_OUT, f"user:{firm.owner.pk}")
        assert let_in(make_browser(), User.objects.get(pk=seat.user_id)).get("/welcome/").status_code == 200
    assert last(firm.client_side) == (AccountEvent.SIGNED_OUT, f"user:{firm.owner.pk}")
    with tenancy.use(firm.practice_side):
        Membership.objects.filter(user=ben).update(ended_at=clock.now())
        with pytest.raises(InvalidMove):
            person_sign_out(seat=place, actor=acting(firm.owner))


def test_new_recovery_codes_and_a_factor_taken_away_are_told_where_the_person_sits(firm: Firm) -> None:
    totp_enrol(user=firm.approver, secret=SECRET, code=code())
    recovery_codes_renew(user=firm.approver)
    assert last(firm.client_side) == (AccountEvent.RECOVERY_CODES_MADE, f"user:{firm.approver.pk}")
    factor_remove(user=firm.approver, factor_id=factor_of(firm.approver).pk)
    assert last(firm.practice_side) == (AccountEvent.FACTOR_REMOVED, f"user:{firm.approver.pk}")


def test_seeds_are_sealed_anew_and_open_when_the_old_key_is_gone(
    firm: Firm, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    for user in (firm.owner, firm.approver):
        totp_enrol(user=user, secret=SECRET, code=code(ahead=-1))
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "a-newer-key-" * 5, [settings.SECRET_KEY]
    call_command("rotate_secrets")
    assert (
        "totp: 2 sealed anew, 0 under the newest key already, 0 that no key opens" in capsys.readouterr().out
    )
    settings.SECRET_KEY_FALLBACKS = []
    for user in (firm.owner, firm.approver):
        assert totp.opened(factor_of(user).data, user_id=user.pk) == SECRET
        assert factor_prove(user=user, code=code()) is FactorKind.TOTP


def test_a_code_used_while_seeds_are_sealed_anew_loses_nothing(firm: Firm, settings: Any) -> None:
    totp_enrol(user=firm.owner, secret=SECRET, code=code(ahead=-1))
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "a-newer-key-" * 5, [settings.SECRET_KEY]
    keeper = secrets.KEEPERS[totp.PURPOSE]
    with tenancy.use(tenancy.user_scope(firm.owner.pk)):
        (thing,) = keeper.things()
    factor_prove(user=firm.owner, code=code())
    step = factor_of(firm.owner).data["last_step"]
    with tenancy.use(tenancy.user_scope(firm.owner.pk)):
        assert not keeper.swap(thing, b"anew")  # it would have forgotten that the code was used
    call_command("rotate_secrets")
    data = factor_of(firm.owner).data
    assert data["last_step"] == step
    assert totp.opened(data, user_id=firm.owner.pk) == SECRET
