from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from pydantic import ValidationError

from pbf_ray.config import Settings, describe, environment_names, known_keys
from pbf_ray.config.sections import DEDUP_KEYS
from pbf_ray.config.settings import MASK
from pbf_ray.contracts import RECORD_SCHEMA
from pbf_ray.errors import SettingError

SECRETS = {
    "kafka": {"client": {"sasl.password": "hunter2", "security.protocol": "SASL_SSL"}},
    "postgres": {"password": "hunter2"},
    "mongodb": {"password": "hunter2"},
    "mongodb_atlas": {"connection_string": "mongodb+srv://u:hunter2@host"},
    "redis": {"password": "hunter2"},
    "local_s3": {"access_key": "hunter2", "secret_key": "hunter2"},
    "aws": {"access_key_id": "hunter2", "secret_access_key": "hunter2"},
    "snowflake": {"password": "hunter2"},
}


def test_defaults_are_those_of_the_replaced_pipeline_where_it_had_them() -> None:
    settings = Settings()
    assert settings.kafka.bootstrap_servers == "localhost:9092"
    assert settings.kafka.topics == ("ispm-monitoring",)
    assert (settings.postgres.database, settings.postgres.user) == ("pbf_lbm", "pbf_user")
    assert (settings.postgres.pool_size, settings.postgres.pool_overflow) == (20, 30)
    assert (settings.snowflake.warehouse, settings.snowflake.role) == ("PBF_WH", "PBF_ROLE")
    assert settings.local_s3.endpoint == "http://localhost:9000"


def test_no_secret_has_a_default() -> None:
    plain = dict(Settings().items(mask=False))
    secret_keys = {f"{section}.{key}" for section in SECRETS for key in SECRETS[section]}
    secret_keys -= {"kafka.client"}
    assert {key: plain[key] for key in secret_keys} == dict.fromkeys(secret_keys)


def test_folders_follow_the_job_unless_given(tmp_path: Path) -> None:
    settings = Settings(job={"name": "night-shift", "data_dir": tmp_path})
    assert settings.stores_root == tmp_path / "night-shift"
    assert settings.checkpoint_path == tmp_path / "night-shift" / "checkpoint"
    assert settings.group_id == "night-shift"
    other = settings.replace(
        {"stores.root": tmp_path / "s", "checkpoint.path": tmp_path / "c", "kafka.group_id": "g"}
    )
    assert other.stores_root == tmp_path / "s"
    assert other.checkpoint_path == tmp_path / "c"
    assert other.group_id == "g"


def test_paths_do_not_change_with_the_folder_of_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings()
    monkeypatch.chdir("/")
    assert settings.job.data_dir == tmp_path / "pbf-data"


@pytest.mark.parametrize(
    ("section", "key", "value", "expected"),
    [
        ("stream", "mode", "strikt", "'watermark' or 'strict'"),
        ("stream", "malformed", "ignore", "'dead_letter', 'drop' or 'fail'"),
        ("stream", "start_from", "now", "'earliest' or 'latest'"),
        ("stream", "allowed_lateness_s", -0.5, "greater than or equal to 0"),
        ("stream", "allowed_lateness_s", float("inf"), "finite"),
        ("stream", "layer_gap_s", 0, "greater than 0"),
        ("stream", "epoch_max_rows", 0, "greater than 0"),
        ("stream", "epoch_max_rows", 1.5, "whole number"),
        ("stream", "epoch_max_rows", True, "a number"),
        ("stream", "max_epochs_in_flight", 3, "less than or equal to 2"),
        ("stream", "max_state_bytes", "8 gallons", "8 GiB"),
        ("stream", "dedup_key", "layer", "_metadata.message_id"),
        ("stream", "until_end", "perhaps", "true or false"),
        ("workers", "readers", 0, "greater than 0"),
        ("workers", "windows", 65, "at most buckets (64)"),
        ("workers", "max_restarts", -1, "greater than or equal to 0"),
        ("ray", "object_store_mb", 10, "greater than or equal to 75"),
        ("job", "name", "Night Shift", "a-z"),
        ("job", "name", "-x", "letter or digit first"),
        ("job", "name", "../x", "a-z"),
        ("kafka", "topics", [], "at least 1"),
        ("kafka", "topics", ["a", "a"], "each topic once"),
        ("kafka", "topics", ["a b"], "'a b' cannot be the name"),
        ("kafka", "bootstrap_servers", "a:1,,b:2", "host:port"),
        ("kafka", "client", "sasl", "table"),
        ("checkpoint", "keep", 1, "greater than or equal to 2"),
        ("postgres", "port", 65536, "less than or equal to 65535"),
    ],
)
def test_a_value_that_does_not_fit_is_named_with_what_would_be_right(
    section: str, key: str, value: object, expected: str
) -> None:
    with pytest.raises(SettingError) as caught:
        Settings(**{section: {key: value}})
    assert caught.value.key == f"{section}.{key}"
    assert expected in caught.value.problem


@pytest.mark.parametrize("key", ["group.id", "enable.auto.commit", "bootstrap.servers", "acks"])
def test_librdkafka_settings_that_exactly_once_rests_on_are_refused(key: str) -> None:
    with pytest.raises(SettingError, match="cannot be set") as caught:
        Settings(kafka={"client": {key: "x"}})
    assert caught.value.key == f"kafka.client.{key}"


