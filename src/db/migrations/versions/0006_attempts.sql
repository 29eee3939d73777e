-- Counts of some minutes each, which a crash may forget.
CREATE UNLOGGED TABLE attempts (
    key text NOT NULL,
    number bigint NOT NULL,
    until timestamptz NOT NULL,
    CONSTRAINT attempts_pkey PRIMARY KEY (key)
);
CREATE INDEX attempts_until_idx ON attempts (until);
