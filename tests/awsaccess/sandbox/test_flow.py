"""The whole hand-over over HTTP: publish, deploy by hand, probe, sign in, watch, end. As the demo goes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest
from botocore.exceptions import ClientError

from awsaccess.provision import links
from awsaccess.sandbox.signing import Keys
from tests.awsaccess.sandbox.making import HUB, STANDARD, enter, grant, make_role, policy, refused, trust
from tests.plugins.sandbox_process import BRIGHTWATER, HOLLINS, NORTHGATE, Browser, SandboxProcess

ROLE = f"arn:aws:iam::{BRIGHTWATER}:role/latchkey-lk-1"
CONSOLE = "https://eu-west-1.console.aws.amazon.com/console/home?region=eu-west-1"


def access_template(**role: Any) -> str:  # Any: properties of the role
    """As the portal renders one: a named role that the hub may enter."""
    properties = {
        "RoleName": "latchkey-lk-1",
        "AssumeRolePolicyDocument": json.loads(policy(*STANDARD)),
        "ManagedPolicyArns": ["arn:aws:iam::aws:policy/ReadOnlyAccess"],
        "Policies": [
            {
                "PolicyName": "no-data",
                "PolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [{"Effect": "Deny", "Action": "s3:GetObject", "Resource": "*"}],
                },
            }
        ],
        **role,
    }
    return json.dumps(
        {
            "AWSTemplateFormatVersion": "2010-09-09",
            "Description": "Access for Northgate Cloud",
            "Resources": {"Role": {"Type": "AWS::IAM::Role", "Properties": properties}},
            "Outputs": {"RoleArn": {"Value": {"Fn::GetAtt": ["Role", "Arn"]}}},
        }
    )


def publish(sandbox: SandboxProcess, template: str) -> str:
    """Put a template into the hub's bucket; its address, version pinned."""
    bucket = sandbox.accounts[NORTHGATE].bucket or ""
    made = sandbox.s3(sandbox.as_hub()).put_object(
        Bucket=bucket, Key="t/unguessable.json", Body=template.encode()
    )
    return links.template_url(
        bucket=bucket, region="eu-west-1", key="t/unguessable.json", version_id=made["VersionId"]
    )


def follow(browser: Browser, link: str, base_url: str) -> tuple[int, str]:
    """What console.js does with a quick-create link."""
    assert link.startswith(f"{base_url}/cloudformation/home?region=")
    parts = urlsplit(link)
    page, _, query = parts.fragment.partition("?")
    assert page == "/stacks/create/review"
    asked = {name: values[0] for name, values in parse_qs(query).items()} | {"region": "eu-west-1"}
    return browser.get(f"/cloudformation/review?{urlencode(asked)}")


def create(browser: Browser, template: str, **more: str) -> tuple[int, str]:
    """Press Create stack with the box ticked."""
    fields = {"region": "eu-west-1", "templateURL": template, "stackName": "latchkey-lk-1"}
    return browser.post("/cloudformation/create", **{**fields, "capability": "CAPABILITY_NAMED_IAM", **more})


def signin_form(keys: Keys, **more: str) -> dict[str, str]:
    """The form of getSigninToken."""
    session = {
        "sessionId": keys.access_key_id,
        "sessionKey": keys.secret_access_key,
        "sessionToken": keys.session_token,
    }
    return {"Action": "getSigninToken", "Session": json.dumps(session), **more}


def post_form(sandbox: SandboxProcess, path: str, fields: Mapping[str, str]) -> tuple[int, str]:
    """As a program does, without cookies."""
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    status, _, text = sandbox.http("POST", path, urlencode(fields).encode(), kind)
    return status, text


