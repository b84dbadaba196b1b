"""Calls to an S3 server through s3fs: a client per process, typed errors, no secrets shown."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.client import HTTPException
from typing import Any, Final
from urllib.parse import urlsplit

import s3fs
from aiobotocore.session import AioSession
from aiohttp import ClientError as AioHttpError
from botocore import exceptions as aws
from botocore.parsers import ResponseParserError
from fsspec.asyn import sync

from pbf_ray.errors import StoreContentError, StoreError, StoreUnavailableError

__all__ = ["S3Address", "S3Client", "s3_code"]


@dataclass(frozen=True)
class S3Address:
    """Where a bucket is, and how it is reached.

    Attributes:
        bucket: Its name.
        endpoint: URL of the server, without user and password; None for AWS.
        access_key: Access key id; None for what botocore finds (environment, role).
        secret_key: The secret that belongs to it.
        region: Name of the region; None for what botocore finds.
        prefix: Stands before all keys, with ``/`` between; may be empty.
        storage_class: Of new objects; None for the bucket's default.
        timeout_s: Longest wait for a connection and for the next bytes of an answer.
        connections: Most at a time, of one process.
    """

    bucket: str
    endpoint: str | None = None
    access_key: str | None = field(default=None, repr=False)
    secret_key: str | None = field(default=None, repr=False)
    region: str | None = None
    prefix: str = ""
    storage_class: str | None = None
    timeout_s: float = 30.0
    connections: int = 16

    def __post_init__(self) -> None:
        if self.endpoint is None:
            return
        parts = urlsplit(self.endpoint)
        if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
            # What it holds is not shown: it may be a password.
            raise StoreError(
                f"s3://{self.bucket}",
                "the endpoint is not the URL of a server",
                advice="give http:// or https://, host and port; keys are settings of their own",
            )

    @property
    def name(self) -> str:
        """Server, bucket and prefix."""
        parts = urlsplit(self.endpoint or "")
        port = f":{parts.port}" if parts.port else ""
        host = f"{parts.hostname}{port}/" if parts.hostname else ""
        path = "/".join(part for part in (self.bucket, self.prefix) if part)
        return f"s3://{host}{path}"


class S3Client:
    """One client of s3fs, opened on use and in each process anew.

    Args:
        address: The bucket.
        name: Name of the store, for messages.
    """

    def __init__(self, address: S3Address, *, name: str) -> None:
        self.address = address
        self.name = name
        self._lock = threading.Lock()
        self._files: Any = None
        self._pid = 0

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (self.address, self.name)

    def call(self, method: str, **arguments: Any) -> dict[str, Any]:
        """One request, named as botocore does; of the bucket unless another is given.

        Raises:
            StoreUnavailableError: The server is away, or cannot serve now.
            StoreError: It refuses for good; ``code`` and ``status`` are its own.
        """
        with self.translating():
            answer: dict[str, Any] = self._opened().call_s3(
                method, **{"Bucket": self.address.bucket, **arguments}
            )
        return answer

    def read(self, body: Any, size: int | None = None) -> bytes:
        """The next bytes of an answer's body; all that are left without a size."""
        with self.translating():
            piece: bytes = sync(self._opened().loop, body.read, size)
        return piece

    def drop(self, body: Any) -> None:
        """Let go of a body, whether it was read to its end or not."""

        async def close() -> None:
            body.close()

        sync(self._opened().loop, close)

    def close(self) -> None:
        """Let go of the connections of this process; the next call opens new ones."""
        with self._lock:
            files, self._files = self._files, None
            # A client that came over a fork belongs to the parent.
            if files is not None and self._pid == os.getpid():
                # One that could not be opened (half of the keys is set) is not there to be closed.
                client = files._s3  # noqa: SLF001 - connect() would make one
                if client is not None:
                    sync(files.loop, client.close)

    def _opened(self) -> Any:
        with self._lock:
            if self._files is None or self._pid != os.getpid():
                self._files, self._pid = self._new(), os.getpid()
            return self._files

    def _new(self) -> Any:
        address = self.address
        files = s3fs.S3FileSystem(
            session=_session(),
            key=address.access_key,
            secret=address.secret_key,
            endpoint_url=address.endpoint,
            client_kwargs={"region_name": address.region} if address.region else {},
            config_kwargs={
                "connect_timeout": min(address.timeout_s, 10.0),
                "read_timeout": address.timeout_s,
                "max_pool_connections": address.connections,
                # The caller tries again for as long as its settings say.
                "retries": {"mode": "standard", "max_attempts": 2},
                "s3": {"addressing_style": "path" if address.endpoint else "auto"},
            },
            skip_instance_cache=True,
            use_listings_cache=False,
        )
        files.retries = 2
        return files

    @contextmanager
    def translating(self) -> Iterator[None]:
        """Errors of s3fs, botocore and aiohttp become ours."""
        try:
            yield
        except _FOREIGN as error:
            # Without its cause: what was sent, keys among it, may hang on it.
            raise self._translated(error) from None

    def _translated(self, error: BaseException) -> StoreError:
        # s3fs makes an OSError of what botocore says, and keeps that as its cause.
        cause = error.__cause__ if isinstance(error.__cause__, aws.ClientError) else error
        if isinstance(cause, aws.ClientError):
            return self._refused(cause)
        problem = self._plain(str(cause) or type(cause).__name__)
        facts = {"code": type(cause).__name__}
        if isinstance(cause, aws.SSLError):
            advice = "check the certificate of the server and the endpoint's https"
            return StoreError(self.name, problem, advice=advice, **facts)
        if isinstance(cause, aws.NoCredentialsError | aws.PartialCredentialsError):
            advice = "set access key and secret key"
            return StoreError(self.name, problem, advice=advice, **facts)
        # What is none of botocore's comes from the network.
        transient = not isinstance(cause, aws.BotoCoreError) or isinstance(cause, _NETWORK)
        if transient:
            advice = f"see that the server runs: {self.address.endpoint or 'AWS'}"
            return StoreUnavailableError(self.name, problem, advice=advice, **facts)
        return StoreError(self.name, problem, advice="see the settings of the store", **facts)

    def _refused(self, error: aws.ClientError) -> StoreError:
        said = error.response.get("Error", {})
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        code = str(said.get("Code", status))
        problem = self._plain(f"{error.operation_name}: {code}, {said.get('Message', '')}")
        facts = {"code": code, "status": status}
        if status >= 500 or status in _TRANSIENT_STATUS or code in _TRANSIENT_CODES:
            advice = "it is tried again; see the server's log if that goes on"
            return StoreUnavailableError(self.name, problem, advice=advice, **facts)
        for codes, kind, advice in _ADVICE:
            if code in codes or str(status) in codes:
                return kind(self.name, problem, advice=advice, **facts)
        return StoreError(self.name, problem, **facts)

    def _plain(self, text: str) -> str:
        """A text of somebody else's, in which no key of ours may stand."""
        for secret in (self.address.secret_key, self.address.access_key):
            if secret:
                text = text.replace(secret, "***")
        return text


