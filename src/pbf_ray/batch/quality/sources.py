"""Which records a batch reads: files of JSON lines or Parquet, or bounded ranges of topics."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Final, Literal, TypeAlias

import pyarrow.parquet as pq

from pbf_ray.batch.places import Place, place_of
from pbf_ray.batch.quality.parquet_records import parquet_kind
from pbf_ray.batch.quality.topic_ranges import TopicRecords, find_topic_records, is_topic_url
from pbf_ray.errors import InputFileError, PbfRayError

__all__ = ["BrokerAccess", "FileRecords", "RecordFile", "RecordSource", "find_records"]

FileKind: TypeAlias = Literal["json", "values", "columns"]

_JSON: Final = frozenset({".jsonl", ".ndjson", ".json", ".txt", ".log"})
_PARQUET: Final = frozenset({".parquet", ".pq"})
_PACKED: Final = ".gz"
_MAGIC: Final = frozenset("*?[")


@dataclass(frozen=True)
class BrokerAccess:
    """How topics are reached.

    Attributes:
        bootstrap_servers: Comma-separated ``host:port``.
        client: Further librdkafka settings; may hold secrets.
        topics: Topics to read where the input names none.
        timeout_s: How long brokers may not answer.
    """

    bootstrap_servers: str = "localhost:9092"
    client: Mapping[str, str] = field(default_factory=dict, repr=False)
    topics: tuple[str, ...] = ()
    timeout_s: float = 60.0


@dataclass(frozen=True)
class RecordFile:
    """A file of records.

    Attributes:
        url: Where it is: an absolute path, or a URL.
        size: Its bytes.
        kind: ``"json"``: a record per line; ``"values"``: Parquet with a column ``value`` of raw
            records; ``"columns"``: Parquet with the fields of the record as columns.
        packed: Whether it is compressed as a whole (gzip), and cannot be read from its middle.
        topic: What its records have in the place of the topic: its path below the input that names
            it.
        partition: Which of the files with that path it is; 0 where there is one.
        row_groups: Rows of each row group, of Parquet.
        layout: Columns of a Parquet file, as text: files with the same are alike.
    """

    url: str
    size: int
    kind: FileKind
    packed: bool = False
    topic: str = ""
    partition: int = 0
    row_groups: tuple[int, ...] = ()
    layout: str = ""


@dataclass(frozen=True)
class FileRecords:
    """Records in files; each stands at (topic, partition, number of the record in the file).

    Attributes:
        files: The files, ordered by topic and partition.
    """

    files: tuple[RecordFile, ...]

    @property
    def sources(self) -> dict[str, str]:
        """Source id per topic: files are their own sources."""
        return {}

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


RecordSource: TypeAlias = FileRecords | TopicRecords


def find_records(
    inputs: Iterable[str | os.PathLike[str]], access: BrokerAccess | None = None
) -> RecordSource:
    """The records that inputs name.

    An input is a file, a folder (with all below it), a pattern, a URL of those, or topics as
    ``kafka://TOPIC[,TOPIC...][?start=...&end=...]``. A file that is named itself is read whatever
    its suffix; of a folder, and of a pattern that leaves the suffix open, what ends like JSON
    lines (also ``.gz``) or Parquet is. Files and topics cannot be mixed.

    Args:
        inputs: The inputs.
        access: How topics are reached.

    Raises:
        InputFileError: A path names nothing, or a Parquet file holds no records.
        PbfRayError: There is nothing to read, or files and topics are mixed.
        BrokerError: The topics cannot be asked.
    """
    named = [os.fspath(one) for one in inputs]
    topics = [one for one in named if is_topic_url(one)]
    if topics and len(topics) < len(named):
        raise PbfRayError(
            "files and topics cannot be read in one run", advice="run the job once for each"
        )
    if topics:
        access = access or BrokerAccess()
        return find_topic_records(
            topics,
            access.bootstrap_servers,
            access.client,
            default_topics=access.topics,
            timeout_s=access.timeout_s,
        )
    found: dict[str, RecordFile] = {}
    for one in named:
        for file in _files(place_of(one)):
            found.setdefault(file.url, file)
    if not found:
        raise PbfRayError(
            "there is no file of records in what was named",
            advice="records are in JSON lines (.jsonl, .ndjson, .json, also .gz) or Parquet; "
            "a file that is named itself is read whatever its suffix",
        )
    return FileRecords(tuple(_numbered(found.values())))


def _files(place: Place) -> Iterator[RecordFile]:
    with place.errors():
        if place.is_folder():
            for path, info in sorted(place.files().items()):
                below = path[len(place.path) :].lstrip("/")
                if _is_record_file(below):
                    yield _file(place, path, int(info["size"] or 0), below)
        elif place.exists():
            name = PurePosixPath(place.path).name
            yield _file(place, place.path, int(place.info()["size"] or 0), name)
        elif _MAGIC & set(place.path):
            matched = place.matches()
            if not matched:
                raise InputFileError(place.url, "matches no file", advice="check the pattern")
            fixed = place.path[: min(place.path.index(c) for c in _MAGIC & set(place.path))]
            root = fixed.rpartition("/")[0]
            any_suffix = not PurePosixPath(place.path).suffix or bool(
                _MAGIC & set(PurePosixPath(place.path).suffix)
            )
            for path, info in sorted(matched.items()):
                below = path[len(root) :].lstrip("/")
                if not any_suffix or _is_record_file(below):
                    yield _file(place, path, int(info["size"] or 0), below)
        else:
            raise InputFileError(place.url, "there is no such file or folder", advice="check it")


def _is_record_file(below: str) -> bool:
    """Whether a file of a folder is called like one of records, and not hidden."""
    parts = PurePosixPath(below)
    if any(part.startswith((".", "_")) for part in parts.parts):
        return False
    suffixes = [suffix.lower() for suffix in parts.suffixes]
    if suffixes[-1:] == [_PACKED]:
        return suffixes[-2:-1] != [] and suffixes[-2] in _JSON
    return suffixes[-1:] != [] and suffixes[-1] in _JSON | _PARQUET


def _file(place: Place, path: str, size: int, topic: str) -> RecordFile:
    url = place.url_of(path)
    head = place.head(path, 4)
    if head == b"PAR1":
        with place.file_system.open(path, "rb") as stream:
            try:
                metadata = pq.read_metadata(stream)
            except (OSError, ValueError) as error:
                raise InputFileError(url, f"is no whole Parquet file: {error}") from error
        groups = tuple(metadata.row_group(n).num_rows for n in range(metadata.num_row_groups))
        schema = metadata.schema.to_arrow_schema()
        kind: FileKind = parquet_kind(schema, url)
        layout = schema.remove_metadata().to_string()
        return RecordFile(url, size, kind, topic=topic, row_groups=groups, layout=layout)
    return RecordFile(url, size, "json", packed=head[:2] == b"\x1f\x8b", topic=topic)


def _numbered(files: Iterable[RecordFile]) -> Iterator[RecordFile]:
    """Ordered, and files with one path below their inputs told apart."""
    seen: dict[str, int] = {}
    for file in sorted(files, key=lambda file: (file.topic, file.url)):
        number = seen.get(file.topic, 0)
        seen[file.topic] = number + 1
        yield replace(file, partition=number)