def test_from_the_link_to_the_last_refusal(sandbox: SandboxProcess) -> None:
    """Every step that the portal's hand-over takes, and the end of it."""
    template = publish(sandbox, access_template())
    link = links.quick_create_link(
        region="eu-west-1", template=template, stack_name="latchkey-lk-1", console_base_url=sandbox.base_url
    )
    client = sandbox.browser()
    status, page = follow(client, link, sandbox.base_url)
    assert "Sign in as the administrator of Brightwater Dental" in page
    client.sign_in(BRIGHTWATER)
    status, page = follow(client, link, sandbox.base_url)
    assert (status, "Access for Northgate Cloud" in page, "AWS::IAM::Role" in page) == (200, True, True)
    assert "with custom names" in page
    status, page = create(client, template, capability="")
    assert (status, "Requires capabilities : [CAPABILITY_NAMED_IAM]" in page) == (400, True)
    status, page = create(client, template)
    assert (status, "CREATE_COMPLETE" in page, ROLE in page) == (200, True, True)

    hub = sandbox.as_hub()
    for wrong in ({}, {"ExternalId": "another-id"}):
        refused("AccessDenied", sandbox.assume, hub, ROLE, **wrong)
    session = enter(
        sandbox, ROLE, hub, RoleSessionName="mira-lk-1", SourceIdentity="mira", DurationSeconds=900
    )
    assert sandbox.sts(session).get_caller_identity()["Arn"].endswith("assumed-role/latchkey-lk-1/mira-lk-1")
    sandbox.client("ec2", session).describe_instances()
    refused("AccessDenied", sandbox.client("iam", session).create_user, UserName="x")

    token = json.loads(post_form(sandbox, "/federation", signin_form(session))[1])["SigninToken"]
    consultant = sandbox.browser()
    fields = {"Action": "login", "Issuer": "http://127.0.0.1:8000/x", "Destination": CONSOLE}
    status, page = consultant.post("/federation", **fields, SigninToken=token)
    assert (status, consultant.path) == (200, "/console/")
    for shown in (
        "Brightwater Dental",
        BRIGHTWATER,
        "latchkey-lk-1",
        "mira-lk-1",
        "mira",
        "Session ends",
        CONSOLE,
    ):
        assert shown in page
    assert "simulated AWS" in page

    status, page = client.get("/cloudformation/stacks?region=eu-west-1")
    stack_id = page.partition("&amp;id=")[2].partition('"')[0]
    status, page = client.post(
        "/cloudformation/stack/delete", region="eu-west-1", id=parse_qs(f"i={stack_id}")["i"][0]
    )
    assert (status, "DELETE_COMPLETE" in page) == (200, True)
    refused("AccessDenied", enter, sandbox, ROLE, hub)
    status, page = consultant.get("/console/")
    assert (status, "InvalidClientTokenId" in page) == (200, True)


def test_a_quick_create_page_fills_in_what_a_link_may_fill_in(sandbox: SandboxProcess) -> None:
    """Known parameters that are not NoEcho, each one changeable; the rest is left out."""
    template = json.dumps(
        {
            "Parameters": {
                "Name": {"Type": "String", "Default": "x"},
                "Secret": {"Type": "String", "NoEcho": True},
            },
            "Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": {"Ref": "Name"}}}},
        }
    )
    address = publish(sandbox, template)
    client = sandbox.browser()
    client.sign_in(BRIGHTWATER)
    asked = {
        "templateURL": address,
        "param_Name": "from+link",
        "param_Secret": "leak",
        "param_Else": "unknown",
    }
    _, page = client.get(f"/cloudformation/review?region=eu-west-1&{urlencode(asked)}")
    assert 'value="from+link"' in page
    assert "leak" not in page
    assert "unknown" not in page
    assert "acknowledge" not in page


PARAMETERS = {
    "Parameters": {
        "Name": {"Type": "String", "MinLength": 3},
        "Secret": {"Type": "String", "NoEcho": True, "MinLength": 8},
    },
    "Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": {"Ref": "Name"}}}},
}


