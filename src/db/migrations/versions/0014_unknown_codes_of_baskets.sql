ALTER TABLE baskets
    ADD COLUMN unknown_codes integer DEFAULT 0 NOT NULL,
    ADD COLUMN unknown_codes_until timestamp with time zone;
