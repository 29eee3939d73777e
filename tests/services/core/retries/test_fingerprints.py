"""The same input is the same request, whatever the code that holds it is called: today, and across an upgrade."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sqlalchemy import func, insert, select
from tests.conftest import NOW
from tests.services.core.retries.requests import NEWER_SAMPLES, SAMPLES, Sample, key

from db.core import tables
from db.core.ids import uuid_of
from db.core.sessions import Sessions
from services.catalogue.catalogues import Catalogues
from services.core.errors import Conflict, Failure, InvalidInput
from services.core.retries import unversioned_fingerprints
from services.core.retries.fingerprints import canonical_name, fingerprint, form
from services.core.retries.idempotency import IdempotentRequest, begin, finish
from services.core.texts import Language
from services.core.transactions import Transactions
from services.core.unset import UNSET
from services.core.viewer import Audience, StaffRole, Viewer
from services.offers.configuration import Configuration
from services.offers.forms import NewAdvantage

SOURCES = sorted((Path(__file__).parents[4] / "src" / "services").rglob("*.py"))

FINGERPRINTS = {
    "an advantage with everything": "0193bacb64c11fb93cea601d3915d189859299b1d271b3fbb4b56f91048e3dd608",
    "an advantage with little": "01497eb680f2b37161753a3a83a050f7d635c07d253b9d54d42bc84c6411d7dd07",
    "an advantage of an access code with ids that are none": "012b74c4377ea77765e0c84ba80dafc82fdea3567a573dfd10e00e04ec798a96c3",
    "an advantage's change of everything": "01921d5afa1399bbb247c0857db3a77d3ae6a018867439a6db8e1cfba0de0f6d5c",
    "an advantage's change of nothing": "015632f705474d492cb6ef9dfe0ffb99ee9ada5785547775c74c32ff506752e749",
    "an advantage's change that clears": "013ae948fa314f986fe5233c403a342fa5202b2fda71fc88f6593f006c48085232",
    "an advantage's change to a campaign": "01a5bc467b5412de0c8042175c889abc8b19572188e47bd83187b6264e2a48e67e",
    "an advantage's change to single-use codes": "01c195678af3d5ebf08874baf22ef4efe826a52ddfb8f1bb574c14e3feffdd78d1",
    "an advantage's change to single-use codes for all": "01ebbc5c59229f6b1b100c0701f44ba0f10bee2aa20438eab2952f066fc51499fe",
    "a promotional code with everything": "01b5ee6d0d700e21a1023e2a93230c7bdeab8abbe26c39778c6d5e8eb18b4afd37",
    "a promotional code with little": "01020172440d80dde81c59b8e6b522f16d2e32c2c804e4b890fe2430521aff04fa",
    "a promotional code's change": "01e6453e8094d1face3a46cfcbfdf5d36fd7a98bc756e0fd8844d4b7ab27379c76",
    "a promotional code's change with ids that are none": "015bbbec25a041dabd233f3841e7b64ba9f2dbd3660c4741e03a0fecef7801b14d",
    "a promotional code's change that clears": "01594d71d436754a78a9f4531c436a30b8f6f022a8dd7724adc379c5ae25ecc631",
    "an offer's state": "0197f9bd58b7a00b340234dd7e9645583b7588efd609aa4e4cf8d03bf3426b3fa8",
    "an offer's state of any version": "018510279743e12035a8cf88f5936d482d3dd85464eae53a5477fb2abc073f76e9",
    "a custom code": "0101b7395a567587784f25e697c2f11b6876fa950924606ca1c10408465212aefd",
    "a custom code without a limit": "01f92695a86a22227669565b577f6a7ccd87052dcc25ab07836579c7f4bf087d2e",
    "a custom code switched off": "0184ab0bec6ed2e5542ac8b6135d2fe0c69b83ac78176502c953421d0c3fcffc2f",
    "a custom code's limit": "01a8655b87114ed3ff24a114f4ad065613470d5bc4f1c4e0f397da4df22a6edc64",
    "a custom code's limit cleared": "011d3ea727b39b37299bb3ab3ec6546e45440102ed357bc5cf1375e7e209096ec9",
    "a basket with everything": "01b16b1997ee73ac06e603452e542d0e317d1d757184e7a32a200b80f81d642fad",
    "a basket of one line": "01a437b20b410cd47dc8f9062acd35bb83395aa18e7fe22b0ef3691e1a90d680d4",
    "a basket without advantages": "017c96c2ddcaa990b15a3f47f7b2b27afd5c25dc81be53f69aeefd43c7d8e1bc36",
    "a code entered": "012f4491b7e21b8be1cbb4d183b454ce450db7f739eb941b15e848e98c149259b3",
    "a code with half a character": "01a70bd2290dca294a0160d0f2be6774e2088e8c7401c27f187ece01e630b342e1",
    "a code taken out": "011d77629f80ddc6fbe388cf939ded642f19befcdc9dbf53ac6dfff1bba7cdef64",
    "a basket's change of everything": "0167913b10179f8e5f0e8f1579e03c1c89749aa38401fe613da9f2a3202794483c",
    "a basket's change of nothing": "0154bd6c4d4ef8f24c92601e4589bcaa57af1abf9d5d3d2b8ca1a9295575614291",
    "a basket's change that clears": "018ba33b26942dbfc1ec8499022c29a5e66abcd017cdc6d35c8563d417f2069462",
    "a basket ended": "010c34d0031bb2856e90fc1312ac58772417351af7efe0b414222f8f001c8dcf2a",
    "an order": "0156ed8e789ce3caf4161d299609492a1124bdb753027dd3ddfce6bb6ff186c21e",
    "an order without a payment": "01aaef72254a6fb7309c2e0a75cd8dd9c44d52151719ed5fde180ae6c9db933d62",
    "an order cancelled": "01656a11f362cefaf34cef18ebe70d439fd37a70424a8920e1b4e79f86942ffd62",
    "an order cancelled without a reason": "01c6b0d750f8a578c47451409223a3f6d4d056a24cd7649d211f270ffdf503cb8a",
    "a scan": "01029b268b5b1c83472a2a4c643d996e7bd175aea997e56243f8f672d1a8f9fa4e",
    "a batch with everything": "01ec65c36b44550aef376281e9432aa8224e6a8418ea9b1fba4ba2ac19a13d62ff",
    "a batch with little": "012bd684b6776abc3e5830175f5135ff006aec60a477fd68afcb46e99fa273fd0c",
    "a batch mailed again": "0113aa45d73deb0d9b0508156af9a41252634467f119c355e4bc95036f2633e464",
    "a batch mailed elsewhere": "01c37d5e0bea54188fe05d6b2d938d75a8b9df6216e8254d12713015f3df141009",
    "codes taken in": "017ac3db04059248cebd579fe16f41abbfa46acb0a7c96708a0737d5f656e1a2e7",
    "one code taken in": "01ffa33710bc76d083065e76f456656aae6c84975e26f71aa36f26e23823be9b03",
    "no code taken in": "015e3f3307429c29693196f7d539e049c9f085a3a7d5d229b6c8f2edd602ec96e3",
}
"""Of the samples. One that changes makes a conflict of every retry across an upgrade: see services.core.retries.fingerprints
for what keeps it. Only another version of the form may change them, and must then compare open keys in this one."""

UNVERSIONED = {
    "an advantage with everything": "6b8182c6ab605974979edb729cb80666766158160aa9f279f88950e15dfb71d1",
    "an advantage with little": "f42f7ad6629e528493fbf627eb10400055638bc0c14a0c66260e11913f667279",
    "an advantage of an access code with ids that are none": "c60e236b495db31dab3e7033a670513d6765604b88f49f000c31a5ac7e5d4028",
    "an advantage's change of everything": "f508e001889f20cc9f4748fc415a3e627a271f09098c4c42bf3cdd9fa69e1702",
    "an advantage's change of nothing": "aab2966d2b524a9e5def297d09b8e4e2bda8310fe23770b4010a3e87a36f476a",
    "an advantage's change that clears": "2d127b16bb9fcbd16dca457357f4e53bf4634ca52e2baffcce70702256ad8675",
    "an advantage's change to a campaign": "81918e14d82503c56db915ab99de190ee3cb0173d02dc6e45954f5afebfb6916",
    "an advantage's change to single-use codes": "025d0a59b79d55f5d054cc57a7384fcf2318ed6ea7f6a63e6ae7003076ecda5b",
    "an advantage's change to single-use codes for all": "54467c977429be991d820bdd4bc3a1f962e014e3458354f4aa519cbc6fd308f1",
    "a promotional code with everything": "0e37bc4a5bcf8f7bad8bc2227b4aa4b835ed5ee5b65a69d89d64847f7b2c0d71",
    "a promotional code with little": "3b4a60d4c9485346a004223d05758b9f785be82b550adfbbfb5080fd00ee144e",
    "a promotional code's change": "1bb17466359508d56ec702d873dc998808fce843bbea31d238a9654d0cf965f2",
    "a promotional code's change with ids that are none": "7cb7fbf8495e8b37d9111a7e53c03e6bdb7d7157db8b838ce69e2192cd7f644c",
    "a promotional code's change that clears": "b65ef115ec0e0bb7fdba037c8af52e7b2a3db3bfee32763f123c27888887b035",
    "an offer's state": "d26e1c8d20e3c21adb46d271c261716af66f024c8de9582c1f7da10da0774e0d",
    "an offer's state of any version": "950138227f2354d461e3e9ce810590d105c11dfa185a913f440b54998f4a8eea",
    "a custom code": "ac51885647f66364feee32590e9423a11efe3aa75817f6d5b569441eb08eca47",
    "a custom code without a limit": "c7473a9c03798c3b0bbaf703eb10acf13e4aec116c5caed9a8cf5d641a8dc187",
    "a custom code switched off": "5172fa8345623a762dcad0ace359d17f2ec9630fb1c1a244a1e815d6ddc4e156",
    "a custom code's limit": "87e4389bf6b7f2ba4a0a0eaacc4bd4e92b289f6d9e3da162c031372885108058",
    "a custom code's limit cleared": "9b916b0d188aa9d58bc5bfe61bae9b39a332324c421e378b333d68451d3c711b",
    "a basket with everything": "b85af371931664a66014091d1d4719baaa6ca69e97df52e15b8599ec30e58810",
    "a basket of one line": "ebd9c431951454c14c8b7f9182487981524f8f241b3694bbf8ada5a9ea31be48",
    "a basket without advantages": "6b9637d72f54587a141ffa199daec1f550f423337d6897334f4e391b4c09c9bd",
    "a code entered": "f15610e08f17bf4f3e1a03257aedb0192167322173caf6e460a51073a9dc1199",
    "a code with half a character": "0df08250e4d4c5469be66902cf17f0e0acd8ad99fc7621b78885d4de3bb37028",
    "a code taken out": "686bbaccbb46fed5003c9f7595c6b3122cdcae0c3a66f6cc089cf0133cf6a192",
    "a basket's change of everything": "83597e346eb0ab89d5720b3718ebb3da6e95665317353ac0e3971cbaeaf535b6",
    "a basket's change of nothing": "73ee48e8b1e742d4fd2daa41fe81d2df3f1c3ef4c264f50e27e1a50e6f6edfdf",
    "a basket's change that clears": "a7672cd7077e15a712036c4b4441a3a6bc6c0b2e88677fe361f49c0413b7925c",
    "a basket ended": "f23e9f058690ef8b6d46da4e8e66a2362e96c380fc30839552c322b0ef8357e4",
    "an order": "f58eb5fb8c3fbff1ac1d8fcd929fd1f7c1e8cf9ad9b4063d3c17d23a059ada91",
    "an order without a payment": "46b338f1810d61c541273736a888d25cba4583f4251276d83b613010dab6b4f8",
    "an order cancelled": "a622e569ee5e60d50b665e635a9622c1175646017a73923ebebfbb7cba8c1c93",
    "an order cancelled without a reason": "6e45860751a726c8c6673a4c2d9aad3f44867a063283c586469736b62c4599dd",
    "a scan": "c76f42013105497cdd271eda63691f687b699c230e5bfc6f09afd2930d12caac",
    "a batch with everything": "88446bf60c4de3737cb2d51be0e596132812287953c018ce1665425855bc9956",
    "a batch with little": "5066e06a82d140982259d49758d2a3fa3c943769b3f465af66f08689f117810a",
    "a batch mailed again": "6af6762551773350afa7fc60e239ff7dd341ccd1aa2509a9340b27e39dcac1e2",
    "a batch mailed elsewhere": "8fb510cc2aa0891bf2fd67ebc59cb108426d9289010504728b87874d757e00a1",
    "codes taken in": "e86e5f90de248097d646581b5c3dd8c1580492259601583a087536da55a37320",
    "one code taken in": "94a1a3039af97e031fdbf7d02d7424a7ef808fba1d087f6566e03c6c92c8160b",
    "no code taken in": "902c5d60e200dcb454761e8a52300c6f6881ddc044adbacebe3059371da26c59",
}
"""Of the samples, made by the code of then: the last one whose fingerprints had no version."""


NEWER_FINGERPRINTS = {
    "codes taken in from a column but for doubles": "01f35961749ce2b1523fb2524c921753b84799c37e7895c33f6467129ff0a196e1",
    "a scan at the gate of a performance": "012ff96795263e26809476dbcde9c9f862fe6dee7dbe788a07103ca68249a6da47",
    "a scan at the gate of a product": "012a645a4aad70ed60ddffcb7c45a2b833ce907fd9ffa12846021b20e1d974292f",
    "tickets cancelled": "010514d6916a8639de8eff33cc0980ede4404e70712c972c5df83edea91a910df6",
    "a ticket cancelled without a reason": "01391e0f4e35b05d12b650eb5f618f98d52ba39d8fb0aea4e27c33e64e5e6de1a7",
    "an advantage whose tickets are priced anew": "01d0abea4d6b6f5f61fa9f965df43c81ad3f5e40cd1873a3c2f49c456e9f94e395",
    "a promotional code whose tickets are priced anew": "01d8b4d9fb4756089611a8cf328f6d4d07b152022fd0c8c30192ce6476255e8a94",
    "an offer with texts": "01faea0cfab613182f7a65ea0a006abf81300fe12536f773e7d76758fa202ea0ce",
    "an advantage with texts": "018142ddd4d6bc70a1d2a410daf2e84bc6127e6a60053cdb77b4851a2a7afa7503",
    "a copy": "019d2342963ee672355974fe44febdf4fb14b25850d4f943af498f7ed9560a15dd",
    "a copy in another season": "01df84d59e480614c422837784942ca692e2f00f0ad808cce3576d065ca847a07f",
}

# ── Fingerprints of every request ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", SAMPLES)
def test_a_request_has_the_fingerprint_that_open_keys_may_have(name: str) -> None:
    sample = SAMPLES[name]
    assert fingerprint(sample.operation, sample.request).hex() == FINGERPRINTS[name]


@pytest.mark.parametrize("name", SAMPLES)
def test_a_request_has_the_fingerprint_that_it_had_before_there_were_versions(name: str) -> None:
    sample = SAMPLES[name]
    found = unversioned_fingerprints.fingerprint(sample.operation, sample.request)
    assert found is not None
    assert found.hex() == UNVERSIONED[name]


@pytest.mark.parametrize("name", NEWER_SAMPLES)
def test_a_request_that_is_newer_has_a_fingerprint_of_its_own_and_none_of_before(name: str) -> None:
    sample = NEWER_SAMPLES[name]
    assert fingerprint(sample.operation, sample.request).hex() == NEWER_FINGERPRINTS[name]
    assert unversioned_fingerprints.fingerprint(sample.operation, sample.request) is None


def test_every_operation_that_takes_a_key_has_a_sample() -> None:
    built = re.compile(r'IdempotentRequest\(\s*viewer,\s*key,\s*"(\w+)"')
    sources = [path.read_text(encoding="utf-8") for path in SOURCES]
    assert {operation for source in sources for operation in built.findall(source)} == {
        sample.operation for sample in [*SAMPLES.values(), *NEWER_SAMPLES.values()]
    }
    assert sum(len(built.findall(source)) for source in sources) == sum(
        len(re.findall(r"\bIdempotentRequest\(", source)) for source in sources
    )


def test_every_field_of_every_request_is_given_in_some_sample() -> None:
    seen: dict[str, set[str]] = {}
    given_somewhere: dict[str, set[str]] = {}
    for record in (
        each for sample in [*SAMPLES.values(), *NEWER_SAMPLES.values()] for each in _records(sample.request)
    ):
        names = {each.name: getattr(record, each.name) != each.default for each in fields(record)}
        seen.setdefault(type(record).__name__, set()).update(names)
        given_somewhere.setdefault(type(record).__name__, set()).update(name for name, told in names.items() if told)
    assert len(seen) > 15
    assert given_somewhere == seen


def _records(value: object) -> Iterator[Any]:
    """Every dataclass in a request."""
    if is_dataclass(value):
        yield value
        for each in fields(value):
            yield from _records(getattr(value, each.name))
    elif isinstance(value, tuple):
        for part in value:
            yield from _records(part)


def test_no_two_samples_have_the_same_fingerprint() -> None:
    assert len(set(FINGERPRINTS.values())) == len(set(UNVERSIONED.values())) == len(SAMPLES)


def test_the_same_input_to_another_operation_is_another_request() -> None:
    assert fingerprint("applyAdvantageCode", (key(1), "A")) != fingerprint("removeAdvantageCode", (key(1), "A"))


def test_another_argument_that_nobody_gives_changes_nothing() -> None:
    assert fingerprint("cancelBasket", key(1)) == fingerprint("cancelBasket", (key(1), None))
    assert fingerprint("cancelBasket", key(1)) != fingerprint("cancelBasket", (key(1), None, "reason"))
    assert fingerprint("cancelBasket", key(1)) != fingerprint("cancelBasket", (key(1), UNSET))


# ── The canonical form ───────────────────────────────────────────────────────────────────────────


class Colour(Enum):
    RED = "RED"
    ONE = 1


@dataclass(frozen=True)
class Seat:
    """A record with and without defaults."""

    row: object
    number: object
    note: object = None
    tags: object = UNSET
    marks: list[object] = field(default_factory=list)


DIFFERENT = [
    None,
    True,
    False,
    0,
    1,
    -1,
    "",
    "0",
    "1",
    "null",
    "None",
    "true",
    "RED",
    "UNSET",
    '"',
    "\\",
    "\\u0031",
    "\ud83c\udf9f",
    "\U0001f39f",
    "\ud83c",
    "\\ud83c",
    Decimal(1),
    Decimal("1.0"),
    Decimal("1E+1"),
    Decimal(10),
    Decimal("NaN"),
    Decimal(0),
    Decimal("-0"),
    datetime(2026, 1, 1),  # noqa: DTZ001 - a time without an offset is another value
    datetime.fromisoformat("2026-01-01T00:00:00Z"),
    datetime.fromisoformat("2026-01-01T01:00:00+01:00"),
    "2026-01-01T00:00:00+00:00",
    key(1),
    str(key(1)),
    Colour.RED,
    Colour.ONE,
    UNSET,
    (),
    (None,),
    ("a",),
    "a",
    (("a",),),
    ("a", "b"),
    ("b", "a"),
    ("a,b",),
    (("a",), "b"),
    ("a", ("b",)),
    frozenset(),
    frozenset({"a"}),
    frozenset({"a", "b"}),
    {},
    {"a": "b"},
    {"b": "a"},
    {"a": None},
    {1: "b"},
    {"1": "b"},
    {"uuid": str(key(1))},
    {"decimal": "1"},
    (("a", "b"),),
    Seat(1, 2),
    Seat(2, 1),
    Seat(1, "2"),
    Seat(1, 2, UNSET),
    Seat(1, 2, tags=None),
    Seat(1, 2, marks=[None]),
    Seat(1, Seat(2, None)),
    Seat(Seat(1, 2), None),
    {"row": 1, "number": 2},
    {"record": {"row": 1, "number": 2}},
    (1, 2),
]
"""Values that are easily taken for one another, each another request."""


def test_different_values_have_different_forms() -> None:
    forms: dict[str, object] = {}
    for value in DIFFERENT:
        written = form(value)
        assert written not in forms, (value, forms.get(written))
        forms[written] = value


ATOMS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(st.characters())
    | st.decimals(allow_nan=False)
    | st.datetimes(timezones=st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes))))
    | st.uuids()
    | st.just(UNSET)
    | st.sampled_from(Language).map(str)
)
KEYS = st.text(st.characters()) | st.integers() | st.uuids()


def _containers(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return (
        st.lists(parts, max_size=4).map(tuple)
        | st.frozensets(ATOMS, max_size=4)
        | st.dictionaries(KEYS, parts, max_size=4)
        | st.builds(Seat, parts, parts, parts, parts, st.lists(parts, max_size=2))
        | st.builds(Seat, parts, parts)
    )


VALUES = st.recursive(ATOMS, _containers, max_leaves=12)


@given(VALUES)
def test_a_form_tells_its_value_so_that_no_other_value_has_it(value: Any) -> None:
    read = _read(json.loads(form(value)))
    assert read == _lists(value)
    assert form(read) == form(value)


def _read(written: Any) -> Any:
    """The value that a form is of, sequences as lists."""
    if isinstance(written, list):
        return [_read(each) for each in written]
    if not isinstance(written, dict):
        return written
    ((tag, own),) = written.items()
    readers: Mapping[str, Any] = {
        "decimal": Decimal,
        "instant": datetime.fromisoformat,
        "uuid": UUID,
        "unset": lambda _: UNSET,
        "set": lambda members: frozenset(map(_read, members)),
        "map": lambda pairs: {_read(name): _read(each) for name, each in pairs},
        "record": lambda given_fields: Seat(**{name: _read(each) for name, each in given_fields.items()}),
    }
    return readers[tag](own)


def _lists(value: Any) -> Any:
    """The value with its tuples as lists."""
    if isinstance(value, tuple | list):
        return [_lists(each) for each in value]
    if isinstance(value, dict):
        return {name: _lists(each) for name, each in value.items()}
    if isinstance(value, Seat):
        return Seat(**{each.name: _lists(getattr(value, each.name)) for each in fields(value)})
    return value


@given(VALUES)
def test_equal_values_have_equal_forms(value: Any) -> None:
    assert form(_otherwise(value)) == form(value)


def _otherwise(value: Any) -> Any:
    """An equal value that was put together in another order, from the other classes for keys and sequences."""
    if isinstance(value, UUID):
        return uuid_of(value.bytes)
    if isinstance(value, tuple):
        return [_otherwise(each) for each in value]
    if isinstance(value, frozenset):
        return {_otherwise(each) for each in reversed(list(value))}
    if isinstance(value, dict):
        return MappingProxyType({name: _otherwise(each) for name, each in reversed(value.items())})
    if isinstance(value, Seat):
        return Seat(**{each.name: _otherwise(getattr(value, each.name)) for each in fields(value)})
    return value


@given(VALUES, VALUES)
def test_unequal_values_have_unequal_forms(one: Any, other: Any) -> None:
    assume(_lists(one) != _lists(other))
    assert form(one) != form(other)


def test_a_member_of_an_enum_of_strings_is_its_string() -> None:
    assert form(Language.FR) == form("FR")


@pytest.mark.parametrize("value", [1.5, b"a", object(), Seat, timedelta(1), (Seat(1, {2.5}),)])
def test_a_type_without_a_form_is_a_fault(value: object) -> None:
    with pytest.raises(TypeError, match="no canonical form"):
        form(value)


# ── The form across an upgrade ───────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Booking:
    """A request of one version."""

    seat: object
    count: object
    code: object = None


@dataclass(frozen=True, kw_only=True)
class Reservation:
    """The request of the next: with another class, order of fields, name of one, and with two that are new."""

    promo: object = field(default=None, metadata=canonical_name("code"))
    gift: object = None
    tickets: object = field(metadata=canonical_name("count"))
    notes: tuple[object, ...] = field(default_factory=tuple)
    seat: object


@given(VALUES, VALUES, VALUES)
def test_another_class_order_name_or_optional_field_changes_nothing(seat: Any, count: Any, code: Any) -> None:
    assert form(Booking(seat, count, code)) == form(Reservation(seat=seat, tickets=count, promo=code))


@given(VALUES, VALUES)
def test_an_optional_field_that_somebody_gives_makes_another_request(seat: Any, gift: Any) -> None:
    assume(gift is not None)
    assert form(Booking(seat, 1)) != form(Reservation(seat=seat, tickets=1, gift=gift))


def test_a_field_that_is_renamed_and_does_not_say_so_makes_another_request() -> None:
    @dataclass(frozen=True)
    class Renamed:
        seat: object
        tickets: object

    assert form(Booking(1, 2)) != form(Renamed(1, 2))


def test_two_fields_may_not_have_the_same_name_in_fingerprints() -> None:
    @dataclass(frozen=True)
    class Twice:
        tickets: int = field(metadata=canonical_name("count"))
        count: int

    with pytest.raises(TypeError, match="the same canonical name"):
        form(Twice(1, 2))


@dataclass(frozen=True)
class Entry:
    """The landed LineRequest by other names, in another order, with one more field."""

    price: Decimal | None = None
    count: int = field(default=1, metadata=canonical_name("quantity"))
    audience: UUID | None = field(default=None, metadata=canonical_name("audience_sub_category"))
    seat: UUID | None = field(default=None, metadata=canonical_name("seat_category"))
    product: UUID | None = None
    performance: UUID | None = None


@dataclass(frozen=True)
class Cart:
    """The landed BasketRequest by another name."""

    lines: tuple[Entry, ...]
    codes: tuple[str, ...] = ()
    point_of_sale: UUID | None = None
    contact: UUID | None = None
    delivery_mode: UUID | None = None
    use_balance: bool = False
    only: tuple[UUID, ...] | None = field(default=None, metadata=canonical_name("advantages"))


def test_the_fingerprint_before_versions_does_not_hang_on_the_names_of_today() -> None:
    cart = Cart((Entry(performance=key(1), seat=key(2), audience=key(3), count=4),))
    found = unversioned_fingerprints.fingerprint("createBasket", cart)
    assert found is not None
    assert found.hex() == UNVERSIONED["a basket of one line"]


def test_what_nobody_could_ask_for_before_versions_has_no_fingerprint_of_then() -> None:
    priced = Cart((Entry(performance=key(1), seat=key(2), audience=key(3), count=4, price=Decimal(1)),))
    assert unversioned_fingerprints.fingerprint("createBasket", priced) is None
    assert unversioned_fingerprints.fingerprint("createBasket", Entry()) is None
    assert unversioned_fingerprints.fingerprint("createBasket", (Cart(()), "more")) is None
    assert unversioned_fingerprints.fingerprint("createBasket", key(1)) is None
    assert unversioned_fingerprints.fingerprint("dance", key(1)) is None
    assert unversioned_fingerprints.fingerprint("createBasket", (Cart(()), None)) is not None


# ── Keys that are open when the version changes ──────────────────────────────────────────────────

MADE = key(1000)


@dataclass(frozen=True)
class Desk:
    """Somebody with open keys."""

    sessions: Sessions
    viewer: Viewer
    configuration: Configuration

    async def store(self, name: str, print_of_it: bytes, answer: object) -> None:
        """Writes a key's row, as its version did."""
        own = {"organisation_id": self.viewer.organisation_id, "caller": self.viewer.actor}
        row = {**own, "key": name, "fingerprint": print_of_it, "answer": answer}
        async with self.sessions.writing() as connection:
            await connection.execute(insert(tables.idempotency_keys).values(row))

    async def earlier(self, name: str, sample: Sample) -> Mapping[str, UUID] | None:
        """The answer to a sample that was given before under the key."""
        once = IdempotentRequest(self.viewer, name, sample.operation, sample.request)
        async with self.sessions.writing() as connection:
            [told] = await begin(connection, self.viewer.organisation_id, [once])
            if isinstance(told, Failure):
                raise told
            return told

    async def stored(self, name: str) -> bytes:
        """The fingerprint under the key."""
        keys = tables.idempotency_keys
        async with self.sessions.reading() as connection:
            found = await connection.scalar(select(keys.c.fingerprint).where(keys.c.key == name))
        assert isinstance(found, bytes)
        return found


