from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pbf_ray.batch.spark import session as spark_session_module
from pbf_ray.cli.render.builds import parsing_line
from support.small_builds import ascii_cli, damaged_cli, output_table


@pytest.fixture
def files() -> Path:
    folder = Path("in")
    folder.mkdir()
    (folder / "good.cli").write_bytes(ascii_cli(5))
    (folder / "bad.cli").write_bytes(damaged_cli(4, 1))
    (folder / "notes.txt").write_text("no build")
    return folder


def test_parse_tells_what_became_of_every_file(run, files: Path) -> None:
    result = run("builds", "parse", files, "--output", "out", "--engine", "local")
    assert result.exit_code == 3
    cells = [line.split() for line in result.stdout.splitlines()]
    assert ["1", "read"] in cells
    assert ["1", "could", "not", "be", "read"] in cells
    assert ["vectors", "8"] in cells
    assert any(line.startswith("  left out: bad.cli, byte ") for line in result.stdout.splitlines())
    assert len(output_table(Path("out"), "vectors")) == 8
    assert result.stderr == "", "without a terminal there is no progress"


def test_info_says_one_layer_and_no_minus_0(run, files: Path) -> None:
    Path("one.cli").write_text(
        "$$HEADERSTART\n$$ASCII\n$$UNITS/1\n$$DIMENSION/-0.0,-0,0,1,2,-0\n$$HEADEREND\n"
        "$$GEOMETRYSTART\n$$LAYER/-0.0\n$$HATCHES/1,1,-0,-0,-0,-0\n$$GEOMETRYEND\n"
    )
    shown = run("builds", "info", "one.cli", "--full").stdout
    assert " 1 layer\n" in shown
    assert "x 0 to 1, y 0 to 2, z 0 to 0 mm" in shown
    assert "x 0 to 0, y 0 to 0 mm" in shown
    assert "1 geometry, 1 vector\n" in shown
    assert "0 to 0 mm\n" in shown


def test_parse_as_json_and_with_damaged_layers_left_out(run, files: Path) -> None:
    words = ("--output", "out", "--engine", "local", "--on-damage", "skip", "--split", "300 B")
    result = run("builds", "parse", files, *words, "--json")
    assert result.exit_code == 3
    plain = json.loads(result.stdout.splitlines()[-1])
    assert plain["files"] == {"read": 1, "partial": 1, "failed": 0, "skipped": 1}
    assert plain["rows"]["vectors"] == 8 + 4
    assert plain["tasks"] > 2
    assert [row["layer"] for row in plain["errors"]] == [1]
    good = run("builds", "parse", files / "good.cli", "--output", "out", "--engine", "local")
    assert good.exit_code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("none.cli", "--output", "out"), "none.cli: there is no such file or folder"),
        (("in", "--output", "in"), "holds something else than parsed build files"),
        (("in", "--output", "gopher://x"), "Protocol not known"),
        (("in/notes.txt", "in/none-*", "--output", "out"), "matches no file"),
    ],
)
def test_parse_says_in_one_line_why_it_cannot(run, files: Path, words: Any, said: str) -> None:
    result = run("builds", "parse", *words, "--engine", "local")
    assert result.exit_code == 1
    assert said in result.stderr
    assert "Traceback" not in result.output