def test_sizes_may_have_units() -> None:
    def limit(text: str) -> int:
        return Settings(stream={"max_state_bytes": text}).stream.max_state_bytes

    assert limit("8 GiB") == 8 * 2**30
    assert limit("500MB") == 500_000_000
    assert limit("1.5gib") == 3 * 2**29
    assert limit("1024") == 1024


def test_dedup_keys_are_the_text_fields_of_the_record() -> None:
    found: list[str] = []
    for field in RECORD_SCHEMA:
        if pa.types.is_string(field.type):
            found.append(field.name)
        elif pa.types.is_struct(field.type):
            found += [
                f"{field.name}.{inner.name}" for inner in field.type if inner.type == pa.string()
            ]
    assert tuple(found) == DEDUP_KEYS


def test_secrets_show_nowhere_but_are_there_when_asked() -> None:
    settings = Settings(**SECRETS)
    for text in (repr(settings), str(settings), settings.model_dump_json()):
        assert "hunter2" not in text
    shown = settings.to_plain()
    assert "hunter2" not in json.dumps(shown)
    assert shown["kafka"]["client"] == {
        "sasl.password": "********",
        "security.protocol": "SASL_SSL",
    }
    assert dict(settings.items())["redis.password"] == MASK
    clear = dict(settings.items(mask=False))
    assert [key for key, value in clear.items() if value == "hunter2"] == [
        f"{section}.{name}"
        for section, values in SECRETS.items()
        for name in (["client.sasl.password"] if section == "kafka" else values)
        if section != "mongodb_atlas"
    ]
    assert settings.kafka.client_config()["sasl.password"] == "hunter2"


@pytest.mark.parametrize("key", ["password", "connection_string"])
def test_a_wrong_secret_is_not_repeated_in_the_error(key: str) -> None:
    section = "mongodb_atlas" if key == "connection_string" else "postgres"
    with pytest.raises(SettingError) as caught:
        Settings(**{section: {key: 271828}})
    assert caught.value.key == f"{section}.{key}"
    assert "271828" not in f"{caught.value}{caught.value.__cause__}"


def test_settings_pickle_with_their_secrets() -> None:
    settings = Settings(**SECRETS)
    copy = pickle.loads(pickle.dumps(settings))  # noqa: S301
    assert copy == settings
    assert copy.to_plain(mask=False) == settings.to_plain(mask=False)


def test_plain_values_make_the_same_settings_again() -> None:
    settings = Settings(**SECRETS, stream={"mode": "strict"}, stores={"root": "somewhere"})
    assert Settings(**json.loads(json.dumps(settings.to_plain(mask=False)))) == settings


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().stream.mode = "strict"  # type: ignore[misc]


def test_replace_checks_like_the_first_time() -> None:
    settings = Settings().replace({"stream.mode": "strict", "kafka.client.debug": "all"})
    assert settings.stream.mode == "strict"
    assert settings.kafka.client_config() == {"debug": "all"}
    assert settings.stream.epoch_max_rows == Settings().stream.epoch_max_rows
    with pytest.raises(SettingError, match=r"did you mean stream\.mode"):
        settings.replace({"stream.mod": "strict"})
    with pytest.raises(SettingError, match=r"stream\.mode"):
        settings.replace({"stream.mode": "sloppy"})


def test_every_setting_is_described() -> None:
    assert len(known_keys()) > 70
    assert [key for key in known_keys() if not describe(key)] == []


def test_environment_names_of_the_replaced_pipeline_and_of_ray() -> None:
    names = environment_names()
    assert {
        "KAFKA_BOOTSTRAP_SERVERS", "POSTGRES_HOST", "POSTGRES_PORT", "POSTGRES_DB",
        "POSTGRES_USER", "POSTGRES_PASSWORD", "MONGODB_HOST", "MONGODB_PORT", "MONGODB_DB",
        "MONGODB_USER", "MONGODB_PASSWORD", "REDIS_HOST", "REDIS_PORT", "REDIS_PASSWORD",
        "REDIS_DB", "LOCAL_S3_ENDPOINT", "LOCAL_S3_ACCESS_KEY", "LOCAL_S3_SECRET_KEY",
        "LOCAL_S3_REGION", "LOCAL_S3_BUCKET", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
        "AWS_REGION", "AWS_S3_BUCKET", "SNOWFLAKE_ACCOUNT", "SNOWFLAKE_USER",
        "SNOWFLAKE_PASSWORD", "SNOWFLAKE_WAREHOUSE", "SNOWFLAKE_DATABASE", "SNOWFLAKE_SCHEMA",
        "SNOWFLAKE_ROLE", "GCP_PROJECT_ID", "GCP_CREDENTIALS_PATH", "BIGQUERY_DATASET",
        "BIGQUERY_LOCATION", "MONGODB_ATLAS_CONNECTION_STRING", "MONGODB_ATLAS_DB", "RAY_ADDRESS",
    } == set(names)  # fmt: skip
    assert set(names.values()) <= set(known_keys())


def test_settings_load_without_anything_heavy() -> None:
    code = (
        "import sys, pbf_ray.config; heavy = {'ray', 'numba', 'numpy', 'pyarrow', 'polars', "
        "'confluent_kafka', 'structlog', 'deltalake'} & set(sys.modules); print(sorted(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
