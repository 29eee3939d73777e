"""How long a transaction waits for what another one has locked, where that is not for as long as it takes."""

BRIEFLY = "(SELECT set_config('lock_timeout', '300', true)) <> ''"
"""A condition that is always true, and lets its transaction wait 300 ms at the most for any lock from then on.

It is set before any row is read, in the same round trip; 300 ms is less than PostgreSQL takes to look for a deadlock.
"""
