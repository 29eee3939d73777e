-- A mail server may take its time, and must not keep a row locked meanwhile.

ALTER TABLE batches ADD COLUMN sending_until timestamp with time zone;
