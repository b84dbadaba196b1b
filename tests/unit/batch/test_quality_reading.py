"""Records of files, however the files are split; which files are taken."""

from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbf_ray.batch.quality import find_records
from pbf_ray.batch.quality.reading import read_slice
from pbf_ray.batch.quality.slices import lines_in, slices_of, uncounted, with_first_records
from pbf_ray.batch.quality.sources import FileRecords
from pbf_ray.errors import InputFileError, PbfRayError


def _read(source: FileRecords, split_bytes: int) -> list[tuple[str, int, int, bytes | None]]:
    slices = slices_of(source, split_bytes=split_bytes, split_records=1)
    counts = {piece: lines_in(piece) for piece in uncounted(slices)}
    found = []
    for piece in with_first_records(slices, counts):
        for records in read_slice(piece):
            batch = records.batch
            places = zip(batch.partition.tolist(), batch.offset.tolist(), strict=True)
            values = pa.array(batch.value, pa.binary()).to_pylist()
            found += [
                (batch.topics[0], *place, value)
                for place, value in zip(places, values, strict=True)
            ]
    return found


def _lines(content: bytes) -> list[bytes]:
    lines = content.split(b"\n")
    return lines[:-1] if lines[-1] == b"" else lines


@settings(max_examples=200)
@given(
    st.lists(st.sampled_from([b"", b"\n", b"\r", b"{}", b"ab", b'{"layer":1}\n']), max_size=12),
    st.integers(1, 30),
)
def test_lines_are_the_same_however_a_file_is_split(parts: list[bytes], split_bytes: int) -> None:
    import fsspec

    content = b"".join(parts)
    with fsspec.open("memory://lines/records.jsonl", "wb") as file:
        file.write(content)
    source = find_records(["memory://lines/records.jsonl"])
    assert isinstance(source, FileRecords)
    wanted = [("records.jsonl", 0, n, line) for n, line in enumerate(_lines(content))]
    assert _read(source, split_bytes) == wanted


def test_packed_files_and_byte_order_marks(tmp_path: Path) -> None:
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(b'\xef\xbb\xbf{"layer":1}\n\n{"layer":2}'))
    source = find_records([tmp_path])
    assert isinstance(source, FileRecords)
    assert [value for *_, value in _read(source, 4)] == [b'{"layer":1}', b"", b'{"layer":2}']
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(b"{}\n" * 1000)[:-9])
    with pytest.raises(InputFileError, match=r"a\.json\.gz: is no whole gzip file"):
        _read(source, 4)


def test_which_files_are_taken_and_what_they_are_called(tmp_path: Path) -> None:
    for name in ("a.jsonl", "in/a.jsonl", "in/_x.jsonl", ".h/a.jsonl", "b.csv", "in/b.ndjson"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"{}\n")
    pq.write_table(pa.table({"value": ["{}"]}), tmp_path / "v.parquet")

    def topics(*inputs: str) -> list[tuple[str, int]]:
        source = find_records([tmp_path / one for one in inputs])
        assert isinstance(source, FileRecords)
        return [(file.topic, file.partition) for file in source.files]

    assert topics("") == [
        ("a.jsonl", 0), ("in/a.jsonl", 0), ("in/b.ndjson", 0), ("v.parquet", 0)
    ]  # fmt: skip
    assert topics("b.csv") == [("b.csv", 0)], "named itself"
    assert topics("a.jsonl", "in") == [("a.jsonl", 0), ("a.jsonl", 1), ("b.ndjson", 0)]
    assert topics("in/*.jsonl", "in") == [("_x.jsonl", 0), ("a.jsonl", 0), ("b.ndjson", 0)]
    (tmp_path / "other").mkdir()
    (tmp_path / "b.csv").rename(tmp_path / "other" / "b.csv")
    with pytest.raises(PbfRayError, match="no file of records"):
        topics("other")
    with pytest.raises(InputFileError, match="there is no such file"):
        topics("absent")
    with pytest.raises(PbfRayError, match="cannot be read in one run"):
        find_records([tmp_path, "kafka://t"])
    pq.write_table(pa.table({"x": [1]}), tmp_path / "x.parquet")
    with pytest.raises(InputFileError, match=r"x\.parquet: holds no records: it has no column"):
        topics("x.parquet")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("kafka://", "names no topic"),
        ("kafka://t?begin=1", "begin is not known"),
        ("kafka://t?start=1&start=2", "or there twice"),
        ("kafka://t?start", "start"),
    ],
)
def test_topics_are_named_as_the_page_says(url: str, says: str) -> None:
    with pytest.raises(PbfRayError, match=says):
        find_records([url])
