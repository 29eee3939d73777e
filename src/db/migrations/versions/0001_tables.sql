CREATE SEQUENCE order_numbers;

CREATE TABLE codes (
    organisation_id UUID NOT NULL,
    id UUID NOT NULL,
    code TEXT NOT NULL,
    shown TEXT,
    kind TEXT NOT NULL,
    status TEXT NOT NULL,
    offer_id UUID NOT NULL,
    batch_id UUID,
    contact_id UUID,
    basket_id UUID,
    order_id UUID,
    used_at TIMESTAMP WITH TIME ZONE,
    used_by UUID,
    uses INTEGER DEFAULT 0 NOT NULL,
    max_uses INTEGER,
    invalidated_at TIMESTAMP WITH TIME ZONE,
    invalidated_by TEXT,
    invalidation_reason TEXT,
    CONSTRAINT codes_pkey PRIMARY KEY (organisation_id, id),
    CONSTRAINT codes_organisation_id_code_key UNIQUE (organisation_id, code),
    CONSTRAINT codes_kind_check CHECK (kind IN ('SINGLE_USE', 'CUSTOM', 'ACCESS')),
    CONSTRAINT codes_status_check CHECK (status IN ('AVAILABLE', 'HELD', 'USED', 'INVALIDATED')),
    CONSTRAINT codes_single_use_check CHECK (kind = 'SINGLE_USE' OR status IN ('AVAILABLE', 'INVALIDATED')),
    CONSTRAINT codes_held_check CHECK ((status = 'HELD') = (basket_id IS NOT NULL)),
    CONSTRAINT codes_used_check CHECK (status <> 'USED' OR order_id IS NOT NULL),
    CONSTRAINT codes_uses_check CHECK (uses >= 0 AND uses <= max_uses)
);

CREATE INDEX codes_basket_idx ON codes (organisation_id, basket_id) WHERE basket_id IS NOT NULL;

CREATE INDEX codes_chosen_idx ON codes (organisation_id, offer_id, id) WHERE kind <> 'SINGLE_USE';

CREATE INDEX codes_moved_idx ON codes (organisation_id, status, id) WHERE status <> 'AVAILABLE';

CREATE INDEX codes_used_idx ON codes (organisation_id, used_at) WHERE used_at IS NOT NULL;

CREATE TABLE organisations (
    id UUID NOT NULL,
    code TEXT NOT NULL,
    name TEXT NOT NULL,
    currency TEXT NOT NULL,
    timezone TEXT NOT NULL,
    basket_minutes INTEGER NOT NULL,
    catalogue_version BIGINT DEFAULT 1 NOT NULL,
    CONSTRAINT organisations_pkey PRIMARY KEY (id),
    CONSTRAINT organisations_basket_minutes_check CHECK (basket_minutes > 0),
    CONSTRAINT organisations_code_key UNIQUE (code)
);

CREATE TABLE audience_sub_categories (
    organisation_id UUID NOT NULL,
    id UUID NOT NULL,
    code TEXT NOT NULL,
    name JSONB NOT NULL,
    CONSTRAINT audience_sub_categories_pkey PRIMARY KEY (organisation_id, id),
    CONSTRAINT audience_sub_categories_organisation_id_code_key UNIQUE (organisation_id, code),
    CONSTRAINT audience_sub_categories_organisation_id_fkey FOREIGN KEY(organisation_id) REFERENCES organisations (id)
);

CREATE TABLE audit_entries (
    organisation_id UUID NOT NULL,
    id UUID NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject_type TEXT NOT NULL,
    subject_id UUID NOT NULL,
    details JSONB NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT audit_entries_pkey PRIMARY KEY (organisation_id, id),
    CONSTRAINT audit_entries_organisation_id_fkey FOREIGN KEY(organisation_id) REFERENCES organisations (id)
);

CREATE INDEX audit_entries_organisation_id_subject_id_id_idx ON audit_entries (organisation_id, subject_id, id);

CREATE TABLE campaigns (
    organisation_id UUID NOT NULL,
    id UUID NOT NULL,
    code TEXT NOT NULL,
    name JSONB NOT NULL,
    starts_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ends_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT campaigns_pkey PRIMARY KEY (organisation_id, id),
    CONSTRAINT campaigns_organisation_id_code_key UNIQUE (organisation_id, code),
    CONSTRAINT campaigns_organisation_id_fkey FOREIGN KEY(organisation_id) REFERENCES organisations (id)
);

