"""JSON as it goes over the wire and stands in files."""

from typing import Any, TypeAlias

Json: TypeAlias = Any
"""Any JSON value. Its shape is the schema's to say, and what a test asserts: a type would only say it once more.

So this is where tests let ``Any`` in, and nowhere else.
"""

JsonObject: TypeAlias = dict[str, Json]
