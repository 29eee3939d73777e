-- Whom promotional codes may be restricted to, when staff sell.
CREATE TABLE counter_profiles (
    organisation_id UUID NOT NULL,
    id UUID NOT NULL,
    code TEXT NOT NULL,
    name JSONB NOT NULL,
    CONSTRAINT counter_profiles_pkey PRIMARY KEY (organisation_id, id),
    CONSTRAINT counter_profiles_organisation_id_code_key UNIQUE (organisation_id, code),
    CONSTRAINT counter_profiles_organisation_id_fkey FOREIGN KEY (organisation_id) REFERENCES organisations (id)
);

-- Contacts are found by a part of their code too.
CREATE INDEX contacts_code_pieces_idx ON contacts USING gin (pieces_of(organisation_id, code));
