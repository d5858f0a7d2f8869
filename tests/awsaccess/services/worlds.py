"""Two AWSs behind one face: in memory, quick and exact to steer, and the simulated one, asked through boto3.

Both stand behind the portal's one door, with a place to act at any call: before the n-th AssumeRole, for example.
"""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Callable
from typing import Any, Final, Protocol
from urllib.parse import parse_qs, urlencode, urlsplit

from awsaccess.asking import spec_of
from awsaccess.aws.errors import AwsError
from awsaccess.aws.fake import FakeAwsGateway
from awsaccess.aws.gateway import AssumeRequest, AwsGateway, HubIdentity
from awsaccess.models import Grant
from awsaccess.provision.access_stack import expected_role
from awsaccess.provision.naming import LOOK
from engagements.selectors import template_agreed
from portal.kernel import clock
from tests.awsaccess.services.cast import HUBS, Case
from tests.plugins.sandbox_process import SandboxProcess

Act = Callable[[], object]
Change = Callable[[dict[str, Any]], object]  # Any: IAM's JSON
EVERYTHING: Final = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
}


def hub_of(word: str) -> HubIdentity:
    facts = HUBS[word]
    return HubIdentity(
        practice_code=word,
        account_id=facts.account_id,
        role_arn=facts.role_arn,
        region=facts.region,
        template_bucket=facts.bucket,
    )


class Interposed:
    """A gateway that lets a test act right before the n-th call of a method; what the act raises, AWS says."""

    def __init__(self, inner: AwsGateway) -> None:
        self.inner = inner
        self.counts: Counter[str] = Counter()
        self.acts: dict[tuple[str, int], Act] = {}

    def __getattr__(self, name: str) -> Callable[..., Any]:  # Any: whatever the method gives
        method: Callable[..., Any] = getattr(self.inner, name)

        def call(*arguments: Any, **named: Any) -> Any:
            self.counts[name] += 1
            if act := self.acts.pop((name, self.counts[name]), None):
                act()
            return method(*arguments, **named)

        return call

    def before(self, method: str, act: Act, *, nth: int = 1) -> None:
        """Act before the n-th call from now on."""
        self.acts[method, self.counts[method] + nth] = act

    def fail(self, method: str, error: AwsError, *, nth: int = 1) -> None:
        """The n-th call from now on raises this."""

        def refuse() -> None:
            raise error

        self.before(method, refuse, nth=nth)


class World(Protocol):
    """What a client does in AWS, and a place to interfere."""

    door: Interposed

    def deploy(self, case: Case) -> None: ...
    def remove(self, case: Case) -> None: ...
    def change_trust(self, case: Case, change: Change) -> None: ...
    def widen(self, case: Case) -> None: ...
    def remove_policy(self, case: Case, name: str) -> None: ...
    def template(self, case: Case) -> str: ...


class InMemory:
    """Knows the clock that tests freeze."""

    def __init__(self) -> None:
        self.fake = FakeAwsGateway(*(hub_of(word) for word in HUBS), now=clock.now)
        self.door = Interposed(self.fake)

    def deploy(self, case: Case) -> None:
        with case.seen():  # what was ticked stands in the consent
            self.deploy_grant(case.grant(), case.account_id)

    def deploy_grant(self, grant: Grant, account_id: str) -> None:
        """For many at once: nothing is read from the database where there is nothing to tick."""
        self.fake.make_role(grant.role_arn, expected_role(spec_of(grant.offer, grant), account_id))

    def visits_asked(self) -> list[AssumeRequest]:
        """Those AssumeRoles that were for a visit: looks name themselves."""
        asked = [call.request for call in self.fake.calls if call.request and call.request.is_named]
        return [request for request in asked if request.source_identity != LOOK]

    def remove(self, case: Case) -> None:
        self.fake.remove_role(case.grant().role_arn)

    def change_trust(self, case: Case, change: Change) -> None:
        change(self.fake.roles[case.grant().role_arn].trust_document)

    def widen(self, case: Case) -> None:
        self.fake.roles[case.grant().role_arn].inline_documents["more"] = EVERYTHING

    def remove_policy(self, case: Case, name: str) -> None:
        del self.fake.roles[case.grant().role_arn].inline_documents[name]

    def template(self, case: Case) -> str:
        offer = case.offer()
        place = (offer.documents["bucket"], offer.documents["template_key"], offer.template_version_id)
        return self.fake.uploads[place].decode()


class Simulated:
    """The simulated AWS; the client works in it with CloudFormation and IAM."""

    def __init__(self, sandbox: SandboxProcess, door: Interposed) -> None:
        self.sandbox, self.door = sandbox, door

    def deploy(self, case: Case) -> None:
        self.sandbox.cloudformation(case.account_id).create_stack(
            StackName=_name(case), TemplateBody=_agreed(case), Capabilities=["CAPABILITY_NAMED_IAM"]
        )

    def update_by(self, case: Case, link: str) -> str:
        """The client follows a link that updates the stack, ticks the box and presses the button; the page it ends on."""
        parts = urlsplit(link)
        assert link.startswith(f"{self.sandbox.base_url}/cloudformation/home?region=eu-west-1#")
        place, _, query = parts.fragment.partition("?")
        assert place == "/stacks/update/template"
        asked = {name: values[0] for name, values in parse_qs(query).items()} | {"region": "eu-west-1"}
        client = self.sandbox.browser()
        client.sign_in(case.account_id)
        status, page = client.get(f"/cloudformation/update-review?{urlencode(asked)}")
        assert (status, "AWS::IAM::Role" in page) == (200, True), page
        status, page = client.post(
            "/cloudformation/stack/update",
            region="eu-west-1",
            id=asked["stackId"],
            templateURL=asked["templateURL"],
            capability="CAPABILITY_NAMED_IAM",
        )
        assert (status, "UPDATE_COMPLETE" in page) == (200, True), page
        return page

    def remove(self, case: Case) -> None:
        self.sandbox.cloudformation(case.account_id).delete_stack(StackName=_name(case))

    def change_trust(self, case: Case, change: Change) -> None:
        iam, name = self.sandbox.iam(case.account_id), case.grant().role_name
        there: Any = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]  # Any: IAM's JSON
        document = copy.deepcopy(there)
        change(document)
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(document))

    def widen(self, case: Case) -> None:
        self.sandbox.iam(case.account_id).put_role_policy(
            RoleName=case.grant().role_name, PolicyName="more", PolicyDocument=json.dumps(EVERYTHING)
        )

    def remove_policy(self, case: Case, name: str) -> None:
        self.sandbox.iam(case.account_id).delete_role_policy(RoleName=case.grant().role_name, PolicyName=name)

    def template(self, case: Case) -> str:
        offer = case.offer()
        found = self.sandbox.s3(
            self.sandbox.accounts[offer.documents["hub_account_id"]].admin_keys
        ).get_object(
            Bucket=offer.documents["bucket"],
            Key=offer.documents["template_key"],
            VersionId=offer.template_version_id,
        )
        return found["Body"].read().decode()


def _agreed(case: Case) -> str:
    with case.seen():
        return template_agreed(case.offer()).text


def _name(case: Case) -> str:
    return f"latchkey-{case.engagement.code}"
