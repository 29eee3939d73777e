"""The codes by which programs tell failures apart, and which sentence has which: here and nowhere else.

Whoever adds a sentence for a failure or a problem to ``texts.toml`` adds its key here too. What each code means and
what to do about it stands in the schema (``resolvers/runtime/meanings.toml``) and in docs/errors.md.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeVar


class FailureCode(StrEnum):
    """What went wrong with an operation as a whole. Values that nothing raises yet are for failures to come."""

    INVALID_INPUT = "INVALID_INPUT"
    NOT_FOUND = "NOT_FOUND"
    CODE_REFUSED = "CODE_REFUSED"
    BASKET_EXPIRED = "BASKET_EXPIRED"
    BASKET_NOT_OPEN = "BASKET_NOT_OPEN"
    BASKET_EMPTY = "BASKET_EMPTY"
    BALANCE_SPENT = "BALANCE_SPENT"
    BUSY = "BUSY"
    IDEMPOTENCY_KEY_REUSED = "IDEMPOTENCY_KEY_REUSED"
    VERSION_CLASH = "VERSION_CLASH"
    SUSPEND_FIRST = "SUSPEND_FIRST"
    STATE_DOES_NOT_ALLOW = "STATE_DOES_NOT_ALLOW"
    ALREADY_CONTROLLED = "ALREADY_CONTROLLED"
    WRONG_PERFORMANCE = "WRONG_PERFORMANCE"
    OUTSIDE_ENTRY_TIME = "OUTSIDE_ENTRY_TIME"
    TICKET_CANCELLED = "TICKET_CANCELLED"
    TOTAL_CHANGED = "TOTAL_CHANGED"
    TOO_MANY = "TOO_MANY"


class InputRule(StrEnum):
    """Which rule a value of the input broke."""

    MISSING = "MISSING"
    TOO_SHORT = "TOO_SHORT"
    TOO_LONG = "TOO_LONG"
    OUT_OF_RANGE = "OUT_OF_RANGE"
    TOO_PRECISE = "TOO_PRECISE"
    TOO_MANY_ENTRIES = "TOO_MANY_ENTRIES"
    MALFORMED = "MALFORMED"
    MALFORMED_ID = "MALFORMED_ID"
    UNKNOWN_FIELD = "UNKNOWN_FIELD"
    UNKNOWN_REFERENCE = "UNKNOWN_REFERENCE"
    UNSUITABLE_REFERENCE = "UNSUITABLE_REFERENCE"
    DUPLICATE = "DUPLICATE"
    TAKEN = "TAKEN"
    CHOOSE_ONE = "CHOOSE_ONE"
    CONTRADICTION = "CONTRADICTION"
    NOT_SOLD = "NOT_SOLD"
    NOT_YOURS_TO_SAY = "NOT_YOURS_TO_SAY"
    CANNOT_CHANGE = "CANNOT_CHANGE"
    BELOW_TAKEN = "BELOW_TAKEN"
    OVER = "OVER"
    WITHOUT_EFFECT = "WITHOUT_EFFECT"
    GUESSABLE = "GUESSABLE"
    TOO_INTRICATE = "TOO_INTRICATE"
    TRIED_TOO_OFTEN = "TRIED_TOO_OFTEN"


_FAILURES: Final[Mapping[FailureCode, str]] = {
    FailureCode.INVALID_INPUT: "invalid_input",
    FailureCode.NOT_FOUND: "not_found",
    FailureCode.CODE_REFUSED: "code_refused",
    FailureCode.BASKET_EXPIRED: "basket_expired",
    FailureCode.BASKET_NOT_OPEN: "basket_confirmed basket_cancelled",
    FailureCode.BASKET_EMPTY: "basket_empty",
    FailureCode.BALANCE_SPENT: "balance_spent",
    FailureCode.BUSY: "too_busy batch_under_way",
    FailureCode.IDEMPOTENCY_KEY_REUSED: "idempotency_key_reused",
    FailureCode.VERSION_CLASH: "offer_changed",
    FailureCode.SUSPEND_FIRST: "suspend_first",
    FailureCode.STATE_DOES_NOT_ALLOW: """
        code_gone code_invalidated_already code_used_already offer_closed order_cancelled
        partner_key_revoked state_does_not_follow
        """,
    FailureCode.ALREADY_CONTROLLED: """
        order_controlled ticket_controlled_already ticket_entries_used ticket_not_cancellable
        """,
    FailureCode.WRONG_PERFORMANCE: "ticket_of_another_performance ticket_of_another_product",
    FailureCode.OUTSIDE_ENTRY_TIME: "ticket_too_early ticket_too_late",
    FailureCode.TICKET_CANCELLED: "ticket_cancelled ticket_cancelled_before ticket_of_cancelled_order",
    FailureCode.TOTAL_CHANGED: "total_changed",
    FailureCode.TOO_MANY: "shop_too_busy too_many_attempts too_many_baskets too_many_codes too_many_held_tickets",
}
"""The sentences of failures as a whole, by what they mean."""

_PROBLEMS: Final[Mapping[InputRule, str]] = {
    InputRule.MISSING: """
        access_code_missing cannot_be_cleared code_empty code_missing field_missing filter_empty limit_missing
        list_empty list_without_column name_missing no_mail_address performance_needed performances_missing
        point_of_sale_missing reason_missing structure_missing target_field_missing text_blank
        """,
    InputRule.TOO_SHORT: "code_too_short part_of_code",
    InputRule.TOO_LONG: "code_too_long text_too_long",
    InputRule.OUT_OF_RANGE: """
        amount_negative amount_not_finite amount_too_large amount_zero bad_quantity basket_maximum_too_short
        first_out_of_range number_too_large number_too_small percentage_range quantity_of_codes tolerance_range
        """,
    InputRule.TOO_PRECISE: "amount_too_precise percentage_too_precise",
    InputRule.TOO_MANY_ENTRIES: """
        import_of_codes list_too_long too_many_codes too_many_lines too_many_offers too_many_tickets
        """,
    InputRule.MALFORMED: """
        bad_idempotency_key code_characters currency_unknown file_not_json file_not_utf8 file_number
        file_too_deep instant_malformed instant_without_offset list_comment_or_code list_line_above_header
        list_line_unreadable
        malformed_cursor not_a_mail_address not_boolean not_decimal not_integer not_list not_object not_one_of not_text
        nothing_taken_in text_characters text_padded
        time_zone_unknown url_malformed
        """,
    InputRule.MALFORMED_ID: "id_of_another_kind malformed_id",
    InputRule.UNKNOWN_FIELD: "field_unknown target_field_unused",
    InputRule.UNKNOWN_REFERENCE: """
        credentials_unknown_role level_unknown reference_unknown unknown_audience_sub_category unknown_campaign
        unknown_channel unknown_contact unknown_counter_profile unknown_delivery_mode unknown_indicator unknown_offer
        unknown_performance
        unknown_point_of_sale unknown_product unknown_season unknown_seat_category
        """,
    InputRule.UNSUITABLE_REFERENCE: """
        contact_is_no_structure copy_outside_season credentials_no_structure offer_takes_no_codes outside_family
        outside_season performances_misplaced prices_misplaced
        """,
    InputRule.DUPLICATE: "code_twice code_twice_in_list code_twice_in_list_alike key_twice limit_twice price_twice",
    InputRule.TAKEN: """
        code_known code_known_alike code_taken codes_all_known custom_code_exists offer_code_taken
        """,
    InputRule.CHOOSE_ONE: "exactly_one_of first_and_last named_twice performance_or_product public_is_true",
    InputRule.CONTRADICTION: "ends_before_begins performance_not_of_product",
    InputRule.NOT_SOLD: "combination_not_sold performance_sale_over",
    InputRule.NOT_YOURS_TO_SAY: "other_contact other_point_of_sale",
    InputRule.CANNOT_CHANGE: """
        batch_made code_gone copy_unfinished copy_without_codes fixed_once_loaded performance_of_another_product
        state_unreachable target_has_codes
        """,
    InputRule.BELOW_TAKEN: "below_taken",
    InputRule.OVER: "campaign_over sale_over season_over validity_over",
    InputRule.WITHOUT_EFFECT: """
        campaign_without_contacts lowers_no_price nothing_in_scope promotion_without_season sold_nowhere
        """,
    InputRule.GUESSABLE: "codes_guessable",
    InputRule.TOO_INTRICATE: "price_too_intricate",
    InputRule.TRIED_TOO_OFTEN: "refusal_TOO_MANY_ATTEMPTS",
}
"""The sentences of problems with an input, by the rule that was broken."""

_C = TypeVar("_C", FailureCode, InputRule)


def _by_key(sentences: Mapping[_C, str]) -> Iterator[tuple[str, _C]]:
    return ((key, code) for code, keys in sentences.items() for key in keys.split())


FAILURE_CODES: Final[Mapping[str, FailureCode]] = MappingProxyType(dict(_by_key(_FAILURES)))
"""The code of a conflict, by the key of its sentence."""

INPUT_RULES: Final[Mapping[str, InputRule]] = MappingProxyType(dict(_by_key(_PROBLEMS)))
"""The rule that a problem with an input is about, by the key of its sentence."""
