"""A hub with topic and queue, an engagement that was agreed, and the messages that its stack would send."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from awsaccess.aws.answering import Answer, ResponseAddress
from awsaccess.aws.errors import AwsError
from awsaccess.models import Callback, DeadLetter, Grant, Hub
from awsaccess.provision.access_stack import CALLBACK_TYPE
from awsaccess.services.callbacks import ANSWER, hub_listen, stack_answer
from awsaccess.services.hubs import hub_set_up
from portal.kernel import due, tenancy
from tests.awsaccess.services.cast import HUBS, Case, agreed, watch
from tests.awsaccess.services.worlds import InMemory
from tests.factories import ACCOUNT_ID, Firm, acting
from tests.plugins.sandbox_process import NORTHGATE

Json = dict[str, Any]  # Any: JSON
REGION: Final = "eu-west-1"
TOPIC: Final = f"arn:aws:sns:{REGION}:{NORTHGATE}:latchkey-callback"
QUEUE: Final = f"https://sqs.{REGION}.amazonaws.com/{NORTHGATE}/latchkey-callback"
GUID: Final = "6d1bd1f0-2b5c-11ee-a2a0-0a1b2c3d4e5f"
LOGICAL: Final = "CallbackEuWest1"
REQUEST: Final = "8f2f1b3a-61a9-4b1c-9a51-5f5b0e2f7c11"
MESSAGE: Final = "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324"
HOST: Final = "cloudformation-custom-resource-response-euwest1.s3.eu-west-1.amazonaws.com"
SIGNATURE: Final = "Signature=28UijZePE5I4dvukKQqM%2F9Rf1o4%3D"


@dataclass(slots=True)
class Spy:
    """Stands where the way out is: whatever is sent, is kept; nothing leaves."""

    sent: list[tuple[ResponseAddress, Answer]]
    fails: list[AwsError]

    def put(self, address: ResponseAddress, answer: Answer) -> None:
        if self.fails:
            raise self.fails.pop(0)
        self.sent.append((address, answer))


def set_up(firm: Firm, **more: Any) -> Hub:  # Any: what else a hub has
    """The hub of the practice, with topic and queue."""
    facts = HUBS["northgate"]
    given: Json = {"queue_url": QUEUE, "topic_arns": [TOPIC], **more}
    with tenancy.use(firm.practice_side):
        return hub_set_up(
            practice=firm.practice,
            role_arn=facts.role_arn,
            region=facts.region,
            template_bucket=facts.bucket,
            actor=acting(firm.owner),
            **given,
        )


def expected(firm: Firm) -> Case:
    """Agreed, looked for, not there yet; its stack would report."""
    set_up(firm)
    case = agreed(firm)
    watch(case)
    return case


def token_of(case: Case) -> str:
    resources = json.loads(case.offer().template)["Resources"]
    token: str = resources[LOGICAL]["Properties"]["Token"]
    return token


def stack_id(account: str = ACCOUNT_ID, *, region: str = REGION, guid: str = GUID) -> str:
    return f"arn:aws:cloudformation:{region}:{account}:stack/latchkey-lk/{guid}"


def response_url(stack: str, logical: str = LOGICAL, *, host: str = HOST) -> str:
    path = quote(f"{stack}|{logical}|{REQUEST}", safe="/")
    return f"https://{host}/{path}?AWSAccessKeyId=AKIAEXAMPLE&Expires=1555451971&{SIGNATURE}"


def request(token: str, role_arn: str, kind: str = "Create", **changes: Any) -> Json:  # Any: JSON
    """What CloudFormation puts into the message; None takes a member away."""
    stack = changes.pop("StackId", stack_id())
    properties = {
        "ServiceToken": TOPIC,
        "ServiceTimeout": "300",
        "Token": token,
        "RoleArn": role_arn,
        "Expires": "2026-12-01T00:00:00Z",
        **changes.pop("properties", {}),
    }
    document = {
        "RequestType": kind,
        "ServiceToken": TOPIC,
        "ResponseURL": response_url(stack) if isinstance(stack, str) else "",
        "StackId": stack,
        "RequestId": REQUEST,
        "LogicalResourceId": LOGICAL,
        "ResourceType": CALLBACK_TYPE,
        "ResourceProperties": {name: value for name, value in properties.items() if value is not None},
    }
    if kind != "Create":
        document["PhysicalResourceId"] = "latchkey-lk"
    document.update(changes)
    return {name: value for name, value in document.items() if value is not None}


def envelope(message: object, **changes: Any) -> str:  # Any: JSON
    """As SNS wraps it for a queue."""
    document = {
        "Type": "Notification",
        "MessageId": MESSAGE,
        "TopicArn": TOPIC,
        "Subject": "AWS CloudFormation custom resource request",
        "Message": message if isinstance(message, str) else json.dumps(message),
        "Timestamp": "2026-11-21T10:00:00.000Z",
        "SignatureVersion": "1",
        "Signature": "EXAMPLE",
        "SigningCertURL": "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-x.pem",
        "UnsubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe",
        **changes,
    }
    return json.dumps({name: value for name, value in document.items() if value is not None})


def genuine(case: Case, kind: str = "Create", **changes: Any) -> str:  # Any: JSON
    """The message that the client's own stack sends."""
    return envelope(request(token_of(case), case.grant().role_arn, kind, **changes))


def listen(case: Case) -> dt.datetime | None:
    with tenancy.use(case.firm.practice_side):
        return hub_listen(hub_id=Hub.objects.get().pk)


def tell(memory: InMemory, case: Case, body: str) -> None:
    """A message arrives and is read."""
    memory.fake.publish(QUEUE, body)
    listen(case)


def answer(case: Case) -> list[dt.datetime | None]:
    """What is due for the stacks that wait is done once."""
    with tenancy.use(case.firm.practice_side):
        waiting = list(Callback.objects.filter(answered_at=None).values_list("pk", flat=True))
        return [stack_answer(callback_id=each) for each in waiting]


def callbacks(case: Case) -> list[Callback]:
    with tenancy.use(case.firm.practice_side):
        return list(Callback.objects.select_related("grant").order_by("told_at", "pk"))


def dead(case: Case) -> list[DeadLetter]:
    with tenancy.use(case.firm.practice_side):
        return list(DeadLetter.objects.order_by("at", "pk"))


def planned(case: Case, callback: Callback) -> dt.datetime | None:
    with tenancy.use(case.firm.practice_side):
        return due.next_look(ANSWER, callback.pk)


def state(case: Case) -> tuple[Json, str]:
    """Everything that no forged message may change."""
    with tenancy.use(case.firm.practice_side):
        (row,) = Grant.objects.filter(engagement=case.engagement).values()
    return dict(row), case.fresh().status
