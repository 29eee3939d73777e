"""Keys of shops' own servers, which ask for all their customers: a server with one says for whom it asks.

Without it all customers of such a shop are one network address to us, and share what an address may do (docs/domain.md,
Who may do what). A key opens nothing: what a request may do, its own credentials say.
"""

from datetime import datetime
from hashlib import sha256
from typing import Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

ISSUER: Final = "sesame"
ALGORITHMS: Final = ["HS256"]

_AUDIENCE: Final = "SHOP_SERVER"
_LONGEST: Final = 4096
_LONGEST_NAME: Final = 64
"""Characters that limits tell customers apart by, as by addresses."""


def named(customer: str) -> str:
    """What limits know a customer by: an address or a short name as it is, of anything else a digest."""
    if len(customer) <= _LONGEST_NAME and customer.isprintable():
        return customer
    return sha256(customer.encode(errors="surrogatepass")).hexdigest()


class ShopServers:
    """Makes and knows keys, signed by ``key``, each of one organisation and for some time."""

    def __init__(self, key: OctKey) -> None:
        self._key = key

    def issued(self, organisation: str, expires: datetime) -> str:
        """A new key of the organisation with this code."""
        claims = {"iss": ISSUER, "aud": _AUDIENCE, "org": organisation, "exp": int(expires.timestamp())}
        return jwt.encode({"alg": ALGORITHMS[0]}, claims, self._key, ALGORITHMS)

    def knows(self, sent: str, organisation: str, now: datetime) -> bool:
        """Whether this is a key of the organisation that holds still."""
        if len(sent) > _LONGEST:
            return False
        rules = jwt.JWTClaimsRegistry(
            now=int(now.timestamp()),
            iss={"essential": True, "value": ISSUER},
            aud={"essential": True, "value": _AUDIENCE},
            org={"essential": True, "value": organisation},
            exp={"essential": True},
        )
        try:
            rules.validate(jwt.decode(sent, self._key, ALGORITHMS).claims)
        except (JoseError, ValueError):
            return False
        return True
