"""The simulated AWS as a process of its own, as the demo runs it."""

from __future__ import annotations

import contextlib
import http.client
import json
import selectors
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlencode, urlsplit

from awsaccess.sandbox.parties import Account, read_accounts
from awsaccess.sandbox.signing import Keys

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sts import STSClient

ROOT: Final = Path(__file__).resolve().parents[2]
NORTHGATE, HARBOUR = "111111111111", "999999999999"
BRIGHTWATER, HOLLINS, ACACIA, STRANGER = "441709265583", "222222222222", "333333333333", "444455556666"
_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 20.0


class SandboxDidNotStart(RuntimeError):
    """The process ended or kept silent; the text is what it said."""


class SandboxProcess:
    """`with SandboxProcess(folder) as sandbox:` or `start()` and `stop()`.

    `folder` keeps accounts and journal: starting again in the same folder goes on where the last one stopped, on the
    same port. `base_url` is the endpoint of AWS, sign-in and console alike; `accounts` are by account number.
    """

    def __init__(self, folder: Path, *, portal_origin: str = "") -> None:
        self._folder, self._portal_origin, self._port = folder, portal_origin, 0
        self._process: subprocess.Popen[str] | None = None
        self.base_url = ""
        self.accounts: dict[str, Account] = {}

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # ------------------------------------------------------------ life

    def start(self) -> Self:
        """Start and wait until it says that it is ready. Raises SandboxDidNotStart."""
        command = [sys.executable, "-m", "awsaccess.sandbox", "--port", str(self._port)]
        command += ["--state-dir", str(self._folder), "--portal-origin", self._portal_origin]
        command = command if self._portal_origin else command[:-2]
        with (self._folder / "sandbox.log").open("a") as log:
            self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True)
        self._wait_until_ready(self._process)
        self.base_url, self.accounts = read_accounts(self._folder)
        self._port = urlsplit(self.base_url).port or 0
        return self

    def _wait_until_ready(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            said = process.stdout.readline() if selector.select(_START_SECONDS) else ""
        if "ready at" not in said:
            self.stop()
            raise SandboxDidNotStart(said + (self._folder / "sandbox.log").read_text())

    def stop(self) -> None:
        """End the process; nothing happens when it is not running."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()

    def kill(self) -> None:
        """End it as a crash would: without a chance to tidy up."""
        if self._process is not None:
            self._process.kill()
        self.stop()

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll() if self._process else None

    # ------------------------------------------------------------ controls

    def control(self, method: str, name: str, **body: object) -> Any:  # Any: JSON
        """Ask a control under `/_sandbox/`, such as `control("POST", "faults", switch="throttle")`."""
        kind = {"Content-Type": "application/json"}
        status, _, text = self.http(method, f"/_sandbox/{name}", json.dumps(body).encode(), kind)
        assert status == 200, text
        return json.loads(text)

    def reset(self) -> None:
        """An empty AWS with the same accounts and keys; no faults, no counts, the right time."""
        self.control("POST", "reset")

    def decisions(self, action: str) -> list[dict[str, Any]]:  # Any: JSON
        """The last decisions about an action, oldest first: why a call was allowed or refused."""
        found: list[dict[str, Any]] = self.control("GET", "decisions")["decisions"]
        return [decision for decision in found if decision["action"] == action]

    def http(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, http.client.HTTPMessage, str]:
        """A plain request: status, headers, text. Redirects are not followed."""
        parts = urlsplit(self.base_url)
        with contextlib.closing(http.client.HTTPConnection(parts.netloc, timeout=30)) as connection:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()

    def browser(self) -> Browser:
        """Somebody at the simulated console, with cookies of their own."""
        return Browser(self)

    # ------------------------------------------------------------ AWS

    def client(self, service: str, keys: Keys, region: str = "eu-west-1", **config: Any) -> Any:
        """A boto3 client that tries once. Any: one client per service; botocore's settings."""
        import boto3
        from botocore.config import Config

        make: Any = boto3.client  # Any: an overload per service
        return make(
            service,
            region_name=region,
            endpoint_url=self.base_url,
            aws_access_key_id=keys.access_key_id,
            aws_secret_access_key=keys.secret_access_key,
            aws_session_token=keys.session_token,
            config=Config(retries={"total_max_attempts": 1}, **config),
        )

    def sts(self, keys: Keys) -> STSClient:
        """STS with these keys."""
        client: STSClient = self.client("sts", keys)
        return client

    def iam(self, account_id: str) -> IAMClient:
        """IAM as the administrator of an account."""
        client: IAMClient = self.client("iam", self.accounts[account_id].admin_keys)
        return client

    def cloudformation(self, account_id: str, region: str = "eu-west-1") -> CloudFormationClient:
        """CloudFormation as the administrator of an account."""
        keys = self.accounts[account_id].admin_keys
        client: CloudFormationClient = self.client("cloudformation", keys, region)
        return client

    def s3(self, keys: Keys) -> S3Client:
        """S3 with these keys."""
        client: S3Client = self.client("s3", keys)
        return client

    def as_hub(self, account_id: str = NORTHGATE) -> Keys:
        """A new session of a practice's hub role, as the portal has one."""
        account = self.accounts[account_id]
        return self.assume(account.portal_keys, account.hub_role_arn or "")

    def assume(self, keys: Keys, role_arn: str, **more: Any) -> Keys:  # Any: AssumeRole's parameters
        """AssumeRole, down to the keys. Raises ClientError."""
        given = {"RoleSessionName": "portal", **more}
        made = self.sts(keys).assume_role(RoleArn=role_arn, **given)["Credentials"]
        return Keys(
            access_key_id=made["AccessKeyId"],
            secret_access_key=made["SecretAccessKey"],
            session_token=made["SessionToken"],
        )


class Browser:
    """Follows redirects and keeps cookies; knows no scripts."""

    def __init__(self, sandbox: SandboxProcess) -> None:
        self._sandbox, self._cookie = sandbox, ""
        self.path = ""
        """Where the last request ended."""

    def get(self, path: str) -> tuple[int, str]:
        """Status and HTML."""
        return self._go("GET", path, None)

    def post(self, path: str, **fields: str) -> tuple[int, str]:
        """Send a form; status and HTML of where it leads."""
        return self._go("POST", path, urlencode(fields).encode())

    def sign_in(self, account_id: str) -> tuple[int, str]:
        """As the administrator of an account."""
        return self.post("/console/sign-in", account_id=account_id, next="/console/")

    def _go(self, method: str, path: str, body: bytes | None) -> tuple[int, str]:
        headers = {"Cookie": self._cookie} if self._cookie else {}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        status, answer_headers, text = self._sandbox.http(method, path, body, headers)
        if cookie := answer_headers.get("Set-Cookie"):
            self._cookie = cookie.partition(";")[0]
        self.path = path
        return self._go("GET", answer_headers["Location"], None) if status == 303 else (status, text)