def test_a_person_fills_in_the_rest(sandbox: SandboxProcess) -> None:
    """What is wrong is said on the page, which keeps what was typed but never a secret; then it works."""
    address = publish(sandbox, json.dumps(PARAMETERS))
    client = sandbox.browser()
    client.sign_in(BRIGHTWATER)
    for typed, words in (
        ({"param_Name": "ab", "param_Secret": "long-enough"}, "at least 3 characters"),
        ({"param_Name": "abc", "param_Secret": "short"}, "at least 8 characters"),
        ({"param_Name": "abc"}, "Parameters: [Secret] must have values"),
        ({"param_Name": "abc", "param_Secret": "long-enough", "stackName": "1st"}, "stackName"),
    ):
        status, page = create(client, address, **typed)
        assert (status, words in page, 'role="alert"' in page) == (400, True, True)
        assert f'value="{typed["param_Name"]}"' in page
        assert "long-enough" not in page
    status, page = create(client, address, param_Name="abc", param_Secret="long-enough")
    assert (status, "CREATE_COMPLETE" in page, "long-enough" in page) == (200, True, False)
    status, page = create(client, address, param_Name="abc", param_Secret="long-enough")
    assert (status, "AlreadyExistsException" in page) == (400, True)


def test_a_stack_that_fails_says_why_on_its_page(sandbox: SandboxProcess) -> None:
    """The trust policy names nobody: the event that began it is there to be read."""
    broken = json.loads(policy(trust(f"{HUB}-nope")))
    client = sandbox.browser()
    client.sign_in(BRIGHTWATER)
    status, page = create(client, publish(sandbox, access_template(AssumeRolePolicyDocument=broken)))
    assert (status, "ROLLBACK_COMPLETE" in page, "Invalid principal in policy" in page) == (200, True, True)
    assert "AccessDenied" in refused_code(sandbox, ROLE)


def refused_code(sandbox: SandboxProcess, role: str) -> str:
    """The error of entering a role as the hub."""
    with pytest.raises(ClientError) as caught:
        enter(sandbox, role)
    return caught.value.response["Error"]["Code"]


def delete_at(client: Browser, stack_id: str, **ticked: str) -> tuple[int, str]:
    """Press Delete stack."""
    return client.post("/cloudformation/stack/delete", region="eu-west-1", id=stack_id, **ticked)


@pytest.mark.parametrize("way", ["put right", "retain", "force"])
def test_the_trap_of_revoked_sessions(sandbox: SandboxProcess, way: str) -> None:
    """The button leaves a policy that stops the deletion (AWS_FACTS §8); the page shows the three ways out."""
    client = sandbox.browser()
    client.sign_in(BRIGHTWATER)
    create(client, publish(sandbox, access_template()))
    stack_id = parse_qs(urlsplit(client.path).query)["id"][0]
    client.post("/iam/role/revoke", name="latchkey-lk-1")
    _, page = delete_at(client, stack_id)
    assert "DELETE_FAILED" in page
    assert "must delete policies first" in page
    assert 'name="retain_Role"' in page
    if way == "put right":
        client.post("/iam/role/policy/delete", name="latchkey-lk-1", policy="AWSRevokeOlderSessions")
    ticked = {"retain": {"retain_Role": "yes"}, "force": {"force": "yes"}}.get(way, {})
    status, page = delete_at(client, stack_id, **ticked)
    assert (status, '"stack-status">DELETE_COMPLETE<' in page) == (200, True)
    names = [role["RoleName"] for role in sandbox.iam(BRIGHTWATER).list_roles()["Roles"]]
    assert names == ([] if way == "put right" else ["latchkey-lk-1"])


def test_a_link_to_nothing_is_explained(sandbox: SandboxProcess) -> None:
    """Another host, another version, no address at all."""
    client = sandbox.browser()
    client.sign_in(BRIGHTWATER)
    address = publish(sandbox, access_template())
    for wrong in (
        "https://example.org/t.json",
        address + "x",
        address.replace("https", "http"),
        "",
        "x" * 1025,
    ):
        status, page = client.get(
            f"/cloudformation/review?region=eu-west-1&templateURL={quote(wrong, safe='')}"
        )
        assert (
            status,
            'role="alert"' in page,
            '<form method="post" action="/cloudformation/create"' in page,
        ) == (
            400,
            True,
            False,
        )


def test_an_update_link_to_nothing_is_explained(sandbox: SandboxProcess) -> None:
    """No such stack, and no such template."""
    client = sandbox.browser()
    client.sign_in(BRIGHTWATER)
    address = publish(sandbox, access_template())
    for stack, template in (("latchkey-nowhere", address), ("latchkey-nowhere", address + "x")):
        query = urlencode({"region": "eu-west-1", "stackId": stack, "templateURL": template})
        status, page = client.get(f"/cloudformation/update-review?{query}")
        assert (status, 'role="alert"' in page, "Update stack</button>" in page) == (400, True, False)