@cache
def _session() -> AioSession:
    """One for all clients: it reads botocore's descriptions of S3 once, not for each of them."""
    return AioSession()


def s3_code(error: StoreError) -> str:
    """The server's own word for what was wrong; an HTTP status where it said no more."""
    return str(error.facts.get("code", ""))


def _reopen(address: S3Address, name: str) -> S3Client:
    return S3Client(address, name=name)


_FOREIGN: Final = (
    OSError,
    TimeoutError,
    HTTPException,
    AioHttpError,
    ResponseParserError,
    aws.BotoCoreError,
    aws.ClientError,
)
_NETWORK: Final = (
    aws.ConnectionError,
    aws.HTTPClientError,
    aws.IncompleteReadError,
    aws.ResponseStreamingError,
)
_TRANSIENT_STATUS: Final = {408, 425, 429}
_TRANSIENT_CODES: Final = {
    "ConditionalRequestConflict",
    "InternalError",
    "OperationAborted",
    "RequestTimeout",
    "ServiceUnavailable",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
}
_ADVICE: Final[tuple[tuple[set[str], type[StoreError], str], ...]] = (
    ({"NoSuchBucket"}, StoreError, "create the bucket, or name another"),
    ({"RequestTimeTooSkewed"}, StoreError, "set the clock of this machine"),
    (
        {"AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraintException",
         "301"},
        StoreError,
        "the bucket is in another region: set the region",
    ),
    (
        {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "401", "403"},
        StoreError,
        "check access key and secret key, and what they may do in the bucket",
    ),
    ({"EntityTooLarge", "KeyTooLongError"}, StoreContentError, "the server does not take this"),
    ({"InvalidStorageClass"}, StoreError, "the server does not know this storage class"),
)  # fmt: skip
