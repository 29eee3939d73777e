-- Columns with a default that does not change are added without writing any row.
ALTER TABLE organisations
    ADD COLUMN entry_opens_minutes integer NOT NULL DEFAULT 180,
    ADD COLUMN entry_closes_minutes integer NOT NULL DEFAULT 1440,
    ADD COLUMN returns_fees boolean NOT NULL DEFAULT true,
    ADD CONSTRAINT organisations_entry_minutes_check CHECK (entry_opens_minutes >= 0 AND entry_closes_minutes >= 0);

ALTER TABLE products
    ADD COLUMN entries_allowed integer NOT NULL DEFAULT 1,
    ADD CONSTRAINT products_entries_allowed_check CHECK (entries_allowed > 0);

ALTER TABLE offers
    ADD COLUMN cancellation_policy text NOT NULL DEFAULT 'KEEP',
    ADD CONSTRAINT offers_cancellation_policy_check CHECK (cancellation_policy IN ('KEEP', 'ANEW'));

ALTER TABLE orders
    ADD COLUMN terms text,
    ADD COLUMN remaining text;

ALTER TABLE tickets
    ADD COLUMN product_id uuid,
    ADD COLUMN performance_id uuid,
    ADD COLUMN seat_category_id uuid,
    ADD COLUMN audience_sub_category_id uuid,
    ADD COLUMN full_price bigint,
    ADD COLUMN last_controlled_at timestamptz,
    ADD COLUMN last_controlled_by text,
    ADD COLUMN last_controlled_point_of_sale_id uuid,
    ADD COLUMN entries integer NOT NULL DEFAULT 0,
    ADD COLUMN entries_allowed integer NOT NULL DEFAULT 1,
    ADD COLUMN cancellation_id uuid,
    ADD COLUMN cancelled_at timestamptz,
    ADD COLUMN given_back bigint NOT NULL DEFAULT 0;

CREATE TABLE cancellations (
    organisation_id uuid NOT NULL,
    id uuid NOT NULL,
    order_id uuid NOT NULL,
    policy text NOT NULL,
    for_tickets bigint NOT NULL,
    for_fees bigint NOT NULL,
    to_balance bigint NOT NULL,
    cancelled_by text NOT NULL,
    reason text,
    cancelled_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT cancellations_pkey PRIMARY KEY (organisation_id, id),
    CONSTRAINT cancellations_organisation_id_order_id_fkey
        FOREIGN KEY (organisation_id, order_id) REFERENCES orders (organisation_id, id),
    CONSTRAINT cancellations_policy_check CHECK (policy IN ('KEEP', 'ANEW')),
    CONSTRAINT cancellations_given_back_check CHECK (for_tickets >= 0 AND for_fees >= 0),
    CONSTRAINT cancellations_to_balance_check CHECK (to_balance BETWEEN 0 AND for_tickets + for_fees)
);
CREATE INDEX cancellations_organisation_id_order_id_id_idx ON cancellations (organisation_id, order_id, id);
