-- By whom an order was cancelled stands in the audit, of all that were: customers cancel none.
ALTER TABLE orders ADD COLUMN cancelled_by text;
UPDATE orders o SET cancelled_by = (
    SELECT e.actor FROM audit_entries e
    WHERE e.organisation_id = o.organisation_id AND e.subject_id = o.id AND e.action = 'cancelOrder'
    ORDER BY e.id DESC LIMIT 1)
WHERE o.state = 'CANCELLED';

-- The last one first, of all, of a state, of a contact.
CREATE INDEX orders_latest_idx ON orders (organisation_id, confirmed_at, id);
CREATE INDEX orders_of_state_idx ON orders (organisation_id, state, confirmed_at, id);
CREATE INDEX orders_of_contact_idx ON orders (organisation_id, contact_id, confirmed_at, id);
DROP INDEX orders_organisation_id_contact_id_idx;

-- By the offers and codes that they used.
CREATE TABLE order_subjects (
    organisation_id uuid NOT NULL,
    subject_id uuid NOT NULL,
    confirmed_at timestamp with time zone NOT NULL,
    order_id uuid NOT NULL
);
INSERT INTO order_subjects (organisation_id, subject_id, confirmed_at, order_id)
SELECT DISTINCT o.organisation_id, s.subject_id, o.confirmed_at, o.id
FROM orders o
JOIN redemptions r ON r.organisation_id = o.organisation_id AND r.basket_id = o.basket_id
CROSS JOIN LATERAL (VALUES (r.offer_id), (r.code_id)) s(subject_id)
WHERE s.subject_id IS NOT NULL AND r.state <> 'HELD';
ALTER TABLE order_subjects
    ADD CONSTRAINT order_subjects_pkey PRIMARY KEY (organisation_id, subject_id, confirmed_at, order_id),
    ADD CONSTRAINT order_subjects_organisation_id_order_id_fkey
        FOREIGN KEY (organisation_id, order_id) REFERENCES orders (organisation_id, id);

-- By a part of the number, or of the contact's name or address.
CREATE FUNCTION pieces_of(owner uuid, written text) RETURNS text[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT coalesce(array_agg(DISTINCT right(owner::text, 12) || substr(low, place, size)), '{}')
    FROM (SELECT lower(written) AS low) written_low
    CROSS JOIN (VALUES (1), (2)) sizes(size) CROSS JOIN LATERAL generate_series(1, length(low) - size + 1) places(place)
$$;
CREATE INDEX contacts_pieces_idx ON contacts USING gin (pieces_of(organisation_id, name || E'\n' || coalesce(email, '')));
CREATE INDEX orders_pieces_idx ON orders USING gin (pieces_of(organisation_id, number));
