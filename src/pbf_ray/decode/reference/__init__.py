"""The exact reader in plain Python, compared with PySpark 4.3: what the C++ is held against.

``from_json`` in `batch` gives what ``pbf_ray.decode.from_json`` must give. `record` reads one
record: `java_text` (bytes to text), `scanner`, `numbers`, `tokenizer` (text to tokens), `convert`
and `json_text` (tokens to values). Slower by orders of magnitude: for tests, and to understand.
"""

from pbf_ray.decode.reference.batch import from_json
from pbf_ray.decode.reference.fields import converters_of
from pbf_ray.decode.reference.record import Outcome, Problem, read_record

__all__ = ["Outcome", "Problem", "converters_of", "from_json", "read_record"]
