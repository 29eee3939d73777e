-- What customers read of an offer beside its name, and which fields of a copy nobody has looked at yet.
ALTER TABLE offers
    ADD COLUMN description jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN terms jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN unfinished text[] NOT NULL DEFAULT '{}';

ALTER TABLE performances ADD COLUMN sale_ends_at timestamp with time zone;

-- Chosen codes without a reason were switched off, or replaced by another one: not invalidated. One whose text another
-- offer has taken over has it before a space, which no code that is entered has.
ALTER TABLE codes
    DROP CONSTRAINT codes_status_check,
    DROP CONSTRAINT codes_single_use_check;
UPDATE codes SET status = 'SWITCHED_OFF'
WHERE kind <> 'SINGLE_USE' AND status = 'INVALIDATED' AND invalidation_reason IS NULL;
ALTER TABLE codes
    ADD CONSTRAINT codes_status_check CHECK (status IN ('AVAILABLE', 'HELD', 'USED', 'INVALIDATED', 'SWITCHED_OFF')),
    ADD CONSTRAINT codes_single_use_check CHECK (
        CASE WHEN kind = 'SINGLE_USE' THEN status <> 'SWITCHED_OFF'
        ELSE status IN ('AVAILABLE', 'INVALIDATED', 'SWITCHED_OFF') END),
    ADD CONSTRAINT codes_taken_over_check CHECK (kind <> 'SINGLE_USE' OR strpos(code, ' ') = 0);
