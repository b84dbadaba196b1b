"""Connections to one MongoDB database: a client per process, typed errors, no secrets shown."""

from __future__ import annotations

import os
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import pymongo
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.errors import BSONError
from pymongo.errors import PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.synchronous.collection import Collection
from pymongo.synchronous.database import Database
from pymongo.synchronous.mongo_client import MongoClient
from pymongo.write_concern import WriteConcern

from pbf_ray.errors import StoreError
from pbf_ray.storage.mongodb.failures import translated

__all__ = ["Documents", "MongoAddress", "MongoConnection"]

Documents = Collection[dict[str, Any]]

# Dates stay counts of milliseconds: MongoDB holds more of them than Python.
_CODEC: Final[CodecOptions[dict[str, Any]]] = CodecOptions(
    document_class=dict, datetime_conversion=DatetimeConversion.DATETIME_MS
)
_SOCKET_TIMEOUT_S: Final = 120.0


@dataclass(frozen=True)
class MongoAddress:
    """Where a database is, and how its connections are kept.

    Attributes:
        host: Name or address.
        port: Port.
        database: Name of the database.
        user: Name of the user; None for servers that ask for none.
        password: Its password.
        auth_source: The database that knows the user; MongoDB's default is ``admin``.
        tls: Connect with TLS.
        tls_ca_file: File of the authorities that may sign the server's certificate.
        connection_string: ``mongodb://`` or ``mongodb+srv://``, as Atlas gives it out; stands for
            all of the above except the database.
        pool_min: Connections that are kept open.
        pool_max: Most connections of one process.
        pool_idle_s: A connection that was not used for so long is closed.
        timeout_s: Longest wait for a server that can serve, and for a connection.
    """

    host: str = "localhost"
    port: int = 27017
    database: str = "pbf_lbm"
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    auth_source: str | None = None
    tls: bool = False
    tls_ca_file: str | None = None
    connection_string: str | None = field(default=None, repr=False)
    pool_min: int = 0
    pool_max: int = 100
    pool_idle_s: float = 30.0
    timeout_s: float = 5.0

    @property
    def place(self) -> str:
        """Where it is, for people: never a user or a password."""
        if self.connection_string is None:
            return f"{self.host}:{self.port}/{self.database}"
        hosts = self.connection_string.partition("://")[2].rpartition("@")[2]
        for end in "/?":
            hosts = hosts.partition(end)[0]
        return f"{hosts}/{self.database}"

    def options(self) -> dict[str, Any]:
        """What the driver is told. Never log it."""
        given: dict[str, Any] = {
            "minPoolSize": self.pool_min,
            "maxPoolSize": self.pool_max,
            "maxIdleTimeMS": round(self.pool_idle_s * 1000),
            "serverSelectionTimeoutMS": round(self.timeout_s * 1000),
            "connectTimeoutMS": round(self.timeout_s * 1000),
            "waitQueueTimeoutMS": round(max(self.timeout_s, 30.0) * 1000),
            "socketTimeoutMS": round(_SOCKET_TIMEOUT_S * 1000),
            "appname": "pbf_ray",
            "connect": False,
        }
        if self.connection_string is not None:
            return {"host": self.connection_string, **given}
        given |= {"host": self.host, "port": self.port, "username": self.user}
        given |= {"password": self.password, "authSource": self.auth_source}
        if self.tls:
            given |= {"tls": True, "tlsCAFile": self.tls_ca_file}
        return {key: value for key, value in given.items() if value is not None}


class MongoConnection:
    """A client that is opened on use, in each process anew.

    Writes are acknowledged once a majority of the servers has them in its journal, and what is
    read cannot be rolled back.

    Args:
        address: The database.
        name: Name of the store, for messages.
    """

    def __init__(self, address: MongoAddress, *, name: str) -> None:
        self.address = address
        self.name = name
        self._lock = threading.Lock()
        self._client: MongoClient[dict[str, Any]] | None = None
        self._pid = 0
        self._shut: Callable[[], object] = _nothing

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (self.address, self.name)

    @contextmanager
    def database(self) -> Iterator[Database[dict[str, Any]]]:
        """The database; errors of the driver within the block become ours.

        Raises:
            StoreUnavailableError: The server is away or cannot serve now.
            StoreError: It refuses for good.
            StoreContentError: Documents do not fit.
        """
        try:
            yield self._opened().get_database(
                self.address.database,
                codec_options=_CODEC,
                write_concern=WriteConcern("majority", j=True),
                read_concern=ReadConcern("majority"),
            )
        except (PyMongoError, BSONError, OverflowError) as error:
            # Without its cause: what matters of it is in ours, addresses with passwords are not.
            raise translated(error, store=self.name, place=self.address.place) from None

    def close(self) -> None:
        """Close the connections of this process; the next use opens new ones."""
        with self._lock:
            self._client = None
            self._shut()

    def _opened(self) -> MongoClient[dict[str, Any]]:
        with self._lock:
            if self._client is None or self._pid != os.getpid():
                self._client = self._made()
                self._pid = os.getpid()
                # Also when nobody has closed the store: the client would complain.
                self._shut = weakref.finalize(self, _close, self._client, self._pid)
            return self._client

    def _made(self) -> MongoClient[dict[str, Any]]:
        try:
            with warnings.catch_warnings():
                # An option that the driver would leave out, "tls" among them.
                warnings.simplefilter("error", UserWarning)
                return pymongo.MongoClient(**self.address.options())
        except (ValueError, TypeError, UserWarning) as error:
            # Of a part of the address; the message may quote it.
            raise StoreError(
                self.name,
                f"its address cannot be used ({type(error).__name__})",
                advice="see mongodb.host and mongodb.port, or the connection string: special "
                "characters of user and password are written as %XX in it",
            ) from None


def _nothing() -> None:
    """What there is to be closed before the first use."""


def _close(client: MongoClient[dict[str, Any]], pid: int) -> None:
    # A client that came over a fork belongs to the parent.
    if pid == os.getpid():
        client.close()


def _reopen(address: MongoAddress, name: str) -> MongoConnection:
    return MongoConnection(address, name=name)
