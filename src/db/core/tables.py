"""Every table, as SQLAlchemy Core sees it.

The organisation comes first in every key, unique constraint and foreign key, so that an organisation is the unit of
isolation and of distribution. Money is whole minor units; instants are ``timestamptz``; names are JSON objects keyed by
lower-case language. Keys are UUIDv7, made by the program.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import (
    ARRAY,
    DDL,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    event,
    func,
    schema,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.schema import SchemaItem

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
    }
)

_PIECES: Final = """
CREATE FUNCTION pieces_of(owner uuid, written text) RETURNS text[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT coalesce(array_agg(DISTINCT right(owner::text, 12) || substr(low, place, size)), '{}')
    FROM (SELECT lower(written) AS low) written_low
    CROSS JOIN (VALUES (1), (2)) sizes(size) CROSS JOIN LATERAL generate_series(1, length(low) - size + 1) places(place)
$$
"""
"""What a text of an organisation is indexed by for searches of a part of it: its letters, alone and two by two."""
# DDL has no types of its own.
event.listen(metadata, "before_create", DDL(_PIECES))  # type: ignore[no-untyped-call]
event.listen(metadata, "after_drop", DDL("DROP FUNCTION pieces_of"))  # type: ignore[no-untyped-call]

_CONTACT_TEXT: Final = "name || E'\\n' || coalesce(email, '')"
_CONTACT_PIECES: Final = f"pieces_of(organisation_id, {_CONTACT_TEXT})"
_CONTACT_CODE_PIECES: Final = "pieces_of(organisation_id, code)"
_ORDER_PIECES: Final = "pieces_of(organisation_id, number)"

NIL = "00000000-0000-0000-0000-000000000000"
"""Stands in keys where there is no element or no contact, because a primary key takes no NULL."""


def _owned(name: str, *items: SchemaItem, key: tuple[str, ...] = ("id",), in_bulk: bool = False) -> Table:
    """A table whose rows belong to an organisation; its primary key is the organisation followed by ``key``.

    Rows that always name another of the organisation's rows exist by that alone: one more foreign key would have every
    sale lock the same row. Rows that come ``in_bulk`` are not checked against the organisations, which are never
    deleted.
    """
    owner = () if in_bulk or _names_another(items) else (ForeignKey("organisations.id"),)
    own_id = [Column("id", Uuid, nullable=False)] if "id" in key else []
    return Table(
        name,
        metadata,
        Column("organisation_id", Uuid, *owner, nullable=False),
        *own_id,
        *items,
        PrimaryKeyConstraint("organisation_id", *key),
    )


def _names_another(items: Sequence[SchemaItem]) -> bool:
    always = {item.name for item in items if isinstance(item, Column) and not item.nullable}
    return any(always.issuperset(item.column_keys[1:]) for item in items if isinstance(item, ForeignKeyConstraint))


def _reference(column: str, table: str, *, nullable: bool = False) -> tuple[SchemaItem, ...]:
    """A column that names a row of the same organisation."""
    return (
        Column(column, Uuid, nullable=nullable),
        ForeignKeyConstraint(["organisation_id", column], [f"{table}.organisation_id", f"{table}.id"]),
    )


def _code() -> tuple[SchemaItem, ...]:
    return Column("code", Text, nullable=False), UniqueConstraint("organisation_id", "code")


def _now(name: str) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=False, server_default=func.now())


def _instant(name: str, *, nullable: bool = False) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


def _name(name: str = "name") -> Column[object]:
    return Column(name, JSONB, nullable=False)


organisations = Table(
    "organisations",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("code", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("timezone", Text, nullable=False),
    Column("basket_minutes", Integer, nullable=False),
    # How long a basket lives in all, however often it is changed.
    Column("basket_maximum_minutes", Integer, nullable=False, server_default=text("60")),
    # How long before a performance starts, and after it did, its tickets are admitted.
    Column("entry_opens_minutes", Integer, nullable=False, server_default=text("180")),
    Column("entry_closes_minutes", Integer, nullable=False, server_default=text("1440")),
    # Whether an order's fees are given back with the last of its tickets.
    Column("returns_fees", Boolean, nullable=False, server_default=text("true")),
    # Moves with every change of catalogue or offers; processes replace their snapshot when they see it move.
    Column("catalogue_version", BigInteger, nullable=False, server_default=text("1")),
    CheckConstraint("basket_minutes > 0", "basket_minutes"),
    CheckConstraint("basket_maximum_minutes >= basket_minutes", "basket_maximum_minutes"),
    CheckConstraint("entry_opens_minutes >= 0 AND entry_closes_minutes >= 0", "entry_minutes"),
)

# ── Catalogue ────────────────────────────────────────────────────────────────────────────────────

seasons = _owned("seasons", *_code(), _name(), _instant("starts_on"), _instant("ends_on"))
seat_categories = _owned("seat_categories", *_code(), _name())
audience_sub_categories = _owned("audience_sub_categories", *_code(), _name())
sales_channels = _owned(
    "sales_channels",
    *_code(),
    _name(),
    Column("kind", Text, nullable=False),
    Column("processing_fee", BigInteger, nullable=False),
    CheckConstraint("processing_fee >= 0", "processing_fee"),
)
points_of_sale = _owned(
    "points_of_sale", *_code(), _name(), *_reference("channel_id", "sales_channels"), Column("url", Text)
)
delivery_modes = _owned(
    "delivery_modes",
    *_code(),
    _name(),
    Column("fee", BigInteger, nullable=False),
    CheckConstraint("fee >= 0", "fee"),
)
# Those of staff, whom promotional codes may be restricted to: their tokens name them by code.
counter_profiles = _owned("counter_profiles", *_code(), _name())
indicators = _owned("indicators", *_code(), _name(), Column("levels", ARRAY(Text), nullable=False))
products = _owned(
    "products",
    *_code(),
    _name(),
    *_reference("season_id", "seasons"),
    Column("family", Text, nullable=False),
    # How often a ticket sold from now on admits.
    Column("entries_allowed", Integer, nullable=False, server_default=text("1")),
    CheckConstraint("entries_allowed > 0", "entries_allowed"),
)
performances = _owned(
    "performances",
    *_code(),
    *_reference("product_id", "products"),
    _instant("starts_at"),
    Column("venue", Text, nullable=False),
    # NULL is its start.
    _instant("sale_ends_at", nullable=True),
)
rates = _owned(
    "rates",
    *_reference("product_id", "products"),
    *_reference("performance_id", "performances", nullable=True),
    *_reference("seat_category_id", "seat_categories", nullable=True),
    *_reference("audience_sub_category_id", "audience_sub_categories"),
    Column("price", BigInteger, nullable=False),
    CheckConstraint("price >= 0", "price"),
    UniqueConstraint(
        "organisation_id",
        "product_id",
        "performance_id",
        "seat_category_id",
        "audience_sub_category_id",
        name="rates_combination_key",
        postgresql_nulls_not_distinct=True,
    ),
)

# ── Contacts ─────────────────────────────────────────────────────────────────────────────────────

contacts = _owned(
    "contacts",
    *_code(),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("email", Text),
    Column("balance", BigInteger, nullable=False, server_default=text("0")),
    Column("newsletter", Boolean, nullable=False, server_default=text("false")),
    # Has an order that is not cancelled, here or, as data files say, in the system that the contact comes from.
    Column("has_ordered", Boolean, nullable=False, server_default=text("false")),
    Column("ordered_elsewhere", Boolean, nullable=False, server_default=text("false")),
    CheckConstraint("balance >= 0", "balance"),
    Index("contacts_pieces_idx", text(_CONTACT_PIECES), postgresql_using="gin"),
    Index("contacts_code_pieces_idx", text(_CONTACT_CODE_PIECES), postgresql_using="gin"),
)
contact_indicators = _owned(
    "contact_indicators",
    *_reference("contact_id", "contacts"),
    *_reference("indicator_id", "indicators"),
    Column("level", Text, nullable=False),
    key=("contact_id", "indicator_id"),
)
campaigns = _owned("campaigns", *_code(), _name(), _instant("starts_at"), _instant("ends_at"))
campaign_contacts = _owned(
    "campaign_contacts",
    *_reference("campaign_id", "campaigns"),
    *_reference("contact_id", "contacts"),
    Index(None, "organisation_id", "contact_id"),
    key=("campaign_id", "contact_id"),
)
api_keys = _owned(
    "api_keys",
    *_reference("contact_id", "contacts"),
    *_reference("point_of_sale_id", "points_of_sale"),
    # SHA-256 of the key: it is long and random, so that a slow hash would add nothing.
    Column("digest", LargeBinary, nullable=False),
    _now("created_at"),
    _instant("revoked_at", nullable=True),
    Column("name", Text),
    # The hour of it: written once an hour, not with every request.
    _instant("last_used_at", nullable=True),
    UniqueConstraint("organisation_id", "digest"),
)

# ── Offers ───────────────────────────────────────────────────────────────────────────────────────

offers = _owned(
    "offers",
    Column("kind", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("state", Text, nullable=False),
    _name("internal_name"),
    _name("public_name"),
    Column("picture", Text),
    Column("description", JSONB, nullable=False, server_default=text("'{}'")),
    Column("terms", JSONB, nullable=False, server_default=text("'{}'")),
    # Of a copy, the fields that could not be copied as they were and that nobody has given anew since.
    Column("unfinished", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    _instant("valid_from", nullable=True),
    _instant("valid_until", nullable=True),
    Column("channel_ids", ARRAY(Uuid), nullable=False, server_default=text("'{}'")),
    Column("point_of_sale_ids", ARRAY(Uuid), nullable=False, server_default=text("'{}'")),
    Column("delivery_mode_ids", ARRAY(Uuid), nullable=False, server_default=text("'{}'")),
    # {"products": [id], "performances": [id], "seatCategories": [id], "audienceSubCategories": [id]}
    Column("scope", JSONB, nullable=False),
    # Exactly one of {"rates": [{"seatCategory": id or null, "audienceSubCategory": id, "price": minor}]},
    # {"percentOff": ten-thousandths}, {"amountOff": minor}, {"fixedPrice": minor}, {"amountOffPerTicket": minor}
    Column("benefit", JSONB, nullable=False),
    # Advantages only.
    *_reference("season_id", "seasons", nullable=True),
    Column("family", Text),
    Column("target_type", Text),
    *_reference("campaign_id", "campaigns", nullable=True),
    *_reference("indicator_id", "indicators", nullable=True),
    Column("indicator_level", Text),
    Column("tickets_per_code", Integer),
    # Of both kinds; NULL is without limit.
    Column("sale_end_tolerance", Integer),
    # Promotional codes only.
    Column("minimum_basket", BigInteger, nullable=False, server_default=text("0")),
    Column("combinable", Boolean, nullable=False, server_default=text("false")),
    # Whether its single-use codes are available again when their order is cancelled.
    Column("returns_codes", Boolean, nullable=False, server_default=text("true")),
    # What becomes of the tickets that stay where others of their order are cancelled.
    Column("cancellation_policy", Text, nullable=False, server_default=text("'KEEP'")),
    # {"indicator": {"id", "level"}, "hasOrdered": bool, "newsletter": bool, "contacts": [id],
    # "counterProfiles": [text]}, each of them only where it restricts.
    Column("restriction", JSONB, nullable=False, server_default=text("'{}'")),
    Column("version", BigInteger, nullable=False, server_default=text("1")),
    UniqueConstraint("organisation_id", "kind", "code"),
    CheckConstraint("kind IN ('ADVANTAGE', 'PROMOTIONAL_CODE')", "kind"),
    CheckConstraint("cancellation_policy IN ('KEEP', 'ANEW')", "cancellation_policy"),
    CheckConstraint("state IN ('DRAFT', 'VALIDATED', 'RUNNING', 'SUSPENDED', 'CLOSED')", "state"),
    CheckConstraint("(kind = 'ADVANTAGE') = (season_id IS NOT NULL AND family IS NOT NULL)", "advantage"),
    CheckConstraint("tickets_per_code > 0", "tickets_per_code"),
    Index("offers_campaign_idx", "organisation_id", "campaign_id"),
    Index("offers_indicator_idx", "organisation_id", "indicator_id", "indicator_level"),
)
# The limits of an offer (element nil) and of its elements, with the tickets that count against the quota. The CHECK
# stands behind every claim: whatever the code path, no quota can be passed.
offer_limits = _owned(
    "offer_limits",
    *_reference("offer_id", "offers"),
    Column("element_id", Uuid, nullable=False, server_default=text(f"'{NIL}'")),
    Column("element_kind", Text),
    Column("quota", Integer),
    Column("per_order", Integer),
    Column("per_contact", Integer),
    Column("taken", BigInteger, nullable=False, server_default=text("0")),
    CheckConstraint("taken >= 0 AND taken <= quota", "taken"),
    CheckConstraint("quota >= 0", "quota"),
    CheckConstraint("per_order >= 0 AND per_contact >= 0", "per"),
    key=("offer_id", "element_id"),
)
# The tickets that one contact holds of an offer's (or its element's) share per contact.
contact_limits = _owned(
    "contact_limits",
    *_reference("offer_id", "offers"),
    Column("element_id", Uuid, nullable=False),
    *_reference("contact_id", "contacts"),
    Column("capacity", Integer, nullable=False),
    Column("taken", BigInteger, nullable=False),
    # Lowering a limit below what a contact holds already must not fail: capacity moves only with a claim.
    CheckConstraint("taken >= 0 AND taken <= capacity", "taken"),
    key=("offer_id", "element_id", "contact_id"),
)

# ── Codes ────────────────────────────────────────────────────────────────────────────────────────

batches = _owned(
    "batches",
    Column("code", Text),
    *_reference("offer_id", "offers"),
    *_reference("contact_id", "contacts"),
    Column("quantity", Integer, nullable=False),
    Column("generated", Integer, nullable=False, server_default=text("0")),
    Column("state", Text, nullable=False, server_default=text("'PENDING'")),
    Column("destination", Text),
    Column("document_type", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("remark", Text),
    Column("error", Text),
    _now("created_at"),
    Column("created_by", Text, nullable=False),
    _instant("sent_at", nullable=True),
    # How often somebody asked for its mail to be sent again.
    Column("resends", SmallInteger, nullable=False, server_default=text("0")),
    # While somebody is sending its list, and for no longer than that may take.
    _instant("sending_until", nullable=True),
    # Lines of an imported list that were left out because their codes were there already.
    Column("skipped", Integer, nullable=False, server_default=text("0")),
    UniqueConstraint("organisation_id", "code"),
    CheckConstraint("quantity BETWEEN 1 AND 5000000 AND generated BETWEEN 0 AND quantity", "quantity"),
    CheckConstraint("state IN ('PENDING', 'GENERATING', 'SENDING', 'DONE', 'FAILED')", "state"),
    Index(None, "organisation_id", "contact_id", "id"),
    Index(None, "organisation_id", "offer_id", "id"),
)
# Its offer and batch are never deleted: foreign keys on them would halve the rate at which codes are made. Each further
# index on all of its rows would cost a quarter of it. None is needed: the ids of a batch's codes are the batch's own,
# numbered in their last four bytes, so that the primary key has them side by side (db.codes.pages).
codes = _owned(
    "codes",
    # Normalised: upper case, no spaces or dashes, O as 0, I and L as 1. A chosen code of a closed offer, whose text
    # another offer has taken over, has that text, a space and its own id: nobody can enter it, and its history stays.
    *_code(),
    # As it was chosen or imported; NULL for random codes, whose display follows from the code.
    Column("shown", Text),
    Column("kind", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("offer_id", Uuid, nullable=False),
    Column("batch_id", Uuid),
    # The structure contact that the batch was made for; NULL for custom and access codes.
    Column("contact_id", Uuid),
    Column("basket_id", Uuid),
    Column("order_id", Uuid),
    _instant("used_at", nullable=True),
    Column("used_by", Uuid),
    # Custom codes: orders and baskets that use it, and how many may.
    Column("uses", Integer, nullable=False, server_default=text("0")),
    Column("max_uses", Integer),
    # When and by whom it was invalidated or switched off.
    _instant("invalidated_at", nullable=True),
    Column("invalidated_by", Text),
    Column("invalidation_reason", Text),
    CheckConstraint("kind IN ('SINGLE_USE', 'CUSTOM', 'ACCESS')", "kind"),
    CheckConstraint("status IN ('AVAILABLE', 'HELD', 'USED', 'INVALIDATED', 'SWITCHED_OFF')", "status"),
    CheckConstraint(
        "CASE WHEN kind = 'SINGLE_USE' THEN status <> 'SWITCHED_OFF' "
        "ELSE status IN ('AVAILABLE', 'INVALIDATED', 'SWITCHED_OFF') END",
        "single_use",
    ),
    CheckConstraint("kind <> 'SINGLE_USE' OR strpos(code, ' ') = 0", "taken_over"),
    CheckConstraint("(status = 'HELD') = (basket_id IS NOT NULL)", "held"),
    CheckConstraint("status <> 'USED' OR order_id IS NOT NULL", "used"),
    CheckConstraint("uses >= 0 AND uses <= max_uses", "uses"),
    Index("codes_chosen_idx", "organisation_id", "offer_id", "id", postgresql_where=text("kind <> 'SINGLE_USE'")),
    Index("codes_moved_idx", "organisation_id", "status", "id", postgresql_where=text("status <> 'AVAILABLE'")),
    Index("codes_used_idx", "organisation_id", "used_at", postgresql_where=text("used_at IS NOT NULL")),
    in_bulk=True,
)
# Exact counts, kept in the transaction that changes them. Spread over slots so that sales of one offer do not queue
# for one row; a read adds the few slots up. contact_id is the structure whose codes these are, nil without one.
redemption_counts = _owned(
    "redemption_counts",
    *_reference("offer_id", "offers"),
    Column("contact_id", Uuid, nullable=False, server_default=text(f"'{NIL}'")),
    Column("slot", SmallInteger, nullable=False),
    *(
        Column(name, BigInteger, nullable=False, server_default=text("0"))
        for name in (
            "generated",
            "held",
            "used",
            "invalidated",
            "tickets_held",
            "tickets_sold",
            "tickets_controlled",
            "version",
        )
    ),
    key=("offer_id", "contact_id", "slot"),
)

# ── Baskets and orders ───────────────────────────────────────────────────────────────────────────

baskets = _owned(
    "baskets",
    Column("state", Text, nullable=False, server_default=text("'OPEN'")),
    *_reference("point_of_sale_id", "points_of_sale"),
    *_reference("contact_id", "contacts", nullable=True),
    *_reference("delivery_mode_id", "delivery_modes", nullable=True),
    Column("use_balance", Boolean, nullable=False),
    Column("advantage_ids", ARRAY(Uuid)),
    Column("counter_profile", Text),
    # [[product, performance or null, seat category or null, audience sub-category, quantity]] by id
    Column("lines", JSONB, nullable=False),
    # Codes in the order in which they were entered, as entered.
    Column("entered_codes", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    # Who opened it, for as long as it is open: a contact, or a network address; NULL where staff did.
    Column("client", Text),
    # Of all lines.
    Column("tickets", Integer, nullable=False, server_default=text("0")),
    # Codes entered that there are not, in the window that ends then.
    Column("unknown_codes", Integer, nullable=False, server_default=text("0")),
    _instant("unknown_codes_until", nullable=True),
    # The price given and held, as services.baskets.stored_pricing writes it: JSON that is never looked into here.
    Column("pricing", Text, nullable=False),
    _now("created_at"),
    _instant("expires_at"),
    CheckConstraint("state IN ('OPEN', 'CONFIRMED', 'CANCELLED', 'EXPIRED')", "state"),
    Index("baskets_open_idx", "expires_at", postgresql_where=text("state = 'OPEN'")),
    # What a client, or all clients of a shop, have open is counted before a basket is opened or grows.
    Index(
        "baskets_of_clients_idx",
        "organisation_id",
        "point_of_sale_id",
        "client",
        postgresql_where=text("state = 'OPEN'"),
        postgresql_include=["tickets", "expires_at"],
    ),
)
order_numbers = schema.Sequence("order_numbers", metadata=metadata)
orders = _owned(
    "orders",
    Column("number", Text, nullable=False),
    Column("state", Text, nullable=False, server_default=text("'CONFIRMED'")),
    *_reference("basket_id", "baskets"),
    *_reference("contact_id", "contacts", nullable=True),
    *_reference("point_of_sale_id", "points_of_sale"),
    Column("payment_reference", Text),
    Column("pricing", Text, nullable=False),
    _now("confirmed_at"),
    _instant("cancelled_at", nullable=True),
    Column("cancelled_by", Text),
    Column("cancellation_reason", Text),
    # The offers that it has as they were, where one of them has the tickets that stay priced anew; as
    # services.baskets.order_terms writes them.
    Column("terms", Text),
    # What the tickets that stay cost, as services.baskets.stored_pricing writes it; NULL until one is cancelled.
    Column("remaining", Text),
    UniqueConstraint("organisation_id", "number"),
    UniqueConstraint("organisation_id", "basket_id"),
    CheckConstraint("state IN ('CONFIRMED', 'CANCELLED')", "state"),
    # Each list of orders has the last one first.
    Index("orders_latest_idx", "organisation_id", "confirmed_at", "id"),
    Index("orders_of_state_idx", "organisation_id", "state", "confirmed_at", "id"),
    Index("orders_of_contact_idx", "organisation_id", "contact_id", "confirmed_at", "id"),
    Index("orders_pieces_idx", text(_ORDER_PIECES), postgresql_using="gin"),
)
# The offers and codes that an order used, by which it is found, for good: what it is cancelled of stays its past.
_owned(
    "order_subjects",
    Column("subject_id", Uuid, nullable=False),
    _instant("confirmed_at"),
    *_reference("order_id", "orders"),
    key=("subject_id", "confirmed_at", "order_id"),
)
tickets = _owned(
    "tickets",
    *_reference("order_id", "orders"),
    Column("barcode", Text, nullable=False),
    Column("line", SmallInteger, nullable=False),
    Column("position", SmallInteger, nullable=False),
    # What it admits to. These are never deleted: foreign keys would have all sales of a product write to its one row.
    Column("product_id", Uuid, nullable=False),
    Column("performance_id", Uuid),
    Column("seat_category_id", Uuid),
    Column("audience_sub_category_id", Uuid, nullable=False),
    Column("full_price", BigInteger, nullable=False),
    Column("price", BigInteger, nullable=False),
    *_reference("advantage_id", "offers", nullable=True),
    # The single-use or access code that opened the advantage for it.
    *_reference("code_id", "codes", nullable=True),
    # [[offer, holder or null]]: under which a scan is counted, for its advantage and each promotional code.
    Column("redeemed", JSONB, nullable=False),
    # The first entry, and the last one; both of them the same where there was one.
    _instant("controlled_at", nullable=True),
    Column("controlled_by", Text),
    *_reference("controlled_point_of_sale_id", "points_of_sale", nullable=True),
    _instant("last_controlled_at", nullable=True),
    Column("last_controlled_by", Text),
    Column("last_controlled_point_of_sale_id", Uuid),
    Column("entries", Integer, nullable=False, server_default=text("0")),
    Column("entries_allowed", Integer, nullable=False, server_default=text("1")),
    Column("cancellation_id", Uuid),
    _instant("cancelled_at", nullable=True),
    # What was given back for it, its share of it where the others were priced anew.
    Column("given_back", BigInteger, nullable=False, server_default=text("0")),
    UniqueConstraint("organisation_id", "barcode"),
    UniqueConstraint("organisation_id", "order_id", "line", "position"),
    CheckConstraint("price >= 0", "price"),
    CheckConstraint("entries BETWEEN 0 AND entries_allowed", "entries"),
    CheckConstraint("(entries > 0) = (controlled_at IS NOT NULL)", "controlled"),
    # Whoever was let in was let in: such a ticket is not cancelled, and a cancelled one does not admit.
    CheckConstraint("cancelled_at IS NULL OR entries = 0", "cancelled"),
)
# What was given back for tickets of an order, of which the tickets name the cancellation. Amounts in minor units.
cancellations = _owned(
    "cancellations",
    *_reference("order_id", "orders"),
    Column("policy", Text, nullable=False),
    Column("for_tickets", BigInteger, nullable=False),
    Column("for_fees", BigInteger, nullable=False),
    Column("to_balance", BigInteger, nullable=False),
    Column("cancelled_by", Text, nullable=False),
    Column("reason", Text),
    _now("cancelled_at"),
    CheckConstraint("policy IN ('KEEP', 'ANEW')", "policy"),
    CheckConstraint("for_tickets >= 0 AND for_fees >= 0", "given_back"),
    CheckConstraint("to_balance BETWEEN 0 AND for_tickets + for_fees", "to_balance"),
    Index(None, "organisation_id", "order_id", "id"),
)
# The ledger: which tickets of which basket profit from which offer, by which code. HELD while the basket is open, USED
# once it is an order. Rows of a basket are replaced when its price changes and removed when it ends without an order.
# Limits and counts are sums over it, kept in the same transaction. Its offers and codes are never deleted: foreign keys
# on them would have all sales of an offer write to its one row.
redemptions = _owned(
    "redemptions",
    *_reference("basket_id", "baskets"),
    Column("offer_id", Uuid, nullable=False),
    Column("code_id", Uuid),
    # The structure contact whose code it is, nil without one: under whom the redemption is counted.
    Column("holder_id", Uuid, nullable=False, server_default=text(f"'{NIL}'")),
    # The contact who buys, whose share it takes.
    Column("contact_id", Uuid),
    Column("product_id", Uuid, nullable=False),
    Column("performance_id", Uuid),
    Column("seat_category_id", Uuid),
    Column("audience_sub_category_id", Uuid, nullable=False),
    Column("tickets", Integer, nullable=False),
    Column("state", Text, nullable=False, server_default=text("'HELD'")),
    # For the record of the code's use: the tickets that it covers, whether or not another code counts them already,
    # what it takes off them, and since when the basket has held it.
    Column("covered", Integer, nullable=False, server_default=text("0")),
    Column("discount", BigInteger, nullable=False, server_default=text("0")),
    _now("held_at"),
    # None where another code of the offer holds the tickets already: limits count them once.
    CheckConstraint("tickets >= 0", "tickets"),
    CheckConstraint("state IN ('HELD', 'USED', 'RETURNED')", "state"),
    Index(None, "organisation_id", "offer_id"),
    Index("redemptions_code_idx", "organisation_id", "code_id", postgresql_where=text("code_id IS NOT NULL")),
    key=("basket_id", "id"),
)
# Each use of a code that an order had, or a basket gave back unused; never removed. What baskets hold now stands in the
# ledger alone. A use is over when it is released, whatever becomes of the code after. Its basket, offer and code are
# never deleted.
code_uses = _owned(
    "code_uses",
    Column("code_id", Uuid, nullable=False),
    Column("offer_id", Uuid, nullable=False),
    Column("holder_id", Uuid, nullable=False, server_default=text(f"'{NIL}'")),
    Column("basket_id", Uuid, nullable=False),
    Column("order_id", Uuid),
    Column("contact_id", Uuid),
    Column("tickets", Integer, nullable=False),
    Column("discount", BigInteger, nullable=False),
    _instant("held_at"),
    _instant("used_at", nullable=True),
    _instant("released_at", nullable=True),
    Column("released_by", Text),
    Column("release_reason", Text),
    CheckConstraint("(order_id IS NULL) = (used_at IS NULL)", "used"),
    CheckConstraint("(released_at IS NULL) = (release_reason IS NULL)", "released"),
    CheckConstraint("used_at IS NOT NULL OR released_at IS NOT NULL", "kept"),
    CheckConstraint("held_at <= used_at AND held_at <= released_at", "order"),
    Index("code_uses_order_idx", "organisation_id", "order_id", postgresql_where=text("order_id IS NOT NULL")),
    Index(
        "code_uses_contact_idx",
        "organisation_id",
        "contact_id",
        "id",
        postgresql_where=text("contact_id IS NOT NULL AND order_id IS NOT NULL"),
    ),
    key=("code_id", "id"),
    in_bulk=True,
)

# ── Records of who did what ──────────────────────────────────────────────────────────────────────

idempotency_keys = _owned(
    "idempotency_keys",
    Column("caller", Text, nullable=False),
    Column("key", Text, nullable=False),
    # SHA-256 of the operation's name and input: the same key with another input is a conflict.
    Column("fingerprint", LargeBinary, nullable=False),
    Column("answer", JSONB),
    _now("created_at"),
    Index(None, "created_at"),
    key=("caller", "key"),
)
audit_entries = _owned(
    "audit_entries",
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject_type", Text, nullable=False),
    Column("subject_id", Uuid, nullable=False),
    Column("details", JSONB, nullable=False),
    _now("created_at"),
    Index(None, "organisation_id", "subject_id", "id"),
)

# What is counted against guessing, of clients that may belong to no organisation. UNLOGGED: a crash forgets what was
# counted in some minutes, and no sale waits for the disk to keep it.
attempts = Table(
    "attempts",
    metadata,
    # A digest of what is counted and of whom: no address stands here.
    Column("key", Text, primary_key=True),
    Column("number", BigInteger, nullable=False),
    # From then on it counts from nothing again.
    _instant("until"),
    Index(None, "until"),
    prefixes=["UNLOGGED"],
)
