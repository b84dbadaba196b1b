"""The one tree of errors.

Every error says what happened, where, and what to do about it. Its fields carry the facts, so
that a program need not read the message, and all of them survive pickling (they cross process
borders in Ray).

    PbfRayError
    ├── SettingError                  a bad setting: its key and where it came from
    ├── MissingDependencyError        an optional package is absent: names the pip extra
    ├── MalformedRecordError          FAILFAST decoding met a corrupt record
    ├── BrokerError                   anything Kafka
    │   ├── BrokerUnavailableError    nobody answers at the address (transient)
    │   ├── TopicMissingError
    │   ├── AccessDeniedError
    │   ├── TopicRecreatedError       the topic is not the one that the checkpoint knows
    │   ├── OffsetsVanishedError      planned offsets that the broker no longer has
    │   ├── BufferFullError           the producer's buffer stayed full (transient)
    │   └── RecordRefusedError        a record that cannot be sent as it is
    ├── SourceFailedError             a sensor source failed too often in a row
    ├── HandlerFailedError            a consumer's handler failed for good: names the record
    ├── StoreError                    anything a store does
    │   ├── StoreUnavailableError     may work later (transient)
    │   └── StoreContentError         the data or the table is wrong (terminal)
    ├── CheckpointError
    │   ├── CheckpointMismatchError   it belongs to another job
    │   ├── CheckpointVersionError    written by a newer version
    │   └── CheckpointCorruptError    checksum or structure is wrong
    ├── FencedError                   a newer run of the same job has taken over
    ├── StreamError
    │   ├── StateLimitError           window state grew over ``max_state_bytes``
    │   ├── WorkersLostError          workers died more often than the limit allows
    │   └── BooksError                the books do not balance: a defect in pbf_ray
    └── InputFileError                a file cannot be read: file, line or byte offset
        └── BuildFileError            a build file: with a code (truncated, bad_count, ...)
"""

from __future__ import annotations

from typing import Any, ClassVar

__all__ = [
    "AccessDeniedError",
    "BooksError",
    "BrokerError",
    "BrokerUnavailableError",
    "BufferFullError",
    "BuildFileError",
    "CheckpointCorruptError",
    "CheckpointError",
    "CheckpointMismatchError",
    "CheckpointVersionError",
    "FencedError",
    "HandlerFailedError",
    "InputFileError",
    "MalformedRecordError",
    "MissingDependencyError",
    "OffsetsVanishedError",
    "PbfRayError",
    "RecordRefusedError",
    "SettingError",
    "SourceFailedError",
    "StateLimitError",
    "StoreContentError",
    "StoreError",
    "StoreUnavailableError",
    "StreamError",
    "TopicMissingError",
    "TopicRecreatedError",
    "WorkersLostError",
]


def _rebuild(cls: type[PbfRayError], what: str, advice: str, facts: dict[str, Any]) -> PbfRayError:
    error = cls.__new__(cls)
    PbfRayError.__init__(error, what, advice=advice, **facts)
    return error


class PbfRayError(Exception):
    """Base of all errors of pbf_ray.

    Args:
        what: What happened and where, one line.
        advice: What to do, one line; may be empty.
        facts: The facts as fields; readable as attributes and in ``facts``.
    """

    transient: ClassVar[bool] = False
    """Whether the same call may succeed later without anybody changing anything."""

    def __init__(self, what: str, *, advice: str = "", **facts: Any) -> None:
        self.what = " ".join(what.split())
        self.advice = " ".join(advice.split())
        self.facts = facts
        super().__init__(f"{self.what} ({self.advice})" if self.advice else self.what)

    def __getattr__(self, name: str) -> Any:
        facts = self.__dict__.get("facts", {})
        if name in facts:
            return facts[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.what, self.advice, self.facts)


class SettingError(PbfRayError):
    """A setting is unknown or has a value that cannot be used."""

    def __init__(self, key: str, source: str, problem: str, *, advice: str = "") -> None:
        super().__init__(
            f"setting {key} (from {source}): {problem}",
            advice=advice,
            key=key,
            source=source,
            problem=problem,
        )


class MissingDependencyError(PbfRayError):
    """An optional package is not installed."""

    def __init__(self, package: str, extra: str, *, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package {package!r}, which is not installed",
            advice=f"pip install 'pbf_ray[{extra}]'",
            package=package,
            extra=extra,
        )