CREATE TABLE contacts (
    organisation_id UUID NOT NULL,
    id UUID NOT NULL,
    code TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    email TEXT,
    balance BIGINT DEFAULT 0 NOT NULL,
    newsletter BOOLEAN DEFAULT false NOT NULL,
    has_ordered BOOLEAN DEFAULT false NOT NULL,
    CONSTRAINT contacts_pkey PRIMARY KEY (organisation_id, id),
    CONSTRAINT contacts_organisation_id_code_key UNIQUE (organisation_id, code),
    CONSTRAINT contacts_balance_check CHECK (balance >= 0),
    CONSTRAINT contacts_organisation_id_fkey FOREIGN KEY(organisation_id) REFERENCES organisations (id)
);

CREATE TABLE delivery_modes (
    organisation_id UUID NOT NULL,
    id UUID NOT NULL,
    code TEXT NOT NULL,
    name JSONB NOT NULL,
    fee BIGINT NOT NULL,
    CONSTRAINT delivery_modes_pkey PRIMARY KEY (organisation_id, id),
    CONSTRAINT delivery_modes_organisation_id_code_key UNIQUE (organisation_id, code),
    CONSTRAINT delivery_modes_fee_check CHECK (fee >= 0),
    CONSTRAINT delivery_modes_organisation_id_fkey FOREIGN KEY(organisation_id) REFERENCES organisations (id)
);

CREATE TABLE idempotency_keys (
    organisation_id UUID NOT NULL,
    caller TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint BYTEA NOT NULL,
    answer JSONB,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (organisation_id, caller, key),
    CONSTRAINT idempotency_keys_organisation_id_fkey FOREIGN KEY(organisation_id) REFERENCES organisations (id)
);

CREATE INDEX idempotency_keys_created_at_idx ON idempotency_keys (created_at);

CREATE TABLE indicators (
    organisation_id UUID NOT NULL,
    id UUID NOT NULL,
    code TEXT NOT NULL,
    name JSONB NOT NULL,
    levels TEXT[] NOT NULL,
    CONSTRAINT indicators_pkey PRIMARY KEY (organisation_id, id),
    CONSTRAINT indicators_organisation_id_code_key UNIQUE (organisation_id, code),
    CONSTRAINT indicators_organisation_id_fkey FOREIGN KEY(organisation_id) REFERENCES organisations (id)
);

CREATE TABLE sales_channels (
    organisation_id UUID NOT NULL,
    id UUID NOT NULL,
    code TEXT NOT NULL,
    name JSONB NOT NULL,
    kind TEXT NOT NULL,
    processing_fee BIGINT NOT NULL,
    CONSTRAINT sales_channels_pkey PRIMARY KEY (organisation_id, id),
    CONSTRAINT sales_channels_organisation_id_code_key UNIQUE (organisation_id, code),
    CONSTRAINT sales_channels_processing_fee_check CHECK (processing_fee >= 0),
    CONSTRAINT sales_channels_organisation_id_fkey FOREIGN KEY(organisation_id) REFERENCES organisations (id)
);

CREATE TABLE seasons (
    organisation_id UUID NOT NULL,
    id UUID NOT NULL,
    code TEXT NOT NULL,
    name JSONB NOT NULL,
    starts_on TIMESTAMP WITH TIME ZONE NOT NULL,
    ends_on TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT seasons_pkey PRIMARY KEY (organisation_id, id),
    CONSTRAINT seasons_organisation_id_code_key UNIQUE (organisation_id, code),
    CONSTRAINT seasons_organisation_id_fkey FOREIGN KEY(organisation_id) REFERENCES organisations (id)
);

CREATE TABLE seat_categories (
    organisation_id UUID NOT NULL,
    id UUID NOT NULL,
    code TEXT NOT NULL,
    name JSONB NOT NULL,
    CONSTRAINT seat_categories_pkey PRIMARY KEY (organisation_id, id),
    CONSTRAINT seat_categories_organisation_id_code_key UNIQUE (organisation_id, code),
    CONSTRAINT seat_categories_organisation_id_fkey FOREIGN KEY(organisation_id) REFERENCES organisations (id)
);

