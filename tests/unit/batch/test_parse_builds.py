from __future__ import annotations

import json
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pbf_ray.batch.builds import ParsedBuilds, ReadingOptions, parse_builds
from pbf_ray.batch.builds.inputs import find_inputs
from pbf_ray.batch.builds.opened import OpenedBuilds
from pbf_ray.batch.builds.parsing import rows_of, schema_of
from pbf_ray.batch.builds.tasks import split
from pbf_ray.batch.builds.vectors import vectors_of
from pbf_ray.batch.local import LocalEngine
from pbf_ray.buildplan import MachineTimes, plan_layers
from pbf_ray.contracts import BUILD_OUTPUTS
from pbf_ray.errors import BuildFileError, InputFileError, PbfRayError, StoreContentError
from pbf_ray.formats import BuildBatch, open_build
from support.small_builds import ascii_cli, damaged_cli, output_digest, output_table


@pytest.fixture
def builds(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "good.cli").write_bytes(ascii_cli(9))
    (folder / "bad.cli").write_bytes(damaged_cli(6, 4))
    (folder / "none.cli").write_bytes(b"solid nothing of the kind\n")
    (folder / "empty.cli").write_bytes(b"")
    (folder / "readme.txt").write_text("no build")
    return folder


def parse(source: Path, target: Path, **how: Any) -> ParsedBuilds:
    options = ReadingOptions(on_damage=how.pop("on_damage", "fail"))
    engine = LocalEngine(how.pop("threads", 2))
    return parse_builds([source], target, engine=engine, options=options, **how)


def test_good_files_are_read_and_bad_ones_are_named(builds: Path, tmp_path: Path) -> None:
    parsed = parse(builds, tmp_path / "out")
    assert parsed.by_status == {"read": 1, "partial": 0, "failed": 3, "skipped": 1}
    assert not parsed.whole
    assert {path.name for path in (tmp_path / "out" / "vectors").iterdir()} == {"build=good"}
    errors = {row["build"]: row for row in parsed.errors.to_pylist()}
    assert errors.keys() == {"bad", "none", "empty"}
    assert {row["effect"] for row in errors.values()} == {"file_left_out"}
    bad = (builds / "bad.cli").read_bytes()
    assert errors["bad"]["code"] == "bad_number"
    assert bad[errors["bad"]["byte_offset"] :].startswith(b"x,")
    assert output_table(tmp_path / "out", "errors").equals(parsed.errors)
    assert output_table(tmp_path / "out", "files").equals(parsed.files)


@pytest.mark.parametrize("split_bytes", [10_000, 40])
def test_damage_is_said_once_and_with_what_to_do(tmp_path: Path, split_bytes: int) -> None:
    # Opening a binary file meets the damage, and reading its layer meets it again.
    head = b"$$HEADERSTART\n$$BINARY\n$$UNITS/1\n$$HEADEREND"
    layers = [struct.pack("<HfHiii2f", 127, z, 130, 1, 1, 1, z, z) for z in (1.0, 2.0, 3.0)]
    layers[1] = layers[1][:6] + b"\x1f" + layers[1][7:]
    (tmp_path / "bad.cli").write_bytes(head + b"".join(layers))
    parsed = parse(
        tmp_path / "bad.cli", tmp_path / "out", on_damage="skip", split_bytes=split_bytes
    )
    [row] = parsed.errors.to_pylist()
    assert (row["effect"], row["layer"]) == ("layer_left_out", 1)
    assert row["byte_offset"] == len(head) + len(layers[0]) + 6
    assert row["problem"] == "there is no command 31"
    assert "export the file again" in row["advice"]
    strict = parse(tmp_path / "bad.cli", tmp_path / "out", split_bytes=split_bytes)
    [row] = strict.errors.to_pylist()
    assert (row["effect"], row["code"]) == ("file_left_out", "bad_command")
    assert "export the file again" in row["advice"]