def test_the_role_page_makes_failures(sandbox: SandboxProcess) -> None:
    """Trust changed, sessions revoked, role deleted: each seen from the hub's side."""
    role = make_role(sandbox)
    client = sandbox.browser()
    client.sign_in(BRIGHTWATER)
    session = enter(sandbox, role)
    status, page = client.post("/iam/role/trust", name="latchkey-r", document="{bad")
    assert (status, "MalformedPolicyDocument" in page, "{bad" in page) == (400, True, True)
    status, page = client.post("/iam/role/trust", name="latchkey-r", document=policy(trust()))
    assert (status, "The trust policy was updated." in page) == (200, True)
    enter(sandbox, role, ExternalId="any-other")
    client.post("/iam/role/trust-nobody", name="latchkey-r")
    refused("AccessDenied", enter, sandbox, role)
    client.post("/iam/role/revoke", name="latchkey-r")
    refused("AccessDenied", sandbox.s3(session).list_buckets)
    client.post("/iam/role/delete", name="latchkey-r")
    assert client.path == "/iam/roles"
    refused("InvalidClientTokenId", sandbox.sts(session).get_caller_identity)


def test_the_console_shows_each_only_their_own(sandbox: SandboxProcess) -> None:
    """A consultant's session may not do what its role may not; an administrator sees no other account."""
    make_role(sandbox, document=policy(grant("iam:Get*"), grant("iam:List*")))
    other = sandbox.browser()
    other.sign_in(HOLLINS)
    assert "latchkey-r" not in other.get("/iam/roles")[1]
    status, page = other.get("/iam/role?name=latchkey-r")
    assert (status, "NoSuchEntity" in page) == (403, True)
    session = enter(sandbox, f"arn:aws:iam::{BRIGHTWATER}:role/latchkey-r")
    token = json.loads(post_form(sandbox, "/federation", signin_form(session))[1])["SigninToken"]
    consultant = sandbox.browser()
    consultant.post("/federation", Action="login", Destination=CONSOLE, SigninToken=token)
    assert "latchkey-r" in consultant.get("/iam/roles")[1]
    status, page = consultant.post("/iam/role/trust-nobody", name="latchkey-r")
    assert (status, "AccessDenied" in page) == (400, True)


def test_who_is_not_signed_in_is_asked_and_brought_back(sandbox: SandboxProcess) -> None:
    """But only to a page of the console."""
    somebody = sandbox.browser()
    somebody.get("/iam/role?name=latchkey-r")
    assert somebody.path == "/console/sign-in?next=%2Fiam%2Frole%3Fname%3Dlatchkey-r"
    for wrong in ("https://example.org/", "//example.org/", "/\\example.org", "javascript:alert(1)"):
        somebody.post("/console/sign-in", account_id=BRIGHTWATER, next=wrong)
        assert somebody.path == "/console/"
    somebody.post("/console/sign-out")
    assert somebody.path == "/console/sign-in"
    somebody.get("/console/")
    assert somebody.path.startswith("/console/sign-in")


def test_a_form_from_another_site_is_refused(sandbox: SandboxProcess) -> None:
    """The console and the controls alike; nor do they answer to another host's name."""
    kind = {"Content-Type": "application/x-www-form-urlencoded", "Origin": "http://evil.example"}
    for path in ("/console/sign-in", "/_sandbox/reset"):
        assert sandbox.http("POST", path, b"account_id=" + BRIGHTWATER.encode(), kind)[0] == 403
    assert sandbox.http("GET", "/console/", headers={"Host": "rebound.example"})[0] == 421
    assert sandbox.http("GET", "/_sandbox/calls", headers={"Host": "rebound.example"})[0] == 403