CREATE TABLE campaign_contacts (
    organisation_id UUID NOT NULL,
    campaign_id UUID NOT NULL,
    contact_id UUID NOT NULL,
    CONSTRAINT campaign_contacts_pkey PRIMARY KEY (organisation_id, campaign_id, contact_id),
    CONSTRAINT campaign_contacts_organisation_id_campaign_id_fkey FOREIGN KEY(organisation_id, campaign_id) REFERENCES campaigns (organisation_id, id),
    CONSTRAINT campaign_contacts_organisation_id_contact_id_fkey FOREIGN KEY(organisation_id, contact_id) REFERENCES contacts (organisation_id, id),
    CONSTRAINT campaign_contacts_organisation_id_fkey FOREIGN KEY(organisation_id) REFERENCES organisations (id)
);

CREATE INDEX campaign_contacts_organisation_id_contact_id_idx ON campaign_contacts (organisation_id, contact_id);

CREATE TABLE contact_indicators (
    organisation_id UUID NOT NULL,
    contact_id UUID NOT NULL,
    indicator_id UUID NOT NULL,
    level TEXT NOT NULL,
    CONSTRAINT contact_indicators_pkey PRIMARY KEY (organisation_id, contact_id, indicator_id),
    CONSTRAINT contact_indicators_organisation_id_contact_id_fkey FOREIGN KEY(organisation_id, contact_id) REFERENCES contacts (organisation_id, id),
    CONSTRAINT contact_indicators_organisation_id_indicator_id_fkey FOREIGN KEY(organisation_id, indicator_id) REFERENCES indicators (organisation_id, id),
    CONSTRAINT contact_indicators_organisation_id_fkey FOREIGN KEY(organisation_id) REFERENCES organisations (id)
);

CREATE TABLE offers (
    organisation_id UUID NOT NULL,
    id UUID NOT NULL,
    kind TEXT NOT NULL,
    code TEXT NOT NULL,
    state TEXT NOT NULL,
    internal_name JSONB NOT NULL,
    public_name JSONB NOT NULL,
    picture TEXT,
    valid_from TIMESTAMP WITH TIME ZONE,
    valid_until TIMESTAMP WITH TIME ZONE,
    channel_ids UUID[] DEFAULT '{}' NOT NULL,
    point_of_sale_ids UUID[] DEFAULT '{}' NOT NULL,
    delivery_mode_ids UUID[] DEFAULT '{}' NOT NULL,
    scope JSONB NOT NULL,
    benefit JSONB NOT NULL,
    season_id UUID,
    family TEXT,
    target_type TEXT,
    campaign_id UUID,
    indicator_id UUID,
    indicator_level TEXT,
    tickets_per_code INTEGER,
    sale_end_tolerance INTEGER,
    minimum_basket BIGINT DEFAULT 0 NOT NULL,
    combinable BOOLEAN DEFAULT false NOT NULL,
    returns_codes BOOLEAN DEFAULT true NOT NULL,
    restriction JSONB DEFAULT '{}' NOT NULL,
    version BIGINT DEFAULT 1 NOT NULL,
    CONSTRAINT offers_pkey PRIMARY KEY (organisation_id, id),
    CONSTRAINT offers_organisation_id_season_id_fkey FOREIGN KEY(organisation_id, season_id) REFERENCES seasons (organisation_id, id),
    CONSTRAINT offers_organisation_id_campaign_id_fkey FOREIGN KEY(organisation_id, campaign_id) REFERENCES campaigns (organisation_id, id),
    CONSTRAINT offers_organisation_id_indicator_id_fkey FOREIGN KEY(organisation_id, indicator_id) REFERENCES indicators (organisation_id, id),
    CONSTRAINT offers_organisation_id_kind_code_key UNIQUE (organisation_id, kind, code),
    CONSTRAINT offers_kind_check CHECK (kind IN ('ADVANTAGE', 'PROMOTIONAL_CODE')),
    CONSTRAINT offers_state_check CHECK (state IN ('DRAFT', 'VALIDATED', 'RUNNING', 'SUSPENDED', 'CLOSED')),
    CONSTRAINT offers_advantage_check CHECK ((kind = 'ADVANTAGE') = (season_id IS NOT NULL AND family IS NOT NULL)),
    CONSTRAINT offers_tickets_per_code_check CHECK (tickets_per_code > 0),
    CONSTRAINT offers_organisation_id_fkey FOREIGN KEY(organisation_id) REFERENCES organisations (id)
);