def test_the_tables_are_those_of_the_file(builds: Path, tmp_path: Path) -> None:
    parse(builds / "good.cli", tmp_path / "out")
    build = open_build(builds / "good.cli")
    whole = build.read_layers(0, 9)
    vectors = output_table(tmp_path / "out", "vectors").drop_columns("build")
    assert vectors["layer"].to_pylist() == whole.geometries["layer"].to_pylist()
    assert (
        vectors["x_mm"]
        .combine_chunks()
        .flatten()
        .equals(whole.coordinates["x_mm"].combine_chunks())
    )
    assert [len(x) for x in vectors["x_mm"].to_pylist()] == whole.geometries["count"].to_pylist()
    z_by_layer = dict(zip(range(9), build.z_mm, strict=True))
    assert vectors["z_mm"].to_pylist() == [z_by_layer[n] for n in vectors["layer"].to_pylist()]
    plan = plan_layers(whole.layers, whole.geometries, whole.coordinates, build.build_styles)
    assert output_table(tmp_path / "out", "layers").drop_columns("build").equals(plan.layers)
    assert output_table(tmp_path / "out", "models")["name"].to_pylist() == ["plate"]
    assert "units_mm" in output_table(tmp_path / "out", "metadata")["key"].to_pylist()


def test_a_row_group_is_a_layer(builds: Path, tmp_path: Path) -> None:
    parse(builds / "good.cli", tmp_path / "out")
    (file,) = (tmp_path / "out" / "vectors").rglob("*.parquet")
    groups = pq.ParquetFile(file)
    layers = [
        set(groups.read_row_group(number, ["layer"])["layer"].to_pylist())
        for number in range(groups.num_row_groups)
    ]
    assert layers == [{number} for number in range(9) if number != 2]