class MalformedRecordError(PbfRayError):
    """A record is corrupt and the mode is FAILFAST."""

    def __init__(self, reason: str, *, index: int, position: str = "") -> None:
        where = position or f"value {index} of the batch"
        super().__init__(
            f"malformed record at {where}: {reason}",
            advice="mode PERMISSIVE or dead_letter keeps going past corrupt records",
            reason=reason,
            index=index,
            position=position,
        )


class BrokerError(PbfRayError):
    """Kafka refused or failed."""


class BrokerUnavailableError(BrokerError):
    """No broker answers."""

    transient = True

    def __init__(self, address: str, problem: str, *, waited_s: float = 0.0) -> None:
        waited = f" for {waited_s:.0f} s" if waited_s else ""
        super().__init__(
            f"no Kafka broker answers at {address}{waited}: {problem}",
            advice="check that the broker runs and that kafka.bootstrap_servers is right",
            address=address,
            waited_s=waited_s,
        )


class TopicMissingError(BrokerError):
    """A topic does not exist."""

    def __init__(self, topic: str, address: str) -> None:
        super().__init__(
            f"topic {topic} does not exist on {address}",
            advice="create it: pbf-ray topics create",
            topic=topic,
            address=address,
        )


class AccessDeniedError(BrokerError):
    """The broker denies what was asked for."""

    def __init__(self, resource: str, address: str, problem: str) -> None:
        super().__init__(
            f"{address} denies access to {resource}: {problem}",
            advice="check the credentials in kafka.client and the ACLs of the broker",
            resource=resource,
            address=address,
        )


class TopicRecreatedError(BrokerError):
    """The topic of this name is not the one the checkpoint was written for."""

    def __init__(self, topic: str, *, expected: str, found: str) -> None:
        super().__init__(
            f"topic {topic} is not the one of the checkpoint: "
            f"id {found}, the checkpoint has {expected}",
            advice="it was deleted and made anew; run under another job name, "
            "whose outputs start afresh",
            topic=topic,
            expected=expected,
            found=found,
        )


class OffsetsVanishedError(BrokerError):
    """Planned offsets are no longer on the broker."""

    def __init__(
        self, topic: str, partition: int, *, wanted: int, first: int, last: int | None = None
    ) -> None:
        held = f"the broker has {first} and later" if last is None else f"it has {first}..{last}"
        advice = "retention removed unread records; --accept-loss records the gap and goes on"
        if last is not None and wanted > last:
            advice = (
                "the topic is shorter than it was: it was truncated, or restored from an older "
                "state; run under another job name"
            )
        super().__init__(
            f"{topic}/{partition}: offset {wanted} is gone, {held}",
            advice=advice,
            topic=topic,
            partition=partition,
            wanted=wanted,
            first=first,
            last=last,
        )


class BufferFullError(BrokerError):
    """The buffer of a producer has stayed full: records come faster than the broker takes them.

    The record of the call was not taken; it may be sent again.
    """

    transient = True

    def __init__(self, address: str, problem: str, *, waited_s: float, queued: int) -> None:
        super().__init__(
            f"the send buffer was full for {waited_s:g} s, {queued} records wait for "
            f"{address}: {problem}",
            advice="send it again later; if that goes on, the brokers are away or too slow",
            address=address,
            waited_s=waited_s,
            queued=queued,
        )


class RecordRefusedError(BrokerError):
    """A record cannot become a message of the topic: too large, or no JSON."""

    def __init__(self, topic: str, problem: str) -> None:
        super().__init__(
            f"a record for topic {topic} cannot be sent: {problem}",
            advice="it fails alone; change it, or the limits of producer and topic",
            topic=topic,
            problem=problem,
        )


class SourceFailedError(PbfRayError):
    """A sensor source failed again and again without giving a record, or could not be made."""

    def __init__(self, source: str, *, failures: int, cause: str) -> None:
        how = f"failed {failures} times in a row; last cause" if failures else "cannot be made"
        super().__init__(
            f"source {source} {how}: {cause}",
            advice="every record that it gave before is accounted for; repair it and start again"
            if failures
            else "see its module, and --arg for the arguments of its class",
            source=source,
            failures=failures,
            cause=cause,
        )


class HandlerFailedError(PbfRayError):
    """The handler of a consumer failed for good, and the consumer was told to stop then."""

    def __init__(
        self, topic: str, partition: int, offset: int, *, attempts: int, cause: str
    ) -> None:
        super().__init__(
            f"{topic}/{partition} offset {offset}: the handler failed {attempts} times: {cause}",
            advice="nothing from this record on is committed in its partition: mend the handler "
            'and start again, or set consumer.on_failure = "dead_letter"',
            topic=topic,
            partition=partition,
            offset=offset,
            attempts=attempts,
            cause=cause,
        )