@pytest.fixture
async def desk(loaded: Sessions) -> Desk:
    catalogues = Catalogues(loaded)
    organisation = (await catalogues.find("theatre")).organisation.id
    viewer = Viewer(Audience.STAFF, organisation, "theatre", "staff:ada", roles=frozenset({StaffRole.CATALOGUE}))
    transactions = Transactions(loaded, lambda _organisation, _offers: None)
    return Desk(loaded, viewer, Configuration(catalogues, transactions))


async def test_a_retry_across_the_upgrade_has_the_answer_that_was_given_before(desk: Desk) -> None:
    landed = bytes.fromhex(UNVERSIONED["an advantage with everything"])
    await desk.store("open", landed, {"made": {"offer": str(MADE)}})
    new = SAMPLES["an advantage with everything"].request
    assert isinstance(new, NewAdvantage)

    assert await desk.configuration.create_advantage(desk.viewer, new, NOW, "open") == MADE

    other = SAMPLES["an advantage with little"].request
    assert isinstance(other, NewAdvantage)
    with pytest.raises(Conflict, match="idempotency_key_reused"):
        await desk.configuration.create_advantage(desk.viewer, other, NOW, "open")
    async with desk.sessions.reading() as connection:
        made = select(func.count()).where(tables.offers.c.code.in_([new.code, other.code]))
        assert await connection.scalar(made) == 0


