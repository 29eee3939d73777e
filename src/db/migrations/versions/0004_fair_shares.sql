-- However often a basket is changed, it ends: an organisation says when.
ALTER TABLE organisations ADD COLUMN basket_maximum_minutes integer NOT NULL DEFAULT 60;
UPDATE organisations SET basket_maximum_minutes = basket_minutes WHERE basket_minutes > 60;
ALTER TABLE organisations ADD CONSTRAINT organisations_basket_maximum_minutes_check
    CHECK (basket_maximum_minutes >= basket_minutes);

-- What a client, or all clients of a shop, have open can be counted.
ALTER TABLE baskets ADD COLUMN client text;
ALTER TABLE baskets ADD COLUMN tickets integer NOT NULL DEFAULT 0;
UPDATE baskets SET tickets = (SELECT coalesce(sum((line ->> 4)::integer), 0) FROM jsonb_array_elements(lines) line)
WHERE state = 'OPEN';
CREATE INDEX baskets_of_clients_idx ON baskets (organisation_id, point_of_sale_id, client)
    INCLUDE (tickets, expires_at) WHERE state = 'OPEN';

-- A shopper's key is bound to the basket that its request names. Of the keys that are known already, each stays what it
-- was, for it may have opened a basket, and becomes that of the basket as well, for it may have changed or concluded it.
INSERT INTO idempotency_keys (organisation_id, caller, key, fingerprint, answer, created_at)
SELECT k.organisation_id, k.caller || '/' || coalesce(o.basket_id, (k.answer #>> '{made,basket}')::uuid), k.key,
    k.fingerprint, k.answer, k.created_at
FROM idempotency_keys k
LEFT JOIN orders o ON o.organisation_id = k.organisation_id AND o.id = (k.answer #>> '{made,order}')::uuid
WHERE k.caller LIKE 'shopper:%' AND coalesce(o.basket_id, (k.answer #>> '{made,basket}')::uuid) IS NOT NULL;