CREATE INDEX offers_campaign_idx ON offers (organisation_id, campaign_id);

CREATE INDEX offers_indicator_idx ON offers (organisation_id, indicator_id, indicator_level);

CREATE TABLE points_of_sale (
    organisation_id UUID NOT NULL,
    id UUID NOT NULL,
    code TEXT NOT NULL,
    name JSONB NOT NULL,
    channel_id UUID NOT NULL,
    url TEXT,
    CONSTRAINT points_of_sale_pkey PRIMARY KEY (organisation_id, id),
    CONSTRAINT points_of_sale_organisation_id_code_key UNIQUE (organisation_id, code),
    CONSTRAINT points_of_sale_organisation_id_channel_id_fkey FOREIGN KEY(organisation_id, channel_id) REFERENCES sales_channels (organisation_id, id),
    CONSTRAINT points_of_sale_organisation_id_fkey FOREIGN KEY(organisation_id) REFERENCES organisations (id)
);

CREATE TABLE products (
    organisation_id UUID NOT NULL,
    id UUID NOT NULL,
    code TEXT NOT NULL,
    name JSONB NOT NULL,
    season_id UUID NOT NULL,
    family TEXT NOT NULL,
    CONSTRAINT products_pkey PRIMARY KEY (organisation_id, id),
    CONSTRAINT products_organisation_id_code_key UNIQUE (organisation_id, code),
    CONSTRAINT products_organisation_id_season_id_fkey FOREIGN KEY(organisation_id, season_id) REFERENCES seasons (organisation_id, id),
    CONSTRAINT products_organisation_id_fkey FOREIGN KEY(organisation_id) REFERENCES organisations (id)
);

CREATE TABLE api_keys (
    organisation_id UUID NOT NULL,
    id UUID NOT NULL,
    contact_id UUID NOT NULL,
    point_of_sale_id UUID NOT NULL,
    digest BYTEA NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    revoked_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT api_keys_pkey PRIMARY KEY (organisation_id, id),
    CONSTRAINT api_keys_organisation_id_contact_id_fkey FOREIGN KEY(organisation_id, contact_id) REFERENCES contacts (organisation_id, id),
    CONSTRAINT api_keys_organisation_id_point_of_sale_id_fkey FOREIGN KEY(organisation_id, point_of_sale_id) REFERENCES points_of_sale (organisation_id, id),
    CONSTRAINT api_keys_organisation_id_digest_key UNIQUE (organisation_id, digest),
    CONSTRAINT api_keys_organisation_id_fkey FOREIGN KEY(organisation_id) REFERENCES organisations (id)
);

CREATE TABLE baskets (
    organisation_id UUID NOT NULL,
    id UUID NOT NULL,
    state TEXT DEFAULT 'OPEN' NOT NULL,
    point_of_sale_id UUID NOT NULL,
    contact_id UUID,
    delivery_mode_id UUID,
    use_balance BOOLEAN NOT NULL,
    advantage_ids UUID[],
    counter_profile TEXT,
    lines JSONB NOT NULL,
    entered_codes TEXT[] DEFAULT '{}' NOT NULL,
    pricing JSONB NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT baskets_pkey PRIMARY KEY (organisation_id, id),
    CONSTRAINT baskets_organisation_id_point_of_sale_id_fkey FOREIGN KEY(organisation_id, point_of_sale_id) REFERENCES points_of_sale (organisation_id, id),
    CONSTRAINT baskets_organisation_id_contact_id_fkey FOREIGN KEY(organisation_id, contact_id) REFERENCES contacts (organisation_id, id),
    CONSTRAINT baskets_organisation_id_delivery_mode_id_fkey FOREIGN KEY(organisation_id, delivery_mode_id) REFERENCES delivery_modes (organisation_id, id),
    CONSTRAINT baskets_state_check CHECK (state IN ('OPEN', 'CONFIRMED', 'CANCELLED', 'EXPIRED')),
    CONSTRAINT baskets_organisation_id_fkey FOREIGN KEY(organisation_id) REFERENCES organisations (id)
);

