CREATE TABLE code_uses (
    organisation_id UUID NOT NULL,
    id UUID NOT NULL,
    code_id UUID NOT NULL,
    offer_id UUID NOT NULL,
    holder_id UUID DEFAULT '00000000-0000-0000-0000-000000000000' NOT NULL,
    basket_id UUID NOT NULL,
    order_id UUID,
    contact_id UUID,
    tickets INTEGER NOT NULL,
    discount BIGINT NOT NULL,
    held_at TIMESTAMP WITH TIME ZONE NOT NULL,
    used_at TIMESTAMP WITH TIME ZONE,
    released_at TIMESTAMP WITH TIME ZONE,
    released_by TEXT,
    release_reason TEXT,
    CONSTRAINT code_uses_pkey PRIMARY KEY (organisation_id, code_id, id),
    CONSTRAINT code_uses_used_check CHECK ((order_id IS NULL) = (used_at IS NULL)),
    CONSTRAINT code_uses_released_check CHECK ((released_at IS NULL) = (release_reason IS NULL)),
    CONSTRAINT code_uses_kept_check CHECK (used_at IS NOT NULL OR released_at IS NOT NULL),
    CONSTRAINT code_uses_order_check CHECK (held_at <= used_at AND held_at <= released_at)
);

-- What the ledger has of orders: one line a code. The keys of its rows tell when they were written, which was when the
-- basket changed last; so long at least it had held the code. What the code took off stands in the order's price. A
-- single-use code that is still used by its cancelled order was kept by its offer.
CREATE TEMPORARY VIEW uses_so_far AS
SELECT r.organisation_id, r.code_id, (array_agg(r.id ORDER BY r.id))[1] AS id, r.offer_id, r.holder_id, r.basket_id,
    o.id AS order_id, o.contact_id, CAST(sum(r.tickets) AS integer) AS tickets,
    coalesce((SELECT sum((entered ->> 'discount')::bigint)
        FROM jsonb_array_elements(o.pricing::jsonb -> 'pricing' -> 'codes') entered
        WHERE entered ->> 'code' = r.code_id::text), 0)::bigint AS discount,
    least(o.confirmed_at, to_timestamp(
        ('x' || left(replace(min(r.id::text), '-', ''), 12))::bit(48)::bigint / 1000.0)) AS held_at,
    o.confirmed_at AS used_at,
    CASE WHEN NOT kept THEN o.cancelled_at END AS released_at,
    CASE WHEN NOT kept THEN (
        SELECT a.actor FROM audit_entries a WHERE a.organisation_id = o.organisation_id AND a.subject_id = o.id
            AND a.action = 'cancelOrder' LIMIT 1) END AS released_by,
    CASE WHEN NOT kept THEN 'ORDER_CANCELLED' END AS release_reason
FROM redemptions r
JOIN orders o ON o.organisation_id = r.organisation_id AND o.basket_id = r.basket_id
JOIN codes c ON c.organisation_id = r.organisation_id AND c.id = r.code_id
CROSS JOIN LATERAL (SELECT o.state = 'CONFIRMED'
    OR (c.kind = 'SINGLE_USE' AND c.status = 'USED' AND c.order_id = o.id) AS kept) k
WHERE r.code_id IS NOT NULL
GROUP BY r.organisation_id, r.code_id, r.offer_id, r.holder_id, r.basket_id, o.organisation_id, o.id, kept;

-- Most of them while sales may go on; then, once the ledger is kept, the few that came meanwhile.
INSERT INTO code_uses (organisation_id, code_id, id, offer_id, holder_id, basket_id, order_id, contact_id, tickets,
    discount, held_at, used_at, released_at, released_by, release_reason)
SELECT * FROM uses_so_far;

CREATE INDEX code_uses_order_idx ON code_uses (organisation_id, order_id) WHERE order_id IS NOT NULL;
CREATE INDEX code_uses_contact_idx ON code_uses (organisation_id, contact_id, id)
    WHERE contact_id IS NOT NULL AND order_id IS NOT NULL;

ALTER TABLE redemptions ADD COLUMN covered INTEGER DEFAULT 0 NOT NULL;
ALTER TABLE redemptions ADD COLUMN discount BIGINT DEFAULT 0 NOT NULL;
ALTER TABLE redemptions ADD COLUMN held_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL;

INSERT INTO code_uses (organisation_id, code_id, id, offer_id, holder_id, basket_id, order_id, contact_id, tickets,
    discount, held_at, used_at, released_at, released_by, release_reason)
SELECT * FROM uses_so_far WHERE used_at >= now() OR released_at >= now()
ON CONFLICT (organisation_id, code_id, id) DO UPDATE SET released_at = excluded.released_at,
    released_by = excluded.released_by, release_reason = excluded.release_reason;
DROP VIEW uses_so_far;

-- What open baskets hold now. The first row of a code has all of its discount.
UPDATE redemptions r SET covered = r.tickets,
    held_at = least(now(), to_timestamp(('x' || left(replace(r.id::text, '-', ''), 12))::bit(48)::bigint / 1000.0)),
    discount = CASE WHEN EXISTS (
        SELECT FROM redemptions f WHERE f.organisation_id = r.organisation_id AND f.basket_id = r.basket_id
            AND f.code_id = r.code_id AND f.id < r.id) THEN 0
        ELSE coalesce((SELECT sum((entered ->> 'discount')::bigint)
            FROM jsonb_array_elements(b.pricing::jsonb -> 'pricing' -> 'codes') entered
            WHERE entered ->> 'code' = r.code_id::text), 0) END
FROM baskets b
WHERE b.organisation_id = r.organisation_id AND b.id = r.basket_id AND r.state = 'HELD' AND r.code_id IS NOT NULL;

-- Custom codes are counted as random ones are: as many as orders may use them, and one without a maximum as one more than
-- are used or held.
INSERT INTO redemption_counts AS own
    (organisation_id, offer_id, contact_id, slot, generated, held, used, invalidated, version)
SELECT c.organisation_id, c.offer_id, '00000000-0000-0000-0000-000000000000', 0,
    sum(coalesce(c.max_uses, 1 + l.held + l.used)), sum(l.held), sum(l.used),
    sum(CASE c.status WHEN 'INVALIDATED' THEN coalesce(c.max_uses - l.held - l.used, 1) ELSE 0 END), 1
FROM codes c CROSS JOIN LATERAL (
    SELECT count(DISTINCT basket_id) FILTER (WHERE state = 'HELD') AS held,
        count(DISTINCT basket_id) FILTER (WHERE state = 'USED') AS used
    FROM redemptions r WHERE r.organisation_id = c.organisation_id AND r.code_id = c.id
) l WHERE c.kind = 'CUSTOM' AND c.kind <> 'SINGLE_USE' GROUP BY c.organisation_id, c.offer_id
ON CONFLICT (organisation_id, offer_id, contact_id, slot) DO UPDATE SET version = own.version + 1,
    generated = own.generated + excluded.generated, held = own.held + excluded.held, used = own.used + excluded.used,
    invalidated = own.invalidated + excluded.invalidated;