@pytest.mark.parametrize("on_damage", ["fail", "skip"])
def test_the_result_does_not_depend_on_the_split(
    builds: Path, tmp_path: Path, on_damage: str
) -> None:
    results = []
    for parts in (1, 2, 5, 40):
        out = tmp_path / f"{parts}"
        size = max(file.stat().st_size for file in builds.iterdir())
        parsed = parse(builds, out, on_damage=on_damage, split_bytes=-(-size // parts))
        results.append({name: output_table(out, name) for name in BUILD_OUTPUTS})
        if parts == 5:
            assert len(list((out / "vectors" / "build=good").iterdir())) == 5
    for result in results[1:]:
        for name, table in results[0].items():
            assert result[name].to_pylist() == table.to_pylist(), name
    assert parsed.by_status["partial"] == (1 if on_damage == "skip" else 0)


def test_damaged_layers_are_left_out_when_asked(builds: Path, tmp_path: Path) -> None:
    parsed = parse(builds, tmp_path / "out", on_damage="skip")
    assert parsed.by_status == {"read": 1, "partial": 1, "failed": 2, "skipped": 1}
    (row,) = [row for row in parsed.errors.to_pylist() if row["build"] == "bad"]
    assert (row["effect"], row["layer"], row["code"]) == ("layer_left_out", 4, "bad_number")
    vectors = output_table(tmp_path / "out", "vectors").to_pylist()
    assert {row["layer"] for row in vectors if row["build"] == "bad"} == {0, 1, 3, 5}
    (file,) = [row for row in parsed.files.to_pylist() if row["build"] == "bad"]
    assert (file["layers"], file["layers_left_out"], file["geometries"]) == (6, 1, 8)


def test_a_second_run_replaces_the_first_whole(builds: Path, tmp_path: Path) -> None:
    parse(builds, tmp_path / "out")
    parse(builds, tmp_path / "again")
    (builds / "other.cli").write_bytes(ascii_cli(3))
    parse(builds / "other.cli", tmp_path / "out")
    assert {path.name for path in (tmp_path / "out" / "vectors").iterdir()} == {"build=other"}
    parse(builds / "good.cli", tmp_path / "again")
    (builds / "other.cli").unlink()
    parse(builds, tmp_path / "out")
    parse(builds, tmp_path / "again")
    assert output_digest(tmp_path / "out") == output_digest(tmp_path / "again")
    manifest = json.loads((tmp_path / "out" / "_manifest.json").read_text())
    assert manifest["state"] == "complete"
    listed = {row["name"] for row in manifest["files"]}
    assert listed | {"_manifest.json", "_SUCCESS"} == set(output_digest(tmp_path / "out"))


class _Broken(LocalEngine):
    """Does some tasks, and then fails as a lost cluster would."""

    def run(self, work: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterator[Any]:
        yield work(tasks[0])
        raise PbfRayError("the cluster is gone")


def test_a_run_that_fails_leaves_what_was_there(builds: Path, tmp_path: Path) -> None:
    parse(builds, tmp_path / "out")
    before = output_digest(tmp_path / "out")
    with pytest.raises(PbfRayError, match="gone"):
        parse_builds([builds], tmp_path / "out", engine=_Broken())
    assert output_digest(tmp_path / "out") == before
    with pytest.raises(PbfRayError, match="gone"):
        parse_builds([builds], tmp_path / "new", engine=_Broken())
    parse(builds, tmp_path / "new")
    assert output_digest(tmp_path / "new") == before


class _Forgetful(LocalEngine):
    """Loses what a task has written, as a disk that only a worker sees does."""

    def run(self, work: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterator[Any]:
        for receipt in super().run(work, tasks):
            for file in receipt.files:
                (Path(work.staging.path) / file.staged).unlink()  # type: ignore[attr-defined]
            yield receipt


def test_files_that_only_workers_see_are_an_error(builds: Path, tmp_path: Path) -> None:
    parse(builds / "good.cli", tmp_path / "out")
    before = output_digest(tmp_path / "out")
    with pytest.raises(PbfRayError, match="are not there") as caught:
        parse_builds([builds], tmp_path / "out", engine=_Forgetful())
    assert "all machines see" in caught.value.advice
    assert output_digest(tmp_path / "out") == before


def test_a_folder_of_something_else_is_not_touched(builds: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("years of work")
    with pytest.raises(StoreContentError, match=r"thesis\.tex"):
        parse(builds, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.tex"]


def test_other_file_systems_in_and_out(builds: Path, tmp_path: Path) -> None:
    memory = fsspec.filesystem("memory")
    root = f"/{tmp_path.name}"
    for file in builds.iterdir():
        memory.pipe_file(f"{root}/in/{file.name}", file.read_bytes())
    url = f"memory:/{root}"
    for memory_bytes in (1 << 20, 1):  # read into memory, or copied to disk
        options = ReadingOptions(memory_bytes=memory_bytes)
        parsed = parse_builds([f"{url}/in"], f"{url}/out", engine=LocalEngine(), options=options)
        assert parsed.by_status == {"read": 1, "partial": 0, "failed": 3, "skipped": 1}
        memory.get(f"{root}/out", str(tmp_path / f"copy-{memory_bytes}"), recursive=True)
        local = parse(builds, tmp_path / "local")
        assert parsed.rows == local.rows
        for name in ("vectors", "layers"):
            assert output_table(tmp_path / f"copy-{memory_bytes}", name).equals(
                output_table(tmp_path / "local", name)
            )
    small = ReadingOptions(memory_bytes=1, spool_bytes=100)
    parsed = parse_builds([f"{url}/in"], f"{url}/out", engine=LocalEngine(), options=small)
    assert {row["code"] for row in parsed.errors.to_pylist()} >= {"limit_exceeded"}


class _Elsewhere(LocalEngine):
    in_process = False


def test_memory_is_not_seen_by_workers(builds: Path, tmp_path: Path) -> None:
    for source, target in (("memory://x.cli", tmp_path / "out"), (builds, "memory://out")):
        fsspec.filesystem("memory").pipe_file("/x.cli", ascii_cli(1))
        with pytest.raises(PbfRayError, match="workers do not see"):
            parse_builds([source], target, engine=_Elsewhere())


def test_a_file_that_only_the_driver_sees_stops_the_run(builds: Path) -> None:
    (task,) = split(find_inputs([builds / "good.cli"]).files, ReadingOptions())
    (builds / "good.cli").unlink()
    with pytest.raises(BuildFileError, match="is gone") as gone:
        OpenedBuilds().open(task)
    assert gone.value.code == "io"
    with pytest.raises(InputFileError, match="though driver-7 sees it") as unseen:
        OpenedBuilds().open(replace(task, planned_on="driver-7"))
    assert not isinstance(unseen.value, BuildFileError)


def test_a_file_that_changes_while_it_is_read_is_an_error(builds: Path) -> None:
    (task,) = split(find_inputs([builds / "good.cli"]).files, ReadingOptions())
    (builds / "good.cli").write_bytes(ascii_cli(4))
    with pytest.raises(BuildFileError, match="has changed"):
        OpenedBuilds().open(task)


def test_a_file_is_opened_once_for_all_its_tasks(
    builds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []

    def count(source: Any, **how: Any) -> Any:
        opened.append(source)
        return open_build(source, **how)

    monkeypatch.setattr("pbf_ray.batch.builds.opened.open_build", count)
    tasks = split(find_inputs([builds / "good.cli"]).files, ReadingOptions(), split_bytes=100)
    assert len(tasks) > 5
    cache = OpenedBuilds(most=1)
    threads = [threading.Thread(target=cache.open, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 1
    other = split(find_inputs([builds / "bad.cli"]).files, ReadingOptions(on_damage="skip"))
    cache.open(other[0])
    cache.open(tasks[0])
    assert len(opened) == 3, "only so many are kept"


def test_rows_stand_for_themselves_whatever_the_order_of_the_coordinates() -> None:
    batch = open_build(ascii_cli(4)).read_layers(1, 4)
    turned = batch.coordinates.take(pa.array(range(len(batch.coordinates) - 1, -1, -1)))
    ends = (
        len(turned) - batch.geometries["offset"].to_numpy() - batch.geometries["count"].to_numpy()
    )
    moved = BuildBatch(
        batch.layers,
        batch.geometries.set_column(7, batch.geometries.schema.field(7), pa.array(ends)),
        turned,
    )
    for there, here in zip(
        vectors_of(moved)["x_mm"].to_pylist(), vectors_of(batch)["x_mm"].to_pylist(), strict=True
    ):
        assert there == here[::-1]


@pytest.mark.parametrize("what", sorted(set(BUILD_OUTPUTS) - {"files"}))
def test_rows_of_a_task_have_the_columns_that_are_promised(builds: Path, what: Any) -> None:
    (task,) = split(find_inputs([builds / "good.cli"]).files, ReadingOptions())
    (table,) = rows_of(task, what)
    assert table.schema.equals(schema_of(what), check_metadata=True)
    assert table.schema.names[:2] == ["build", "file"]
    bad = split(find_inputs([builds / "bad.cli"]).files, ReadingOptions())[0]
    if what in {"vectors", "layers", "layer_models"}:
        with pytest.raises(BuildFileError):
            list(rows_of(bad, what))
    skipping = replace(bad, options=ReadingOptions(on_damage="skip"))
    assert sum(map(len, rows_of(skipping, what))) > (0 if what != "build_styles" else -1)


def test_times_of_the_machine_reach_the_plan(builds: Path, tmp_path: Path) -> None:
    slow = ReadingOptions(machine=MachineTimes(recoat_time_s=9.0))
    parse_builds([builds / "good.cli"], tmp_path / "out", engine=LocalEngine(1), options=slow)
    times = output_table(tmp_path / "out", "layers")
    scan, whole = times["scan_time_s"].to_numpy(), times["layer_time_s"].to_numpy()
    assert np.array_equal(whole, scan + 9.0, equal_nan=True)


def test_progress_counts_to_the_end(builds: Path, tmp_path: Path) -> None:
    seen = []
    parse_builds([builds], tmp_path / "out", engine=LocalEngine(), split_bytes=200,
                 on_progress=seen.append)  # fmt: skip
    assert [step.tasks_done for step in seen] == list(range(seen[-1].tasks + 1))
    assert (seen[-1].failed, seen[-1].files) == (3, 4)