CREATE INDEX baskets_open_idx ON baskets (expires_at) WHERE state = 'OPEN';

CREATE TABLE batches (
    organisation_id UUID NOT NULL,
    id UUID NOT NULL,
    code TEXT,
    offer_id UUID NOT NULL,
    contact_id UUID NOT NULL,
    quantity INTEGER NOT NULL,
    generated INTEGER DEFAULT 0 NOT NULL,
    state TEXT DEFAULT 'PENDING' NOT NULL,
    destination TEXT,
    document_type TEXT NOT NULL,
    language TEXT NOT NULL,
    remark TEXT,
    error TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    created_by TEXT NOT NULL,
    sent_at TIMESTAMP WITH TIME ZONE,
    resends SMALLINT DEFAULT 0 NOT NULL,
    CONSTRAINT batches_pkey PRIMARY KEY (organisation_id, id),
    CONSTRAINT batches_organisation_id_offer_id_fkey FOREIGN KEY(organisation_id, offer_id) REFERENCES offers (organisation_id, id),
    CONSTRAINT batches_organisation_id_contact_id_fkey FOREIGN KEY(organisation_id, contact_id) REFERENCES contacts (organisation_id, id),
    CONSTRAINT batches_organisation_id_code_key UNIQUE (organisation_id, code),
    CONSTRAINT batches_quantity_check CHECK (quantity BETWEEN 1 AND 5000000 AND generated BETWEEN 0 AND quantity),
    CONSTRAINT batches_state_check CHECK (state IN ('PENDING', 'GENERATING', 'SENDING', 'DONE', 'FAILED')),
    CONSTRAINT batches_organisation_id_fkey FOREIGN KEY(organisation_id) REFERENCES organisations (id)
);

CREATE INDEX batches_organisation_id_contact_id_id_idx ON batches (organisation_id, contact_id, id);

CREATE INDEX batches_organisation_id_offer_id_id_idx ON batches (organisation_id, offer_id, id);

CREATE TABLE contact_limits (
    organisation_id UUID NOT NULL,
    offer_id UUID NOT NULL,
    element_id UUID NOT NULL,
    contact_id UUID NOT NULL,
    capacity INTEGER NOT NULL,
    taken BIGINT NOT NULL,
    CONSTRAINT contact_limits_pkey PRIMARY KEY (organisation_id, offer_id, element_id, contact_id),
    CONSTRAINT contact_limits_organisation_id_offer_id_fkey FOREIGN KEY(organisation_id, offer_id) REFERENCES offers (organisation_id, id),
    CONSTRAINT contact_limits_organisation_id_contact_id_fkey FOREIGN KEY(organisation_id, contact_id) REFERENCES contacts (organisation_id, id),
    CONSTRAINT contact_limits_taken_check CHECK (taken >= 0 AND taken <= capacity),
    CONSTRAINT contact_limits_organisation_id_fkey FOREIGN KEY(organisation_id) REFERENCES organisations (id)
);

CREATE TABLE offer_limits (
    organisation_id UUID NOT NULL,
    offer_id UUID NOT NULL,
    element_id UUID DEFAULT '00000000-0000-0000-0000-000000000000' NOT NULL,
    element_kind TEXT,
    quota INTEGER,
    per_order INTEGER,
    per_contact INTEGER,
    taken BIGINT DEFAULT 0 NOT NULL,
    CONSTRAINT offer_limits_pkey PRIMARY KEY (organisation_id, offer_id, element_id),
    CONSTRAINT offer_limits_organisation_id_offer_id_fkey FOREIGN KEY(organisation_id, offer_id) REFERENCES offers (organisation_id, id),
    CONSTRAINT offer_limits_taken_check CHECK (taken >= 0 AND taken <= quota),
    CONSTRAINT offer_limits_quota_check CHECK (quota >= 0),
    CONSTRAINT offer_limits_per_check CHECK (per_order >= 0 AND per_contact >= 0),
    CONSTRAINT offer_limits_organisation_id_fkey FOREIGN KEY(organisation_id) REFERENCES organisations (id)
);

