"""JSON records to Arrow columns, exactly as PySpark's ``from_json`` decodes them.

``from_json`` is the door. Inside, `record` reads one record exactly: `java_text` (bytes to text),
`scanner`, `numbers`, `tokenizer` (text to tokens), `convert` and `json_text` (tokens to values).
`common` takes common records in C++ (``native/decode``), many times faster, and hands on whatever
it is not sure of.
"""

from pbf_ray.decode.batch import MODES, REJECTS_SCHEMA, DecodeResult, from_json
from pbf_ray.decode.fields import CORRUPT_RECORD
from pbf_ray.decode.problems import REASONS
from pbf_ray.decode.storable import MAX_STRING_BYTES

__all__ = [
    "CORRUPT_RECORD",
    "MAX_STRING_BYTES",
    "MODES",
    "REASONS",
    "REJECTS_SCHEMA",
    "DecodeResult",
    "from_json",
]
