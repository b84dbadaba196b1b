"""What a Spark session and Spark's Kafka source are told."""

from __future__ import annotations

import json
import sys

import pytest

from pbf_ray.batch.quality.topic_ranges import TopicRecords
from pbf_ray.batch.spark import spark_conf, spark_session
from pbf_ray.batch.spark.kafka_options import kafka_options
from pbf_ray.config import Settings
from pbf_ray.errors import MissingDependencyError, PbfRayError, SettingError


def test_the_defaults_are_those_of_the_replaced_pipeline() -> None:
    conf = spark_conf(Settings(spark={"master": "yarn"}).spark)
    assert conf["spark.executor.instances"] == "10"
    assert (conf["spark.driver.memory"], conf["spark.driver.maxResultSize"]) == ("4g", "2g")
    assert conf["spark.sql.shuffle.partitions"] == conf["spark.default.parallelism"] == "40"
    assert conf["spark.sql.adaptive.skewJoin.skewedPartitionFactor"] == "5"
    assert conf["spark.serializer"].endswith("KryoSerializer")
    assert not {"spark.eventLog.enabled", "spark.sql.extensions", "spark.jars"} & conf.keys()
    assert not {key for key in spark_conf(Settings().spark) if "executor" in key}, "local"


def test_what_is_asked_for_is_in_and_streams_have_their_own_group() -> None:
    asked = {"delta": True, "event_log": "/logs", "checkpoint_location": "/state", "packages": "p"}
    spark = Settings(spark=asked).spark
    batch, stream = spark_conf(spark), spark_conf(spark, "stream")
    assert batch["spark.sql.extensions"].startswith("io.delta")
    assert batch["spark.eventLog.dir"] == "file:///logs"
    assert batch["spark.jars.packages"] == "p"
    assert "spark.sql.adaptive.enabled" in batch.keys() - stream.keys()
    assert stream.keys() - batch.keys() == {"spark.sql.streaming.checkpointLocation"}
    with pytest.raises(SettingError, match=r"spark\.driver_memory"):
        Settings(spark={"driver_memory": "much"})


def test_exact_ranges_and_logins_of_kafka() -> None:
    client = {
        "security.protocol": "sasl_ssl", "sasl.mechanisms": "SCRAM-SHA-512", "sasl.username": "u",
        "sasl.password": 'p"\\', "ssl.ca.location": "/ca.pem",
    }  # fmt: skip
    ranges = {("t", 0): (3, 9), ("t", 2): (0, 1)}
    options = kafka_options(TopicRecords("b:1", {"t": "s"}, ranges, client))
    assert json.loads(options["assign"]) == {"t": [0, 2]}
    assert json.loads(options["startingOffsets"]) == {"t": {"0": 3, "2": 0}}
    assert json.loads(options["endingOffsets"]) == {"t": {"0": 9, "2": 1}}
    assert options["kafka.security.protocol"] == "SASL_SSL"
    assert options["kafka.ssl.truststore.type"] == "PEM"
    assert (
        'ScramLoginModule required username="u" password="p\\"\\\\";'
        in (options["kafka.sasl.jaas.config"])
    )
    with pytest.raises(PbfRayError, match=r"kafka\.client\.fetch\.max\.bytes has no counterpart"):
        kafka_options(TopicRecords("b:1", {}, ranges, {"fetch.max.bytes": "1"}))


def test_without_pyspark_one_line_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)
    with pytest.raises(MissingDependencyError) as caught, spark_session("local[1]"):
        pass
    assert "\n" not in caught.value.what
    assert "pbf_ray[spark]" in caught.value.advice
