from __future__ import annotations

import re
from pathlib import Path

import pytest

from pbf_ray.config import Settings, environment_names, known_keys, load_settings
from pbf_ray.errors import InputFileError, SettingError
from pbf_ray.logs import looks_secret


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_each_layer_wins_over_the_one_below(tmp_path: Path) -> None:
    file = write(
        tmp_path / "a.toml",
        "[stream]\nmode = 'strict'\nallowed_lateness_s = 1\nlayer_gap_s = 1\nepoch_max_rows = 1\n",
    )
    loaded = load_settings(
        file,
        {"PBF_RAY_STREAM__ALLOWED_LATENESS_S": "2", "PBF_RAY_STREAM__LAYER_GAP_S": "2"},
        {"stream.layer_gap_s": "3"},
        override_sources={"stream.layer_gap_s": "command line --set"},
    )
    stream = loaded.settings.stream
    assert (stream.mode, stream.epoch_max_rows) == ("strict", 1)
    assert (stream.allowed_lateness_s, stream.layer_gap_s) == (2.0, 3.0)
    assert loaded.sources["stream.mode"] == f"file {file}"
    assert loaded.sources["stream.allowed_lateness_s"] == (
        "environment PBF_RAY_STREAM__ALLOWED_LATENESS_S"
    )
    assert loaded.sources["stream.layer_gap_s"] == "command line --set"
    assert loaded.sources["stream.idle_timeout_s"] == "default"


def test_every_key_has_a_source() -> None:
    assert set(load_settings(environ={}).sources) == set(known_keys())


def test_own_names_win_over_those_of_the_replaced_pipeline() -> None:
    loaded = load_settings(
        environ={"POSTGRES_HOST": "old", "PBF_RAY_POSTGRES__HOST": "new", "REDIS_HOST": "cache"}
    )
    assert loaded.settings.postgres.host == "new"
    assert loaded.settings.redis.host == "cache"
    assert loaded.sources["postgres.host"] == "environment PBF_RAY_POSTGRES__HOST"
    assert loaded.sources["redis.host"] == "environment REDIS_HOST"


def test_an_empty_variable_of_the_replaced_pipeline_is_not_set() -> None:
    loaded = load_settings(environ={"POSTGRES_PORT": "", "REDIS_PASSWORD": ""})
    assert loaded.settings == Settings()
    assert set(loaded.sources.values()) == {"default"}


def test_empty_text_unsets_what_may_be_unset(tmp_path: Path) -> None:
    file = write(tmp_path / "a.toml", '[ray]\naddress = "auto"\n')
    loaded = load_settings(file, {"PBF_RAY_RAY__ADDRESS": ""})
    assert loaded.settings.ray.address is None
    with pytest.raises(SettingError, match="true or false"):
        load_settings(environ={"PBF_RAY_STREAM__UNTIL_END": ""})


def test_text_is_converted() -> None:
    settings = load_settings(
        environ={
            "PBF_RAY_KAFKA__TOPICS": "a, b",
            "PBF_RAY_STREAM__UNTIL_END": "true",
            "PBF_RAY_WORKERS__READERS": "3",
            "PBF_RAY_WORKERS__READER_CPUS": "0.25",
            "PBF_RAY_STREAM__MAX_STATE_BYTES": "1 GiB",
            "PBF_RAY_STORES__ROOT": "/somewhere",
        }
    ).settings
    assert settings.kafka.topics == ("a", "b")
    assert settings.stream.until_end is True
    assert (settings.workers.readers, settings.workers.reader_cpus) == (3, 0.25)
    assert settings.stream.max_state_bytes == 2**30
    assert settings.stores.root == Path("/somewhere")


def test_librdkafka_settings_meet_from_all_layers(tmp_path: Path) -> None:
    file = write(
        tmp_path / "a.toml",
        '[kafka.client]\nsasl.password = "from file"\n"security.protocol" = "SASL_SSL"\n'
        "socket.keepalive.enable = true\nretries = 5\n",
    )
    loaded = load_settings(
        file,
        {"PBF_RAY_KAFKA__CLIENT__SASL_PASSWORD": "from environment"},
        {"kafka.client.sasl.username": "reader"},
    )
    assert loaded.settings.kafka.client_config() == {
        "sasl.password": "from environment",
        "security.protocol": "SASL_SSL",
        "socket.keepalive.enable": "true",
        "retries": "5",
        "sasl.username": "reader",
    }
    assert loaded.sources["kafka.client.sasl.password"] == (
        "environment PBF_RAY_KAFKA__CLIENT__SASL_PASSWORD"
    )
    assert loaded.sources["kafka.client.retries"] == f"file {file}"
    assert loaded.sources["kafka.client.sasl.username"] == "overrides"


