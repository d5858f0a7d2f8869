"""boto3 clients: one shared Session, made under a lock, kept only where they serve many calls (SANDBOX §8)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, overload

if TYPE_CHECKING:
    from boto3 import Session
    from botocore.config import Config
    from botocore.credentials import ReadOnlyCredentials
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sts import STSClient


CONNECT_SECONDS: Final = 3
READ_SECONDS: Final = 10
POOL: Final = 32  # at least the threads of a sweep, or they queue for connections


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Credentials as boto3 takes them."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(repr=False)


class SQSClient(Protocol):
    """The two calls of SQS that are made; its types come with no package that is installed here."""

    def receive_message(self, **asked: object) -> dict[str, Any]: ...  # Any: JSON of AWS
    def delete_message(self, *, QueueUrl: str, ReceiptHandle: str) -> object: ...  # noqa: N803  # AWS's own names
    def close(self) -> None: ...


class TrailClient(Protocol):
    """The one call of CloudTrail that is made; its types come with no package that is installed here."""

    def lookup_events(self, **asked: object) -> dict[str, Any]: ...  # Any: JSON of AWS


class Clients:
    """Makes clients. `attempts` counts all requests, the first included, for STS and for the rest."""

    def __init__(self, *, endpoint_url: str | None, attempts: int, sts_attempts: int) -> None:
        self._endpoint_url = endpoint_url
        self._attempts = attempts
        self._sts_attempts = sts_attempts
        self._session: Session | None = None
        self._visitors: Session | None = None
        self._base: dict[str, STSClient] = {}
        self._visiting_sts: dict[str, STSClient] = {}
        self._visiting_iam: dict[str, IAMClient] = {}
        self._visiting_trail: dict[str, TrailClient] = {}
        self._lock = threading.Lock()  # boto3 promises threads safe clients, not safe making of clients

    def base_sts(self, region: str) -> STSClient:
        """The kept client with the portal's own credentials: instance or task role, never from a database."""
        with self._lock:
            if region not in self._base:
                self._base[region] = self._make("sts", region, None)
            return self._base[region]

    def sts(self, region: str, keys: Keys) -> STSClient:
        """A client that its caller keeps or closes."""
        with self._lock:
            return self._make("sts", region, keys)

    @contextmanager
    def visiting_sts(self, region: str, keys: Keys) -> Iterator[STSClient]:
        """One client for every client account, signing with these keys in this thread until the block ends."""
        with self._lock:
            if region not in self._visiting_sts:
                self._visiting_sts[region] = self._make("sts", region, None, visiting=True)
            client = self._visiting_sts[region]
        with _VISITOR.lent(keys):
            yield client

    @contextmanager
    def visiting_iam(self, region: str, keys: Keys) -> Iterator[IAMClient]:
        """As `visiting_sts`: a client of its own for each look would cost more than the look."""
        with self._lock:
            if region not in self._visiting_iam:
                self._visiting_iam[region] = self._make("iam", region, None, visiting=True)
            client = self._visiting_iam[region]
        with _VISITOR.lent(keys):
            yield client

    @contextmanager
    def visiting_trail(self, region: str, keys: Keys) -> Iterator[TrailClient]:
        """As `visiting_sts`."""
        with self._lock:
            if region not in self._visiting_trail:
                self._visiting_trail[region] = self._any("cloudtrail", region, None, visiting=True)
            client = self._visiting_trail[region]
        with _VISITOR.lent(keys):
            yield client

    @contextmanager
    def hub_s3(self, region: str, keys: Keys) -> Iterator[S3Client]:
        """A throw-away S3 client: templates are uploaded seldom."""
        with self._lock:
            client = self._make("s3", region, keys)
        try:
            yield client
        finally:
            client.close()

    def hub_sqs(self, region: str, keys: Keys) -> SQSClient:
        """A client that its caller keeps or closes: the queue is listened to again and again."""
        with self._lock:
            made: SQSClient = self._any("sqs", region, keys)
            return made

    @overload
    def _make(
        self, service: Literal["sts"], region: str, keys: Keys | None, *, visiting: bool = False
    ) -> STSClient: ...
    @overload
    def _make(
        self, service: Literal["iam"], region: str, keys: Keys | None, *, visiting: bool = False
    ) -> IAMClient: ...
    @overload
    def _make(
        self, service: Literal["s3"], region: str, keys: Keys | None, *, visiting: bool = False
    ) -> S3Client: ...
    def _make(
        self, service: Literal["sts", "iam", "s3"], region: str, keys: Keys | None, *, visiting: bool = False
    ) -> STSClient | IAMClient | S3Client:
        made: STSClient | IAMClient | S3Client = self._any(service, region, keys, visiting=visiting)
        return made

    # Any: one client class per service
    def _any(self, service: str, region: str, keys: Keys | None, *, visiting: bool = False) -> Any:
        make: Any = self._session_of(visiting=visiting).client  # Any: an overload per service
        return make(
            service,
            region_name=region,
            endpoint_url=self._endpoint_url,
            config=self._config(service),
            aws_access_key_id=keys.access_key_id if keys else None,
            aws_secret_access_key=keys.secret_access_key if keys else None,
            aws_session_token=keys.session_token if keys else None,
        )

    def _session_of(self, *, visiting: bool) -> Session:
        if visiting:
            self._visitors = self._visitors or _new_session(lent=True)
            return self._visitors
        self._session = self._session or _new_session()
        return self._session

    def _config(self, service: str) -> Config:
        from botocore.config import Config

        attempts = self._sts_attempts if service == "sts" else self._attempts
        return Config(
            retries={"mode": "standard", "total_max_attempts": attempts},  # max_attempts: 1 would mean two
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            max_pool_connections=POOL,
        )


class NoKeysLent(RuntimeError):
    """Raised for a call of a visiting client outside its block: it has no keys, and must not find others."""


class _Lent(threading.local):
    """The keys that a visiting client signs with, per thread: one visitor's call can never carry another's keys."""

    keys: Keys | None = None

    @contextmanager
    def lent(self, keys: Keys) -> Iterator[None]:
        before, self.keys = self.keys, keys
        try:
            yield
        finally:
            self.keys = before

    def get_deferred_property(self, _name: str) -> Callable[[], None]:
        """botocore may put an account's number into addresses of services that are not used here."""
        return lambda: None

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """What botocore asks for at each signature."""
        from botocore.credentials import ReadOnlyCredentials

        if self.keys is None:
            raise NoKeysLent
        return ReadOnlyCredentials(
            self.keys.access_key_id, self.keys.secret_access_key, self.keys.session_token
        )


_VISITOR: Final = _Lent()


def _new_session(*, lent: bool = False) -> Session:
    """The default chain of credentials, with regional STS: tokens of the global one fail in opt-in regions.

    `lent`: the keys of whichever visitor's block the calling thread is in, and never the portal's own.
    """
    import boto3
    import botocore.session

    session = botocore.session.Session()
    if lent:
        session.get_credentials = lambda: _VISITOR  # type: ignore[method-assign,assignment,return-value]  # all that signing asks of them is get_frozen_credentials
    session.set_config_variable("sts_regional_endpoints", "regional")
    return boto3.Session(botocore_session=session)
