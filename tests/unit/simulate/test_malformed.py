from __future__ import annotations

import json

import numpy as np
import pytest

from pbf_ray.contracts import RECORD_SCHEMA
from pbf_ray.decode import from_json
from pbf_ray.simulate.malformed import malform
from pbf_ray.simulate.record import FLAGGED_KINDS, MALFORMED_KINDS, VOID_KINDS, MalformedKind

WHOLE = (
    b'{"sensor_id":"s","timestamp":1.5,"temperature":1600.5,"pressure":0.95,"laser_power":200.0,'
    b'"scan_speed":1.2,"build_id":"b","layer":3,"_metadata":{"timestamp":1.5,"producer_id":"p",'
    b'"message_id":"m-1"}}'
)


@pytest.mark.parametrize("kind", MALFORMED_KINDS)
def test_the_decoder_takes_every_variant_of_a_kind_as_the_kind_says(kind: MalformedKind) -> None:
    rng = np.random.default_rng(1)
    values = {malform(WHOLE, kind, rng) for _ in range(1500)}
    assert WHOLE not in values
    decoded = from_json(list(values), RECORD_SCHEMA, "dead_letter")
    if kind in VOID_KINDS:
        assert decoded.table.num_rows == 0
    else:
        assert decoded.rejects.num_rows == 0
        assert set(decoded.flagged.to_pylist()) == {kind in FLAGGED_KINDS}
    if kind == "truncated":
        # Every place before the metadata.
        assert len(values) == WHOLE.index(b'"_metadata"') - 1


@pytest.mark.parametrize("kind", ["wrong_type", "nan_literal", "extra_field"])
def test_the_other_fields_are_left_alone(kind: MalformedKind) -> None:
    rng = np.random.default_rng(2)
    whole = json.loads(WHOLE)
    for _ in range(50):
        value = json.loads(malform(WHOLE, kind, rng) or b"")
        changed = [key for key in whole if value[key] != whole[key]]
        assert len(changed) == (0 if kind == "extra_field" else 1)