class StoreError(PbfRayError):
    """A store failed."""

    def __init__(self, store: str, problem: str, *, advice: str = "", **facts: Any) -> None:
        super().__init__(
            f"store {store}: {problem}", advice=advice, store=store, problem=problem, **facts
        )


class StoreUnavailableError(StoreError):
    """The store cannot be reached or has no room now; it may work later."""

    transient = True


class StoreContentError(StoreError):
    """The store holds, or was given, something that does not fit its contract."""


class CheckpointError(PbfRayError):
    """The checkpoint cannot be used."""

    def __init__(self, path: str, problem: str, *, advice: str = "", **facts: Any) -> None:
        super().__init__(
            f"checkpoint {path}: {problem}", advice=advice, path=path, problem=problem, **facts
        )


class CheckpointMismatchError(CheckpointError):
    """The checkpoint was written by another job."""


class CheckpointVersionError(CheckpointError):
    """The checkpoint was written by a newer version of pbf_ray."""


class CheckpointCorruptError(CheckpointError):
    """A file of the checkpoint is damaged."""


class FencedError(PbfRayError):
    """A newer run of the same job has taken over; this one must stop."""

    def __init__(self, job: str, *, mine: int, newer: int, where: str) -> None:
        super().__init__(
            f"job {job}: run {newer} has taken over from run {mine} (seen at {where})",
            advice="only one run of a job may go on; give the second one another job name",
            job=job,
            mine=mine,
            newer=newer,
            where=where,
        )


class StreamError(PbfRayError):
    """The stream cannot go on."""


class StateLimitError(StreamError):
    """The window state is larger than allowed and cannot shrink."""

    def __init__(self, state_bytes: int, limit_bytes: int, *, holding: str) -> None:
        super().__init__(
            f"window state is {state_bytes} bytes, the limit is {limit_bytes}; "
            f"what holds it back: {holding}",
            advice="raise stream.max_state_bytes, or lower stream.allowed_lateness_s",
            state_bytes=state_bytes,
            limit_bytes=limit_bytes,
            holding=holding,
        )


class WorkersLostError(StreamError):
    """Workers died more often than the restart limit allows."""

    def __init__(self, what: str, *, restarts: int, cause: str) -> None:
        super().__init__(
            f"{what} died {restarts} times without progress; last cause: {cause}",
            advice="see the log of the worker; the checkpoint is whole, a restart goes on from it",
            restarts=restarts,
            cause=cause,
        )


class BooksError(StreamError):
    """consumed != accepted + dead letters + late + dropped + duplicates."""

    def __init__(self, books: dict[str, int], *, epoch: int) -> None:
        super().__init__(
            f"the books of epoch {epoch} do not balance: {books}",
            advice="this is a defect in pbf_ray: nothing was committed; please report it",
            books=books,
            epoch=epoch,
        )


class InputFileError(PbfRayError):
    """A file cannot be read as what it should be."""

    def __init__(
        self,
        file: str,
        problem: str,
        *,
        line: int | None = None,
        byte_offset: int | None = None,
        advice: str = "",
    ) -> None:
        where = file
        if line is not None:
            where += f", line {line}"
        if byte_offset is not None:
            where += f", byte {byte_offset}"
        super().__init__(
            f"{where}: {problem}",
            advice=advice,
            file=file,
            problem=problem,
            line=line,
            byte_offset=byte_offset,
        )


class BuildFileError(InputFileError):
    """A build file, or a part of it, cannot be read or written.

    Args:
        file: The file.
        problem: What is wrong, one line.
        code: What kind of thing is wrong: ``"truncated"``, ``"bad_count"``, ``"unsupported"``, ...;
            the list is in docs/formats.md.
        byte_offset: Where in the file; None where it is no matter of a place.
        layer: The layer that cannot be read, where it is a matter of one.
        advice: What to do.
    """

    def __init__(
        self,
        file: str,
        problem: str,
        *,
        code: str,
        byte_offset: int | None = None,
        layer: int | None = None,
        advice: str = "",
    ) -> None:
        super().__init__(
            file,
            problem if layer is None else f"layer {layer}: {problem}",
            byte_offset=byte_offset,
            advice=advice,
        )
        self.facts.update(problem=problem, code=code, layer=layer)