CREATE TABLE performances (
    organisation_id UUID NOT NULL,
    id UUID NOT NULL,
    code TEXT NOT NULL,
    product_id UUID NOT NULL,
    starts_at TIMESTAMP WITH TIME ZONE NOT NULL,
    venue TEXT NOT NULL,
    CONSTRAINT performances_pkey PRIMARY KEY (organisation_id, id),
    CONSTRAINT performances_organisation_id_code_key UNIQUE (organisation_id, code),
    CONSTRAINT performances_organisation_id_product_id_fkey FOREIGN KEY(organisation_id, product_id) REFERENCES products (organisation_id, id),
    CONSTRAINT performances_organisation_id_fkey FOREIGN KEY(organisation_id) REFERENCES organisations (id)
);

CREATE TABLE redemption_counts (
    organisation_id UUID NOT NULL,
    offer_id UUID NOT NULL,
    contact_id UUID DEFAULT '00000000-0000-0000-0000-000000000000' NOT NULL,
    slot SMALLINT NOT NULL,
    generated BIGINT DEFAULT 0 NOT NULL,
    held BIGINT DEFAULT 0 NOT NULL,
    used BIGINT DEFAULT 0 NOT NULL,
    invalidated BIGINT DEFAULT 0 NOT NULL,
    tickets_held BIGINT DEFAULT 0 NOT NULL,
    tickets_sold BIGINT DEFAULT 0 NOT NULL,
    tickets_controlled BIGINT DEFAULT 0 NOT NULL,
    version BIGINT DEFAULT 0 NOT NULL,
    CONSTRAINT redemption_counts_pkey PRIMARY KEY (organisation_id, offer_id, contact_id, slot),
    CONSTRAINT redemption_counts_organisation_id_offer_id_fkey FOREIGN KEY(organisation_id, offer_id) REFERENCES offers (organisation_id, id),
    CONSTRAINT redemption_counts_organisation_id_fkey FOREIGN KEY(organisation_id) REFERENCES organisations (id)
);

CREATE TABLE orders (
    organisation_id UUID NOT NULL,
    id UUID NOT NULL,
    number TEXT NOT NULL,
    state TEXT DEFAULT 'CONFIRMED' NOT NULL,
    basket_id UUID NOT NULL,
    contact_id UUID,
    point_of_sale_id UUID NOT NULL,
    payment_reference TEXT,
    pricing JSONB NOT NULL,
    confirmed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    cancelled_at TIMESTAMP WITH TIME ZONE,
    cancellation_reason TEXT,
    CONSTRAINT orders_pkey PRIMARY KEY (organisation_id, id),
    CONSTRAINT orders_organisation_id_basket_id_fkey FOREIGN KEY(organisation_id, basket_id) REFERENCES baskets (organisation_id, id),
    CONSTRAINT orders_organisation_id_contact_id_fkey FOREIGN KEY(organisation_id, contact_id) REFERENCES contacts (organisation_id, id),
    CONSTRAINT orders_organisation_id_point_of_sale_id_fkey FOREIGN KEY(organisation_id, point_of_sale_id) REFERENCES points_of_sale (organisation_id, id),
    CONSTRAINT orders_organisation_id_number_key UNIQUE (organisation_id, number),
    CONSTRAINT orders_organisation_id_basket_id_key UNIQUE (organisation_id, basket_id),
    CONSTRAINT orders_state_check CHECK (state IN ('CONFIRMED', 'CANCELLED')),
    CONSTRAINT orders_organisation_id_fkey FOREIGN KEY(organisation_id) REFERENCES organisations (id)
);

CREATE INDEX orders_organisation_id_contact_id_idx ON orders (organisation_id, contact_id);

CREATE TABLE rates (
    organisation_id UUID NOT NULL,
    id UUID NOT NULL,
    product_id UUID NOT NULL,
    performance_id UUID,
    seat_category_id UUID,
    audience_sub_category_id UUID NOT NULL,
    price BIGINT NOT NULL,
    CONSTRAINT rates_pkey PRIMARY KEY (organisation_id, id),
    CONSTRAINT rates_organisation_id_product_id_fkey FOREIGN KEY(organisation_id, product_id) REFERENCES products (organisation_id, id),
    CONSTRAINT rates_organisation_id_performance_id_fkey FOREIGN KEY(organisation_id, performance_id) REFERENCES performances (organisation_id, id),
    CONSTRAINT rates_organisation_id_seat_category_id_fkey FOREIGN KEY(organisation_id, seat_category_id) REFERENCES seat_categories (organisation_id, id),
    CONSTRAINT rates_organisation_id_audience_sub_category_id_fkey FOREIGN KEY(organisation_id, audience_sub_category_id) REFERENCES audience_sub_categories (organisation_id, id),
    CONSTRAINT rates_price_check CHECK (price >= 0),
    CONSTRAINT rates_combination_key UNIQUE NULLS NOT DISTINCT (organisation_id, product_id, performance_id, seat_category_id, audience_sub_category_id),
    CONSTRAINT rates_organisation_id_fkey FOREIGN KEY(organisation_id) REFERENCES organisations (id)
);