def test_spark_without_java_names_the_version(
    run, files: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    words = ("builds", "parse", files, "--output", "out", "--engine", "spark")
    result = run(*words)
    assert result.exit_code == 1
    assert "the Spark engine needs Java 17 or newer, and none was found" in result.stderr
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho 'openjdk version \"1.8.0_292\"' >&2\n")
    java.chmod(0o755)
    assert "and Java 8 was found" in run(*words).stderr

    def absent(*_: object, **__: object) -> None:
        from pbf_ray.errors import MissingDependencyError

        raise MissingDependencyError("pyspark", "spark", purpose="the Spark engine")

    monkeypatch.setattr(spark_session_module, "require", absent)
    assert "pip install 'pbf_ray[spark]'" in run(*words).stderr


def test_info_shows_header_and_with_full_the_content(run, files: Path) -> None:
    result = run("builds", "info", files / "good.cli")
    assert result.exit_code == 0
    assert "cli, " in result.stdout
    assert "5 layers" in result.stdout
    assert "0.05 to 0.25 mm" in result.stdout
    assert "plate" in result.stdout
    plain = json.loads(run("builds", "info", files / "good.cli", "--full", "--json").stdout)
    assert plain["geometries"] == {"hatch": 4, "contour": 4, "points": 0, "jump": 0}
    assert (plain["hatch_vectors"], plain["empty_layers"]) == (12, 1)
    assert plain["bounding_box_mm"] == [0, 0, 14, 14]
    assert plain["layer_thickness_um"] == pytest.approx([50, 50, 50])
    assert all(len(line) <= 80 for line in run(
        "builds", "info", files / "good.cli", "--full", env={"COLUMNS": "80"}
    ).stdout.splitlines())  # fmt: skip


def test_info_shows_what_is_damaged(run, files: Path) -> None:
    result = run("builds", "info", files / "bad.cli", "--full")
    assert result.exit_code == 1
    assert "layer 1, byte" in result.stdout
    nothing = run("builds", "info", files / "notes.txt")
    assert nothing.exit_code == 1
    assert nothing.stdout == ""
    many = run("builds", "info", files)
    assert "names 2 build files" in many.stderr


def test_convert_and_diff(run, files: Path) -> None:
    source = files / "good.cli"
    done = run("builds", "convert", source, "out.cli")
    assert done.exit_code == 0, done.output
    assert "out.cli: cli, 5 layers, 8 geometries" in done.stdout
    assert run("builds", "diff", source, "out.cli").exit_code == 0
    ascii_again = run(
        "builds", "convert", "out.cli", "b.cli", "--option", "variant=ascii", "--json"
    )
    assert json.loads(ascii_again.stdout)["format"] == "cli"
    assert b"$$ASCII" in Path("b.cli").read_bytes()
    Path("other.cli").write_bytes(ascii_cli(5, shift_mm=0.01))
    different = run("builds", "diff", source, "other.cli")
    assert different.exit_code == 1
    assert "coordinates" in different.stdout
    assert run("builds", "diff", source, "other.cli", "--tolerance-um", 11).exit_code == 0
    plain = json.loads(run("builds", "diff", source, "other.cli", "--json").stdout)
    assert (plain["same"], plain["differences"][0]["what"]) == (False, "coordinates")


def test_convert_names_what_would_be_lost(run, files: Path) -> None:
    Path("plus.cli").write_bytes(
        ascii_cli(2).replace(b"$$POLYLINE", b"$$POWER/200\n$$SPEED/800\n$$POLYLINE", 1)
    )
    refused = run("builds", "convert", "plus.cli", "out.sli")
    assert refused.exit_code == 1
    assert "--allow-loss leaves it out" in refused.stderr
    assert not Path("out.sli").exists()
    done = run("builds", "convert", "plus.cli", "out.sli", "--allow-loss")
    assert done.exit_code == 0, done.output
    assert "left out: " in done.stderr
    assert Path("out.sli").exists()
    assert run("builds", "convert", "plus.cli", "x.cli", "--option", "nonsense").exit_code == 2


@pytest.mark.parametrize("by", ["kind", "model", "order"])
def test_plot_draws_what_is_there(run, files: Path, by: str) -> None:
    words = ("--layer", 4, "--out", f"{by}.png", "--by", by)
    result = run("builds", "plot", files / "good.cli", *words)
    assert result.exit_code == 0, result.output
    with Image.open(f"{by}.png") as picture:
        colours = {colour for _, colour in picture.convert("RGB").getcolors(1 << 20) or ()}
    wanted = {
        "kind": {(0, 0x72, 0xB2), (0xD5, 0x5E, 0)},  # hatches and contours
        "model": {(0, 0x72, 0xB2)},
        "order": {(68, 1, 84), (253, 231, 37)},  # both ends of the scale
    }[by]
    assert wanted <= colours
    again = run("builds", "plot", files / "good.cli", *words, "--json")
    plain = json.loads(again.stdout)
    assert (plain["geometries"], plain["strokes"]) == (2, 4 + 3)


def test_plot_says_what_it_cannot_show(run, files: Path) -> None:
    good = files / "good.cli"
    for words, code, said in (
        (("--layer", 9, "--out", "x.png"), 1, "has 5 layers, and no layer 9"),
        (("--layer", 0, "--out", "x.png", "--by", "power"), 1, "does not say the laser power"),
        (("--layer", 0, "--out", "x.gif"), 2, ".png, .pdf, .svg"),
        (("--layer", 0, "--out", "no/x.png"), 1, "cannot be written"),
    ):
        result = run("builds", "plot", good, *words)
        assert (result.exit_code, "Traceback" in result.output) == (code, False), result.output
        assert said in result.stderr
    damaged = run("builds", "plot", files / "bad.cli", "--layer", 1, "--out", "x.png")
    assert "layer 1 is damaged" in damaged.stderr
    assert run("builds", "plot", good, "--layer", 2, "--out", "empty.svg").exit_code == 0


def test_the_line_of_progress_fits_and_counts() -> None:
    progress = {"files": 3, "tasks": 8, "tasks_done": 4, "total_bytes": 100, "bytes_done": 50,
                "layers": 1234, "geometries": 9, "failed": 1}  # fmt: skip
    text = "".join(part for part, _ in parsing_line(progress, 2.0))
    assert " 50%" in text
    assert "1 bad" in text
    assert "1,234 layers" in text
    for width in (20, 40, 60, 80):
        assert len("".join(part for part, _ in parsing_line(progress, 2.0, width))) <= width
