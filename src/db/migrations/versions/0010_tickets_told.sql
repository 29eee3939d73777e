-- Whoever was scanned has entered once. The tickets of orders that were cancelled before are cancelled; what was given
-- back for them besides the balance was not written down, so that no cancellation is made up.
UPDATE tickets SET entries = 1, last_controlled_at = controlled_at, last_controlled_by = controlled_by,
    last_controlled_point_of_sale_id = controlled_point_of_sale_id
WHERE controlled_at IS NOT NULL;
UPDATE tickets t SET cancelled_at = o.cancelled_at FROM orders o
WHERE o.organisation_id = t.organisation_id AND o.id = t.order_id AND o.state = 'CANCELLED' AND t.controlled_at IS NULL;

ALTER TABLE tickets
    ALTER COLUMN product_id SET NOT NULL,
    ALTER COLUMN audience_sub_category_id SET NOT NULL,
    ALTER COLUMN full_price SET NOT NULL,
    ADD CONSTRAINT tickets_entries_check CHECK (entries BETWEEN 0 AND entries_allowed),
    ADD CONSTRAINT tickets_controlled_check CHECK ((entries > 0) = (controlled_at IS NOT NULL)),
    ADD CONSTRAINT tickets_cancelled_check CHECK (cancelled_at IS NULL OR entries = 0);