async def test_a_retry_across_the_upgrade_hears_the_failure_that_was_told_before(desk: Desk) -> None:
    told = {
        "failure": "InvalidInput",
        "said": {"key": "invalid_input", "values": {}},
        "problems": [[["internalName"], {"key": "name_missing", "values": {}}]],
    }
    name = "an advantage's change that clears"
    await desk.store("refused", bytes.fromhex(UNVERSIONED[name]), told)
    with pytest.raises(InvalidInput) as failure:
        await desk.earlier("refused", SAMPLES[name])
    assert [(problem.path, problem.text.key) for problem in failure.value.problems] == [
        (("internalName",), "name_missing")
    ]


@pytest.mark.parametrize("version", [UNVERSIONED, FINGERPRINTS], ids=["before versions", "this version"])
async def test_open_keys_of_every_operation_are_answered_for_their_input_alone(
    desk: Desk, version: Mapping[str, str]
) -> None:
    for name in SAMPLES:
        await desk.store(name, bytes.fromhex(version[name]), {"made": {"it": str(MADE)}})
    names = list(SAMPLES)
    for name, next_name in zip(names, [*names[1:], names[0]], strict=True):
        assert await desk.earlier(name, SAMPLES[name]) == {"it": MADE}
        with pytest.raises(Conflict, match="idempotency_key_reused"):
            await desk.earlier(name, SAMPLES[next_name])


async def test_a_key_of_a_version_that_is_not_known_here_is_a_conflict(desk: Desk) -> None:
    known = bytes.fromhex(FINGERPRINTS["a scan"])
    await desk.store("later", b"\x02" + known[1:], {"made": {"it": str(MADE)}})
    await desk.store("nothing", b"", {"made": {"it": str(MADE)}})
    for name in ("later", "nothing"):
        with pytest.raises(Conflict, match="idempotency_key_reused"):
            await desk.earlier(name, SAMPLES["a scan"])


async def test_keys_are_kept_with_the_version_of_their_fingerprint(desk: Desk) -> None:
    async with desk.sessions.writing() as connection:
        both = [IdempotentRequest(desk.viewer, key, "controlTicket", "0123ABCD") for key in ("one", "other")]
        assert await begin(connection, desk.viewer.organisation_id, both) == [None, None]
        await finish(connection, desk.viewer.organisation_id, [(each, {"it": MADE}) for each in both])
    for name in ("one", "other"):
        assert (await desk.stored(name)).hex() == FINGERPRINTS["a scan"]
        assert await desk.earlier(name, SAMPLES["a scan"]) == {"it": MADE}