CREATE TABLE redemptions (
    organisation_id UUID NOT NULL,
    id UUID NOT NULL,
    basket_id UUID NOT NULL,
    offer_id UUID NOT NULL,
    code_id UUID,
    holder_id UUID DEFAULT '00000000-0000-0000-0000-000000000000' NOT NULL,
    contact_id UUID,
    product_id UUID NOT NULL,
    performance_id UUID,
    seat_category_id UUID,
    audience_sub_category_id UUID NOT NULL,
    tickets INTEGER NOT NULL,
    state TEXT DEFAULT 'HELD' NOT NULL,
    CONSTRAINT redemptions_pkey PRIMARY KEY (organisation_id, id),
    CONSTRAINT redemptions_organisation_id_basket_id_fkey FOREIGN KEY(organisation_id, basket_id) REFERENCES baskets (organisation_id, id),
    CONSTRAINT redemptions_organisation_id_offer_id_fkey FOREIGN KEY(organisation_id, offer_id) REFERENCES offers (organisation_id, id),
    CONSTRAINT redemptions_organisation_id_code_id_fkey FOREIGN KEY(organisation_id, code_id) REFERENCES codes (organisation_id, id),
    CONSTRAINT redemptions_tickets_check CHECK (tickets > 0),
    CONSTRAINT redemptions_state_check CHECK (state IN ('HELD', 'USED', 'RETURNED')),
    CONSTRAINT redemptions_organisation_id_fkey FOREIGN KEY(organisation_id) REFERENCES organisations (id)
);

CREATE INDEX redemptions_code_idx ON redemptions (organisation_id, code_id) WHERE code_id IS NOT NULL;

CREATE INDEX redemptions_organisation_id_basket_id_idx ON redemptions (organisation_id, basket_id);

CREATE INDEX redemptions_organisation_id_offer_id_idx ON redemptions (organisation_id, offer_id);

CREATE TABLE tickets (
    organisation_id UUID NOT NULL,
    id UUID NOT NULL,
    order_id UUID NOT NULL,
    barcode TEXT NOT NULL,
    line SMALLINT NOT NULL,
    position SMALLINT NOT NULL,
    price BIGINT NOT NULL,
    advantage_id UUID,
    code_id UUID,
    redeemed JSONB NOT NULL,
    controlled_at TIMESTAMP WITH TIME ZONE,
    controlled_by TEXT,
    controlled_point_of_sale_id UUID,
    CONSTRAINT tickets_pkey PRIMARY KEY (organisation_id, id),
    CONSTRAINT tickets_organisation_id_order_id_fkey FOREIGN KEY(organisation_id, order_id) REFERENCES orders (organisation_id, id),
    CONSTRAINT tickets_organisation_id_advantage_id_fkey FOREIGN KEY(organisation_id, advantage_id) REFERENCES offers (organisation_id, id),
    CONSTRAINT tickets_organisation_id_code_id_fkey FOREIGN KEY(organisation_id, code_id) REFERENCES codes (organisation_id, id),
    CONSTRAINT tickets_organisation_id_controlled_point_of_sale_id_fkey FOREIGN KEY(organisation_id, controlled_point_of_sale_id) REFERENCES points_of_sale (organisation_id, id),
    CONSTRAINT tickets_organisation_id_barcode_key UNIQUE (organisation_id, barcode),
    CONSTRAINT tickets_organisation_id_order_id_line_position_key UNIQUE (organisation_id, order_id, line, position),
    CONSTRAINT tickets_price_check CHECK (price >= 0),
    CONSTRAINT tickets_organisation_id_fkey FOREIGN KEY(organisation_id) REFERENCES organisations (id)
);
