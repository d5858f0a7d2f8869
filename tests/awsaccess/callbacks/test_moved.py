"""A stack in another account than the agreed one: refused until there is a consent to that account, and taken then."""

from __future__ import annotations

import json
from uuid import uuid4

from awsaccess.selectors import LiveCard, live_card
from engagements.lifecycle import EngagementStatus
from portal.kernel import tenancy
from tests.awsaccess.callbacks import scene
from tests.awsaccess.callbacks.scene import Spy
from tests.awsaccess.services.cast import Case, watch
from tests.awsaccess.services.test_elsewhere import accounts_asked, agree, confirm, deploy_there
from tests.awsaccess.services.worlds import InMemory
from tests.engagements.test_wishes import OTHER, wish
from tests.factories import ACCOUNT_ID, Firm


def card_of(case: Case) -> LiveCard:
    with tenancy.use(case.firm.client_side):
        return live_card(case.fresh())


def test_a_stack_there_is_refused_before_the_consent_and_taken_after_it(
    north: Firm, memory: InMemory, spy: Spy
) -> None:
    case = scene.expected(north)
    theirs = case.grant().role_arn.replace(ACCOUNT_ID, OTHER)

    token = scene.token_of(case)
    told_again(case, memory, theirs, token=token)
    assert card_of(case).other_account == OTHER
    wish(north, case.engagement)
    assert card_of(case).wished_account == OTHER
    offer = confirm(case)
    assert (card_of(case).wished_account, card_of(case).asked_account) == ("", OTHER)
    assert json.loads(offer.template)["Resources"][scene.LOGICAL]["Properties"]["Token"] == token
    agree(case, offer)
    between = card_of(case)
    assert (between.other_account, between.refusal, between.asked_account) == ("", "", "")
    watch(case)
    after = card_of(case)
    assert (after.other_account, after.refusal) == ("", "")
    deploy_there(case, memory)
    told_again(case, memory, theirs, token=token)
    assert case.fresh().status == EngagementStatus.ACTIVE
    assert [answer.succeeded for _, answer in spy.sent] == [False, True]


def told_again(case: Case, memory: InMemory, role_arn: str, *, token: str) -> None:
    request = scene.request(token, role_arn, StackId=scene.stack_id(OTHER), RequestId=str(uuid4()))
    scene.tell(memory, case, scene.envelope(request))
    scene.answer(case)


def test_a_stack_that_reports_while_the_consent_is_on_its_way_waits(
    north: Firm, memory: InMemory, spy: Spy
) -> None:
    case = scene.expected(north)
    theirs, token = case.grant().role_arn.replace(ACCOUNT_ID, OTHER), scene.token_of(case)
    wish(north, case.engagement)
    agree(case, confirm(case))
    told_again(case, memory, theirs, token=token)
    assert spy.sent == []
    assert accounts_asked(memory) == set()
