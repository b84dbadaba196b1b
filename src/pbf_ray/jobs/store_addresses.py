"""Where each server is, as the settings say; a driver is imported when its server is wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pbf_ray.config import Settings
from pbf_ray.errors import SettingError

if TYPE_CHECKING:
    from pydantic import SecretStr

    from pbf_ray.storage.blobs.s3_client import S3Address
    from pbf_ray.storage.caches.redis import RedisAddress
    from pbf_ray.storage.mongodb.client import MongoAddress
    from pbf_ray.storage.postgres_pool import PostgresAddress
    from pbf_ray.storage.warehouses.bigquery import BigQueryAddress
    from pbf_ray.storage.warehouses.snowflake import SnowflakeAddress

__all__ = [
    "aws_s3_address",
    "bigquery_address",
    "local_s3_address",
    "mongodb_address",
    "mongodb_atlas_address",
    "postgres_address",
    "redis_address",
    "snowflake_address",
]


def postgres_address(settings: Settings) -> PostgresAddress:
    """PostgreSQL, as the section ``postgres`` says."""
    from pbf_ray.storage.postgres_pool import PostgresAddress

    given = settings.postgres
    return PostgresAddress(
        host=given.host,
        port=given.port,
        database=given.database,
        user=given.user,
        password=_revealed(given.password),
        sslmode=given.sslmode,
        sslrootcert=None if given.sslrootcert is None else str(given.sslrootcert),
        pool_size=given.pool_size + given.pool_overflow,
        pool_timeout_s=given.pool_timeout_s,
        pool_recycle_s=given.pool_recycle_s,
    )


def mongodb_address(settings: Settings) -> MongoAddress:
    """MongoDB, as the section ``mongodb`` says."""
    from pbf_ray.storage.mongodb.client import MongoAddress

    given = settings.mongodb
    return MongoAddress(
        host=given.host,
        port=given.port,
        database=given.database,
        user=given.user,
        password=_revealed(given.password),
        auth_source=given.auth_source,
        tls=given.tls,
        tls_ca_file=None if given.tls_ca_file is None else str(given.tls_ca_file),
        pool_min=given.pool_min,
        pool_max=given.pool_max,
        pool_idle_s=given.pool_idle_s,
    )


def mongodb_atlas_address(settings: Settings) -> MongoAddress:
    """MongoDB Atlas, as the section ``mongodb_atlas`` says.

    Raises:
        SettingError: Its connection string is not set.
    """
    from pbf_ray.storage.mongodb.client import MongoAddress

    given = settings.mongodb_atlas
    pool = settings.mongodb
    return MongoAddress(
        connection_string=_needed(
            given.connection_string,
            "mongodb_atlas.connection_string",
            "MONGODB_ATLAS_CONNECTION_STRING",
        ),
        database=given.database or pool.database,
        pool_min=pool.pool_min,
        pool_max=pool.pool_max,
        pool_idle_s=pool.pool_idle_s,
    )


def redis_address(settings: Settings) -> RedisAddress:
    """Redis, as the section ``redis`` says."""
    from pbf_ray.storage.caches.redis import RedisAddress

    given = settings.redis
    return RedisAddress(
        host=given.host,
        port=given.port,
        password=_revealed(given.password),
        database=given.database,
        pool_max=given.pool_max,
        timeout_s=given.timeout_s,
    )


def local_s3_address(settings: Settings, prefix: str) -> S3Address:
    """The S3 server on the premises, as the section ``local_s3`` says.

    Args:
        settings: All settings.
        prefix: Stands before all keys.
    """
    from pbf_ray.storage.blobs.s3_client import S3Address

    given = settings.local_s3
    return S3Address(
        bucket=given.bucket,
        endpoint=given.endpoint,
        access_key=_revealed(given.access_key),
        secret_key=_revealed(given.secret_key),
        region=given.region,
        prefix=prefix,
    )


def aws_s3_address(settings: Settings, prefix: str) -> S3Address:
    """S3 at AWS, as the section ``aws`` says; without keys, what botocore finds (role, profile).

    Args:
        settings: All settings.
        prefix: Stands before all keys.

    Raises:
        SettingError: The bucket is not set.
    """
    from pbf_ray.storage.blobs.s3_client import S3Address

    given = settings.aws
    if given.bucket is None:
        raise _unset("aws.bucket", "AWS_S3_BUCKET")
    return S3Address(
        bucket=given.bucket,
        access_key=_revealed(given.access_key_id),
        secret_key=_revealed(given.secret_access_key),
        region=given.region,
        prefix=prefix,
        storage_class=given.storage_class,
    )


def snowflake_address(settings: Settings) -> SnowflakeAddress:
    """Snowflake, as the section ``snowflake`` says.

    Raises:
        SettingError: The account, the user, or what opens it is not set.
    """
    from pbf_ray.storage.warehouses.snowflake import SnowflakeAddress

    given = settings.snowflake
    if given.account is None:
        raise _unset("snowflake.account", "SNOWFLAKE_ACCOUNT")
    if given.user is None:
        raise _unset("snowflake.user", "SNOWFLAKE_USER")
    if given.password is None and given.private_key_file is None:
        raise _unset("snowflake.private_key_file", "SNOWFLAKE_PASSWORD")
    return SnowflakeAddress(
        account=given.account,
        user=given.user,
        password=_revealed(given.password),
        private_key_file=None if given.private_key_file is None else str(given.private_key_file),
        private_key_passphrase=_revealed(given.private_key_passphrase),
        warehouse=given.warehouse,
        database=given.database,
        schema=given.schema_name,
        role=given.role,
        host=given.host,
        port=given.port,
        protocol=given.protocol,
        timeout_s=given.timeout_s,
    )


def bigquery_address(settings: Settings) -> BigQueryAddress:
    """BigQuery, as the section ``bigquery`` says; without a file, what Google's client finds.

    Raises:
        SettingError: The project is not set.
    """
    from pbf_ray.storage.warehouses.bigquery import BigQueryAddress

    given = settings.bigquery
    if given.project_id is None:
        raise _unset("bigquery.project_id", "GCP_PROJECT_ID")
    return BigQueryAddress(
        project=given.project_id,
        dataset=given.dataset,
        location=given.location,
        credentials_path=None if given.credentials_path is None else str(given.credentials_path),
        endpoint=given.endpoint,
        timeout_s=given.timeout_s,
    )


def _revealed(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def _needed(secret: SecretStr | None, key: str, variable: str) -> str:
    if secret is None:
        raise _unset(key, variable)
    return secret.get_secret_value()


def _unset(key: str, variable: str) -> SettingError:
    return SettingError(
        key,
        "the settings",
        "it is not set, and a route leads there",
        advice=f"set {key} or {variable}, or take another store for that route",
    )
