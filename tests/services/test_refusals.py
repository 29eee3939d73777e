"""Every refusal says why and what to do, in every language."""

import pytest

from services.pricing.facts import Refusal, RefusalCode
from services.refusals import DETAILS, message
from services.texts import Language

REFUSALS = [
    *(Refusal(code) for code in RefusalCode),
    *(Refusal(RefusalCode.NOT_TARGETED, detail=detail) for detail in sorted(DETAILS)),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.detail or refusal.code)
def test_every_refusal_has_a_message_of_its_own_in_every_language(refusal: Refusal) -> None:
    messages = {message(refusal, language) for language in Language}
    assert len(messages) == len(Language)
    assert all(":" in said for said in messages), "it says what to do"


def test_a_detail_without_a_message_leaves_that_of_the_code() -> None:
    plain = Refusal(RefusalCode.NOT_TARGETED)
    assert message(Refusal(RefusalCode.NOT_TARGETED, detail="campaign"), Language.EN) == message(plain, Language.EN)
