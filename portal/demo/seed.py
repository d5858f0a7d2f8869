"""The demo's world: the people and firms of the mocks, made through the services that real people use."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Final

from accounts.lifecycle import ContactRole, MemberRole
from accounts.models import Client, Practice, User
from accounts.services import totp
from accounts.services.factors import WrongCode, totp_enrol
from accounts.services.people import Firm, Person, client_add, contact_add, membership_add, practice_open
from awsaccess.services.hubs import hub_set_up
from awsaccess.services.sending import engagement_send
from engagements.services.drafts import engagement_draft
from portal.demo.authenticator import secret_of
from portal.kernel import clock, tenancy
from portal.kernel.actor import machine

SEEDER: Final = machine("demo")
NORTHGATE: Final = Firm(
    code="northgate",
    name="Northgate Cloud",
    legal_name="Northgate Cloud Ltd",
    address="12 Harbour Street, Bristol BS1 4RN",
    support_email="hello@northgate.example",
    support_phone="+44 20 7946 0991",
)
HARBOUR: Final = Firm(
    code="harbour",
    name="Harbour Cloud",
    legal_name="Harbour Cloud Ltd",
    address="3 Quay Road, Leeds LS1 5AB",
    support_email="hello@harbour.example",
)
MAYA: Final = Person(email="maya@northgate.example", name="Maya Okafor", phone="+44 20 7946 0991")
TOMASZ: Final = Person(email="tomasz@northgate.example", name="Tomasz Lis", phone="+44 20 7946 0992")
OWEN: Final = Person(email="owen@harbour.example", name="Owen Hart", phone="+44 20 7946 0993")
SAM: Final = Person(email="sam@brightwater.example", name="Sam Carter", phone="+44 20 7946 0994")
RUTH: Final = Person(email="ruth@hollins.example", name="Ruth Hollins", phone="+44 20 7946 0995")
LENA: Final = Person(email="lena@acacia.example", name="Lena Brandt", phone="+44 20 7946 0996")
NORTHGATE_ACCOUNT: Final = "111111111111"


def seed(world_file: Path) -> bool:
    """Make what is missing of the sample world; False if it was there. `world_file` names the simulated accounts."""
    if User.objects.filter(email=MAYA.email).exists():
        return False
    northgate = practice_open(firm=NORTHGATE, owner=MAYA, actor=SEEDER)
    harbour = practice_open(firm=HARBOUR, owner=OWEN, actor=SEEDER)
    with tenancy.use(tenancy.practice_scope(northgate.pk)):
        _set_up(northgate, world_file)
        _engage(northgate)
    with tenancy.use(tenancy.practice_scope(harbour.pk)):
        _client(harbour, "Acacia Legal", LENA, "Partner")
    for consultant in (MAYA, TOMASZ, OWEN):
        _give_phone(consultant)
    return True


def _give_phone(person: Person) -> None:
    """An authenticator app that the desk can read. Set up with the last half minute's code, so that this one is unused."""
    secret, user = secret_of(person.email), User.objects.get(email=person.email)
    try:
        _show_code(user, secret)
    except WrongCode:  # a half minute ended between making the code and showing it
        _show_code(user, secret)


def _show_code(user: User, secret: str) -> None:
    totp_enrol(user=user, secret=secret, code=totp.code_of(secret, totp.step_at(clock.now()) - 1))


def _set_up(practice: Practice, world_file: Path) -> None:
    account = json.loads(world_file.read_text())["accounts"][NORTHGATE_ACCOUNT]
    membership_add(
        practice=practice, person=TOMASZ, role=MemberRole.CONSULTANT, title="Consultant", actor=SEEDER
    )
    hub_set_up(
        practice=practice,
        role_arn=account["hub_role_arn"],
        region=account["region"],
        template_bucket=account["bucket"],
        queue_url=account.get("queue_url")
        or "",  # a world of before call-back has none: the role is looked for
        topic_arns=[account["topic_arn"]] if account.get("topic_arn") else [],
        actor=SEEDER,
    )


def _engage(practice: Practice) -> None:
    """One engagement that waits for Sam's answer, and one draft whose account nobody knows yet."""
    brightwater = _client(practice, "Brightwater Dental", SAM, "Operations Manager")
    hollins = _client(practice, "Hollins Farm", RUTH, "Owner")
    maya = User.objects.get(email=MAYA.email)
    now = clock.now()
    sent = engagement_draft(
        client=brightwater,
        lead=maya,
        title="Cost review",
        purpose="find out why the bill went up",
        profile="cost_review",
        ends_at=_evening(now + dt.timedelta(days=27)),
        account_id="441709265583",
        account_name="Brightwater Production",
        contract_reference="NC-2026-031",
        actor=SEEDER,
    )
    engagement_send(engagement=sent, actor=SEEDER)
    engagement_draft(
        client=hollins,
        lead=maya,
        title="Security review",
        purpose="see which settings leave a door open",
        profile="security_review",
        ends_at=_evening(now + dt.timedelta(days=13)),
        actor=SEEDER,
    )


def _client(practice: Practice, name: str, person: Person, title: str) -> Client:
    client = client_add(practice=practice, name=name, actor=SEEDER)
    contact_add(client=client, person=person, role=ContactRole.APPROVER, title=title, actor=SEEDER)
    return client


def _evening(moment: dt.datetime) -> dt.datetime:
    return moment.replace(hour=18, minute=0, second=0, microsecond=0)
