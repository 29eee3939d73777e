"""What goes over the wire: JSON, as it stands in files too, and no TLS."""

from ssl import PROTOCOL_TLS_CLIENT, SSLContext
from typing import Any, Final, TypeAlias

Json: TypeAlias = Any
"""Any JSON value. Its shape is the schema's to say, and what a test asserts: a type would only say it once more.

So this is where tests let ``Any`` in, and nowhere else.
"""

JsonObject: TypeAlias = dict[str, Json]

NO_TLS: Final = SSLContext(PROTOCOL_TLS_CLIENT)
"""For clients whose addresses are all ``http://``: without it each reads the certificates of all authorities anew."""
