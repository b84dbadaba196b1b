"""Why the comparer is our own: what PySpark's takes for equal."""

from __future__ import annotations

import math
from importlib.metadata import version
from typing import Any

import pyarrow as pa
import pytest
from packaging.version import Version

from support.semantics.comparer import differing_rows
from support.semantics.spark_decoding import to_spark


@pytest.mark.semantics(57, 58)
def test_sparks_comparer_is_unsound_or_refuses(spark: Any) -> None:
    from pyspark.testing import assertDataFrameEqual

    for a, b in [(1.0, math.nan), (math.nan, 1.0), (1600.01, 1600.0)]:
        left, right = (pa.table({"x": pa.array([value])}) for value in (a, b))
        assert differing_rows(left["x"], right["x"], rel=1e-9).tolist() == [0]
        frames = to_spark(spark, left), to_spark(spark, right)
        if Version(version("pandas")) >= Version("3"):
            with pytest.raises(Exception, match=r"(?i)pandas"):
                assertDataFrameEqual(*frames)
        else:
            assertDataFrameEqual(*frames)