def test_pages_are_strict_about_scripts_and_caches(sandbox: SandboxProcess) -> None:
    """Nothing inline, nothing kept, no address told to others."""
    for path in ("/console/sign-in", "/cloudformation/nope", "/console/"):
        _, headers, text = sandbox.http("GET", path)
        assert "script-src 'self'" in headers["Content-Security-Policy"]
        assert (headers["Cache-Control"], headers["Referrer-Policy"]) == ("no-store", "strict-origin")
        assert "<script>" not in text
    for name in ("console.js", "console.css"):
        assert sandbox.http("GET", f"/_sandbox/static/{name}")[0] == 200
    assert sandbox.http("GET", "/_sandbox/static/..%2Fpages.py")[0] == 404


def test_sign_in_takes_only_what_is_right(sandbox: SandboxProcess) -> None:
    """A bare 400 for programs, a reason for people; a token works once."""
    session = enter(sandbox, make_role(sandbox))
    form = signin_form(session)
    wrong = [
        signin_form(sandbox.accounts[BRIGHTWATER].admin_keys),
        signin_form(
            Keys(
                access_key_id=session.access_key_id,
                secret_access_key="x",
                session_token=session.session_token,
            )
        ),
        {**form, "Session": "not json"},
        {**form, "SessionDuration": "3600"},  # never with chained credentials
        {**form, "Action": "nope"},
    ]
    for fields in wrong:
        assert post_form(sandbox, "/federation", fields) == (400, "")
    token = json.loads(post_form(sandbox, "/federation", form)[1])["SigninToken"]
    login = {"Action": "login", "SigninToken": token}
    for destination in ("https://evil.example/", "https://console.aws.amazon.com.evil.example/", ""):
        assert post_form(sandbox, "/federation", {**login, "Destination": destination})[0] == 400
    assert post_form(sandbox, "/federation", {**login, "Destination": CONSOLE})[0] == 303
    status, page = post_form(sandbox, "/federation", {**login, "Destination": CONSOLE})
    assert (status, "expired or was used before" in page) == (400, True)


def test_a_session_from_a_users_own_keys_may_name_its_duration(sandbox: SandboxProcess) -> None:
    """900 to 43,200 seconds."""
    session = enter(sandbox, make_role(sandbox, trust(BRIGHTWATER)), sandbox.accounts[BRIGHTWATER].admin_keys)
    for seconds, status in (("900", 200), ("43200", 200), ("899", 400), ("43201", 400), ("x", 400)):
        assert post_form(sandbox, "/federation", signin_form(session, SessionDuration=seconds))[0] == status


def test_a_sign_in_token_lives_a_quarter_of_an_hour(sandbox: SandboxProcess) -> None:
    """And the session behind it no longer than its credentials; then the way back leads to the portal."""
    session = enter(sandbox, make_role(sandbox), DurationSeconds=3600)
    tokens = [
        json.loads(post_form(sandbox, "/federation", signin_form(session))[1])["SigninToken"] for _ in "ab"
    ]
    consultant = sandbox.browser()
    fields = {"Action": "login", "Destination": CONSOLE, "Issuer": "http://127.0.0.1:8000/e/lk-1/"}
    consultant.post("/federation", **fields, SigninToken=tokens[0])
    sandbox.control("PUT", "clock", offset_seconds=901)
    assert consultant.post("/federation", **fields, SigninToken=tokens[1])[0] == 400
    assert consultant.get("/console/")[0] == 200
    sandbox.control("PUT", "clock", offset_seconds=3601)
    status, page = consultant.get("/iam/roles")
    assert (status, "http://127.0.0.1:8000/e/lk-1/" in page) == (401, True)


def test_the_portals_way_of_reading_a_template_is_the_clients(sandbox: SandboxProcess) -> None:
    """CreateStack by API with the same address, from another account, in another region."""
    address = publish(sandbox, access_template(Description="read across accounts"))
    cloudformation = sandbox.cloudformation(HOLLINS, "eu-central-1")
    cloudformation.create_stack(
        StackName="by-api", TemplateURL=address, Capabilities=["CAPABILITY_NAMED_IAM"]
    )
    role = sandbox.iam(HOLLINS).get_role(RoleName="latchkey-lk-1")["Role"]
    assert role["Description"] == "read across accounts"
    assert HUB in json.dumps(role["AssumeRolePolicyDocument"])
