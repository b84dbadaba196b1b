"""Connections to servers, under the environment names of the pipeline that pbf_ray replaces.

No password has a default; the replaced pipeline had them in its code.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SecretStr

from pbf_ray.config.fields import (
    Count,
    FilePath,
    PositiveCount,
    PositiveSeconds,
    Section,
    from_environment,
)

__all__ = [
    "AwsSettings",
    "BigQuerySettings",
    "LocalS3Settings",
    "MongoDBAtlasSettings",
    "MongoDBSettings",
    "PostgresSettings",
    "RedisSettings",
    "SnowflakeSettings",
]

_Port = Annotated[PositiveCount, Field(le=65535)]


class PostgresSettings(Section):
    """Operational, structured."""

    host: str = from_environment("POSTGRES_HOST", "localhost", "host")
    port: _Port = from_environment("POSTGRES_PORT", 5432, "port")
    database: str = from_environment("POSTGRES_DB", "pbf_lbm", "database")
    user: str = from_environment("POSTGRES_USER", "pbf_user", "user")
    password: SecretStr | None = from_environment("POSTGRES_PASSWORD", None, "password")
    schema_name: Annotated[str, Field(min_length=1, max_length=63)] = Field(
        default="public", description="schema of the tables; made if it is not there"
    )
    sslmode: Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] = Field(
        default="prefer", description="TLS, in the words of libpq: require, verify-full, ..."
    )
    sslrootcert: FilePath | None = Field(
        default=None, description="file of the authorities that sign the server's certificate"
    )
    pool_size: PositiveCount = Field(
        default=20, description="connections of a process; opened as they are needed"
    )
    pool_overflow: Count = Field(default=30, description="further connections under load")
    pool_timeout_s: PositiveSeconds = Field(default=30.0, description="wait for a connection, s")
    pool_recycle_s: PositiveSeconds = Field(default=3600.0, description="age of a connection, s")


class MongoDBSettings(Section):
    """Operational, documents."""

    host: str = from_environment("MONGODB_HOST", "localhost", "host")
    port: _Port = from_environment("MONGODB_PORT", 27017, "port")
    database: str = from_environment("MONGODB_DB", "pbf_lbm", "database")
    user: str | None = from_environment("MONGODB_USER", None, "user")
    password: SecretStr | None = from_environment("MONGODB_PASSWORD", None, "password")
    auth_source: str | None = Field(
        default=None, description="database that knows the user; admin if not set"
    )
    tls: bool = Field(default=False, description="connect with TLS")
    tls_ca_file: FilePath | None = Field(
        default=None, description="file of the authorities that sign the server's certificate"
    )
    pool_min: Count = Field(default=10, description="connections kept open")
    pool_max: PositiveCount = Field(default=100, description="most connections")
    pool_idle_s: PositiveSeconds = Field(
        default=30.0, description="an unused connection is closed after, s"
    )


class MongoDBAtlasSettings(Section):
    """Analytics, documents."""

    connection_string: SecretStr | None = from_environment(
        "MONGODB_ATLAS_CONNECTION_STRING", None, "connection string, with its password"
    )
    database: str | None = from_environment("MONGODB_ATLAS_DB", None, "database")


class RedisSettings(Section):
    """Operational, cache."""

    host: str = from_environment("REDIS_HOST", "localhost", "host")
    port: _Port = from_environment("REDIS_PORT", 6379, "port")
    password: SecretStr | None = from_environment("REDIS_PASSWORD", None, "password")
    database: Count = from_environment("REDIS_DB", 0, "number of the database")
    pool_max: PositiveCount = Field(default=50, description="most connections")
    timeout_s: PositiveSeconds = Field(default=5.0, description="connect and read time-out, s")
    ttl_s: PositiveSeconds = Field(default=3600.0, description="life of a cached value, s")


class LocalS3Settings(Section):
    """Operational blobs and training sets: an S3-compatible store on the premises."""

    endpoint: str = from_environment("LOCAL_S3_ENDPOINT", "http://localhost:9000", "URL")
    access_key: SecretStr | None = from_environment("LOCAL_S3_ACCESS_KEY", None, "access key")
    secret_key: SecretStr | None = from_environment("LOCAL_S3_SECRET_KEY", None, "secret key")
    region: str = from_environment("LOCAL_S3_REGION", "us-east-1", "region")
    bucket: str = from_environment("LOCAL_S3_BUCKET", "pbf-lbm-data", "bucket")


class AwsSettings(Section):
    """Analytics blobs, training sets, research files."""

    access_key_id: SecretStr | None = from_environment("AWS_ACCESS_KEY_ID", None, "access key id")
    secret_access_key: SecretStr | None = from_environment(
        "AWS_SECRET_ACCESS_KEY", None, "secret access key"
    )
    region: str | None = from_environment("AWS_REGION", None, "region")
    bucket: str | None = from_environment("AWS_S3_BUCKET", None, "bucket")
    storage_class: str = Field(default="STANDARD_IA", description="storage class of new objects")


class SnowflakeSettings(Section):
    """Analytics, structured."""

    account: str | None = from_environment("SNOWFLAKE_ACCOUNT", None, "account")
    user: str | None = from_environment("SNOWFLAKE_USER", None, "user")
    password: SecretStr | None = from_environment("SNOWFLAKE_PASSWORD", None, "password")
    warehouse: str = from_environment("SNOWFLAKE_WAREHOUSE", "PBF_WH", "warehouse")
    database: str = from_environment("SNOWFLAKE_DATABASE", "PBF_LBM", "database")
    schema_name: str = from_environment("SNOWFLAKE_SCHEMA", "PUBLIC", "schema")
    role: str = from_environment("SNOWFLAKE_ROLE", "PBF_ROLE", "role")
    private_key_file: FilePath | None = Field(
        default=None, description="file of the user's private key (PEM), in place of a password"
    )
    private_key_passphrase: SecretStr | None = Field(
        default=None, description="what opens that file"
    )
    host: str | None = Field(
        default=None, description="host, where the account is not at its usual address"
    )
    port: _Port | None = Field(default=None, description="port of that host")
    protocol: Literal["https", "http"] = Field(
        default="https", description="https; http only for servers of tests"
    )
    timeout_s: PositiveSeconds = Field(default=30.0, description="wait for an answer, s")


class BigQuerySettings(Section):
    """Research, structured."""

    project_id: str | None = from_environment("GCP_PROJECT_ID", None, "project")
    credentials_path: FilePath | None = from_environment(
        "GCP_CREDENTIALS_PATH", None, "file of the service account"
    )
    dataset: str = from_environment("BIGQUERY_DATASET", "pbf_lbm", "dataset")
    location: str = from_environment("BIGQUERY_LOCATION", "US", "location")
    endpoint: str | None = Field(
        default=None,
        description="URL, where BigQuery is not at its usual address; http:// of an emulator "
        "is asked without credentials",
    )
    timeout_s: PositiveSeconds = Field(default=30.0, description="wait for an answer, s")
