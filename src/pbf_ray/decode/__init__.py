"""JSON records to Arrow columns, exactly as PySpark's ``from_json`` decodes them.

``from_json`` is the door; the work is done in C++ (``native/decode``), a batch at a time. A fast
reader takes the common records, an exact one all others. ``reference`` is the exact reader in plain
Python, which was compared with PySpark: what the C++ is held against.
"""

from pbf_ray.decode.batch import from_json
from pbf_ray.decode.fields import CORRUPT_RECORD
from pbf_ray.decode.reasons import MAX_STRING_BYTES, REASONS
from pbf_ray.decode.record_values import RecordBuffer
from pbf_ray.decode.result import MODES, REJECTS_SCHEMA, DecodeResult

__all__ = [
    "CORRUPT_RECORD",
    "MAX_STRING_BYTES",
    "MODES",
    "REASONS",
    "REJECTS_SCHEMA",
    "DecodeResult",
    "RecordBuffer",
    "from_json",
]