@pytest.mark.parametrize("found_by", ["argument", "variable", "folder"])
def test_the_file_is_found(found_by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    name = "pbf-ray.toml" if found_by == "folder" else "mine.toml"
    write(tmp_path / name, '[job]\nname = "found"\n')
    environ = {"PBF_RAY_CONFIG": name} if found_by == "variable" else {}
    loaded = load_settings(Path(name) if found_by == "argument" else None, environ)
    assert loaded.settings.job.name == "found"
    assert loaded.sources["job.name"] == f"file {name}"


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("[stream]\nmode = strict\n", 2, "invalid value"),
        ("[stream]\nmode = 'strict'\n[stream]\n", 3, "declare"),
        ("[stream\n", 1, "table declaration"),
        ("a = 1\nb =", 2, "invalid value"),
    ],
)
def test_bad_toml_is_named_with_its_line(
    tmp_path: Path, text: str, line: int, problem: str
) -> None:
    file = write(tmp_path / "bad.toml", text)
    with pytest.raises(InputFileError, match=problem) as caught:
        load_settings(file, {})
    assert (caught.value.file, caught.value.line) == (str(file), line)


def test_an_absent_or_binary_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match=r"no\.toml: there is no such file"):
        load_settings(tmp_path / "no.toml", {})
    binary = tmp_path / "x.toml"
    binary.write_bytes(b"\xff\xfe")
    with pytest.raises(InputFileError, match=r"x\.toml: cannot be read"):
        load_settings(binary, {})
    with pytest.raises(InputFileError, match="cannot be read"):
        load_settings(tmp_path, {})


@pytest.mark.parametrize(
    ("key", "nearest"),
    [
        ("stream.mod", "stream.mode"),
        ("steam.mode", "stream.mode"),
        ("mode", "stream.mode"),
        ("kafka.bootstrap.servers", "kafka.bootstrap_servers"),
        ("job.topics", "kafka.topics"),
    ],
)
def test_an_unknown_key_is_named_with_its_source_and_the_nearest(key: str, nearest: str) -> None:
    with pytest.raises(SettingError) as caught:
        load_settings(
            environ={}, overrides={key: "x"}, override_sources={key: "command line --set"}
        )
    assert caught.value.key == key
    assert caught.value.source == "command line --set"
    assert caught.value.advice == f"did you mean {nearest}?"


def test_unknown_keys_of_files_and_variables(tmp_path: Path) -> None:
    section = write(tmp_path / "section.toml", "[streem]\nmode = 'strict'\n")
    with pytest.raises(SettingError, match=r"streem \(from file .*did you mean stream\?"):
        load_settings(section, {})
    value = write(tmp_path / "value.toml", "stream = 'strict'\n")
    with pytest.raises(SettingError, match=r"is a section, not a value \(write it as \[stream\]"):
        load_settings(value, {})
    with pytest.raises(SettingError, match=r"environment PBF_RAY_STREAM__MOD\).*stream\.mode"):
        load_settings(environ={"PBF_RAY_STREAM__MOD": "strict"})
    with pytest.raises(SettingError, match="write PBF_RAY_STREAM__MODE"):
        load_settings(environ={"PBF_RAY_STREAM_MODE": "strict"})


def test_variables_of_other_things_are_left_alone() -> None:
    assert load_settings(environ={"PBF_RAY_SOMETHING": "x", "STREAM__MODE": "x"}).settings == (
        Settings()
    )


def test_a_wrong_value_names_its_source_and_the_other_wrong_keys(tmp_path: Path) -> None:
    file = write(tmp_path / "a.toml", "[workers]\nreaders = 0\n[stream]\nmode = 'x'\n")
    with pytest.raises(SettingError) as caught:
        load_settings(file, {"POSTGRES_PORT": "many"})
    assert caught.value.key == "stream.mode"
    assert caught.value.source == f"file {file}"
    assert caught.value.advice == "also wrong: postgres.port, workers.readers"


def test_load_is_short_for_load_settings(tmp_path: Path) -> None:
    file = write(tmp_path / "a.toml", '[job]\nname = "short"\n')
    assert Settings.load(file, {}, {"stream.mode": "strict"}) == Settings(
        job={"name": "short"}, stream={"mode": "strict"}
    )


EXAMPLE = Path(__file__).parents[3] / "examples" / "pbf-ray.toml"


def test_the_example_has_every_setting_with_its_default(tmp_path: Path) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    assert load_settings(EXAMPLE, {}).settings == Settings()
    # A setting that is commented out has no blank after the #.
    taken = write(tmp_path / "taken.toml", re.sub(r"^#(?=\w)", "", text, flags=re.MULTILINE))
    loaded = load_settings(taken, {})
    default = dict(Settings().items())
    given = {key for key, source in loaded.sources.items() if source != "default"}
    secret = {key for key in known_keys() if looks_secret(key)}
    assert set(known_keys()) - given == secret | {"kafka.client"}
    assert all(name in text for name, key in environment_names().items() if key in secret)
    for key, value in loaded.settings.items():
        if default.get(key) is not None:
            assert value == default[key], key
