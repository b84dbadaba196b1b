from __future__ import annotations

from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pbf_ray.errors import InputFileError
from pbf_ray.simulate import rows
from pbf_ray.simulate.mapping import FileForm
from pbf_ray.simulate.rows import BadLine, read_rows


def _read(
    path: Path, wanted: tuple[str, ...], **form: Any
) -> tuple[list[tuple[int, tuple[object, ...]]], list[BadLine]]:
    bad: list[BadLine] = []
    found = [(row.line, row.cells) for row in read_rows(path, FileForm(**form), wanted, bad.append)]
    return found, bad


def _file(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "log"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_csv_with_quotes_spaces_and_missing_values(tmp_path: Path) -> None:
    path = _file(tmp_path, 't, "a,b",c\r\n1,"x, ""y""", 3 \r\n2,,NA\n')
    assert _read(path, ("a,b", "c"), format="csv") == (
        [(2, ('x, "y"', "3")), (3, (None, None))],
        [],
    )


def test_repeated_headers_comments_and_empty_lines_are_no_bad_lines(tmp_path: Path) -> None:
    path = _file(tmp_path, "junk\n# note\nT | N |\nT | N |\n1|2|\n\n  T|N|\n# note\n3|4|\n")
    assert _read(path, ("N",), format="pipe", skip_lines=1, comment="#") == (
        [(5, ("2",)), (9, ("4",))],
        [],
    )


def test_bad_lines_are_reported_by_number_and_spoil_no_others(tmp_path: Path) -> None:
    text = b'a,b\n1,2\n1\n1,2,3\n1,"2\n1,\xff\n1,2,,\n3,4\n'
    found, bad = _read(_file(tmp_path, text), ("a", "b"), format="csv")
    assert found == [(2, ("1", "2")), (7, ("1", "2")), (8, ("3", "4"))]
    assert [line.line for line in bad] == [3, 4, 5, 6]
    assert "1 cells" in bad[0].reason
    assert "3 cells" in bad[1].reason
    assert "cells" in bad[2].reason
    assert "utf-8" in bad[3].reason


def test_a_line_without_end_is_bad_and_is_not_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "_LONGEST_LINE", 64)
    path = _file(tmp_path, "a\n" + "x" * 1000 + "\n7\n" + "y" * 1000)
    found, bad = _read(path, ("a",), format="csv")
    assert found == [(3, ("7",))]
    assert [line.line for line in bad] == [2, 4]


def test_named_columns_stand_for_a_header(tmp_path: Path) -> None:
    path = _file(tmp_path, "1\t2\n3\t4\n")
    found, _ = _read(path, ("b",), format="tsv", columns=("a", "b"))
    assert found == [(1, ("2",)), (2, ("4",))]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    path = _file(tmp_path, "T (°C);p\n1598,5;2\n".encode(encoding))
    form = {"format": "csv", "delimiter": ";"}
    found, _ = _read(path, ("T (°C)",), encoding=encoding, **form)
    assert found == [(2, ("1598,5",))]


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    path = _file(tmp_path, b"\xef\xbb\xbfa,b\n1,2\n")
    assert _read(path, ("a",), format="csv")[0] == [(2, ("1",))]


def test_jsonl_keeps_types_and_reports_what_is_no_object(tmp_path: Path) -> None:
    path = _file(tmp_path, '{"a":1.5,"b":" x "}\n[1]\n{"a":\n\n{"b":"NA"}\n{"a":NaN,"b":true}\n')
    found, bad = _read(path, ("a", "b"), format="jsonl")
    assert found == [(1, (1.5, "x")), (5, (None, None)), (6, (None, True))]
    assert [line.line for line in bad] == [2, 3]


def test_parquet_row_numbers_times_and_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "_BATCH_ROWS", 2)
    moment = datetime(2025, 2, 13, 14, 37, 11, 250_000, tzinfo=UTC)
    table = pa.table(
        {
            "when": pa.array([moment] * 3, pa.timestamp("ns", tz="UTC")),
            "clock": pa.array([time(14, 37, 11)] * 3, pa.time64("ns")),
            "p": pa.array([1.0, None, float("nan")]),
            "unused": ["x"] * 3,
        }
    )
    path = tmp_path / "log.parquet"
    pq.write_table(table, path)
    found, _ = _read(path, ("p", "when", "clock"), format="parquet")
    assert [line for line, _ in found] == [1, 2, 3]
    assert [cells[0] for _, cells in found] == [1.0, None, None]
    assert {cells[1] for _, cells in found} == {moment}
    assert {cells[2] for _, cells in found} == {time(14, 37, 11)}


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_a_file_that_is_not_there(tmp_path: Path, form: str) -> None:
    with pytest.raises(InputFileError, match="nowhere") as caught:
        _read(tmp_path / "nowhere", ("a",), format=form)
    assert caught.value.file.endswith("nowhere")


@pytest.mark.parametrize(
    ("text", "form", "problem"),
    [
        (b"", {"format": "csv"}, "no line that names the columns"),
        (b"b,c\n1,2\n", {"format": "csv"}, "no column 'a'"),
        (b"a,a\n1,2\n", {"format": "csv"}, "more than one column 'a'"),
        (b'a,"b\n', {"format": "csv"}, "header"),
        (b"\xff\xfea", {"format": "csv", "encoding": "utf-16"}, "is not utf-16 text"),
        (b"PAR1 or not", {"format": "parquet"}, "Parquet"),
    ],
)
def test_files_that_cannot_be_read_at_all(
    tmp_path: Path, text: bytes, form: dict[str, Any], problem: str
) -> None:
    with pytest.raises(InputFileError, match=problem):
        _read(_file(tmp_path, text), ("a",), **form)


def test_an_error_of_the_caller_is_not_taken_for_one_of_the_file(tmp_path: Path) -> None:
    path = _file(tmp_path, "a\n1,2\n")

    def broken(_: BadLine) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        list(read_rows(path, FileForm(format="csv"), ("a",), broken))
