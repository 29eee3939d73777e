"""What is masked in a log line, and what stays."""

import time
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from structlog.typing import EventDict

from services.codes.format import LENGTH, display, random_codes
from services.core.sent import Sent
from sesame.log_masking import MASK, Masking

CODE = "48MK0KBN1YDE392M"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJzZXNhbWUiLCJhdWQiOiJTSE9QUEVSIn0.q83vKzv0bq1S3cU8w1pNfH1oQm5n4y2x7c6d5e4f3a0"
KEY = "sesame.theatre.K7dPq0c2u9yL5mX1bR8tZ3wV6nH4jF0sG2aE7iO9kQ4"


def masked(text: str) -> str:
    return Masking().text(text)


def written(**event: object) -> EventDict:
    return dict(Masking()(None, "info", {"event": "an event", **event}))


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("cannot connect to postgresql+asyncpg://sesame:hunter2@db.example/sesame", "hunter2"),
        ("redis://:hunter2@127.0.0.1:6379/0 is away", "hunter2"),
        ("smtps://ada:hunter2@with@signs/and:more@mail.example", "hunter2"),
        ("https://hunter2@mail.example/path", "hunter2"),
        ("{'host': 'db', 'password': 'hunter2', 'user': 'ada'}", "hunter2"),
        ("host=db password=hunter2 user=ada", "hunter2"),
        ('{"smtp_password": "hunter \\" 2"}', "hunter"),
        ("secret_key = hunter2", "hunter2"),
        ("Authorization: Basic YWRhOmh1bnRlcjI=", "YWRhOmh1bnRlcjI"),
        (f"Bearer {JWT}", JWT),
        (f"[(b'authorization', b'Bearer {JWT}')]", JWT),
        (f"decoding {JWT} failed", JWT[:40]),
        (f"no such key {KEY}.", KEY),
        (f"no such key {KEY[:30]}...", KEY[15:30]),
        ("GET /batches/x.csv?separator=,&token=aGVsbG8gd29ybGQ", "aGVsbG8gd29ybGQ"),
        ("link aGVsbG8gd29ybGQ0Z2VuZXJhbCBwdXJwb3NlIHRva2Vu1", "aGVsbG8gd29ybGQ0Z2VuZXJhbCBwdXJwb3NlIHRva2Vu1"),
        ("550 <ada.lovelace+x@mail.example.org>: no such user", "ada.lovelace"),
        ("550 zoé@théâtre.example", "zoé"),
        ("/contacts?mail=ada.lovelace%40example.org", "ada.lovelace"),
        ("the ticket 0123456789ABCDEF0123 is in", "0123456789ABCDEF0123"),
        ("duplicate key\nDETAIL:  Key (code)=(XMAS-2026) already exists.", "XMAS-2026"),
        ("broken\nDETAIL:  Failing row contains (a,\nXMAS-2026).\nHINT: look", "XMAS-2026"),
        ("COPY\nCONTEXT:  COPY codes, line 1, column code: XMAS-2026", "XMAS-2026"),
        ("failed\n[SQL: SELECT $1]\n[parameters: ('XMAS-2026', 'B]')]", "XMAS-2026"),
        ("invalid input for query argument $1: 'XMAS-2026' (expected int)", "XMAS-2026"),
        ('invalid input syntax for type uuid: "XMAS-2026"', "XMAS-2026"),
        ("Input should be a number [type=int, input_value='XMAS-2026', input_type=str]", "XMAS-2026"),
    ],
)
def test_secrets_are_masked_by_their_shape(text: str, secret: str) -> None:
    assert secret in text
    assert secret not in masked(text)
    assert MASK in masked(text)


@pytest.mark.parametrize(
    "spelling",
    [
        CODE,
        CODE.lower(),
        display(CODE),
        display(CODE).replace(" ", "-").lower(),
        display(CODE).replace(" ", "\u2013"),
        display(CODE).replace(" ", "\u00a0"),
        display(CODE).replace(" ", "%20"),
        " ".join(CODE),
        f"{CODE[:8]} {CODE[8:]}",
        f"{CODE[:3]}-{CODE[3:9]}.{CODE[9:]}",
        CODE.replace("0", "o").replace("1", "l"),
    ],
)
@pytest.mark.parametrize("sentence", ["{}", "code {} is used", "KeyError: '{}'", "a-{}-b", "/codes/{}?x", "code={}"])
def test_a_code_is_masked_in_any_grouping(spelling: str, sentence: str) -> None:
    assert spelling not in masked(sentence.format(spelling))


def test_every_code_is_masked_as_it_is_printed_and_with_a_typing_error() -> None:
    for code in (each.decode() for each in random_codes(2_000)):
        assert masked(display(code)) == MASK
        assert masked(f"unknown: {code}") == f"unknown: {MASK}"
        mistyped = ("0" if code[0] != "0" else "7") + code[1:]
        assert mistyped.isdigit() or masked(display(mistyped)) == MASK
    assert len(CODE) == LENGTH


@pytest.mark.parametrize(
    "text",
    [
        "/graphql",
        "QueuePool limit of size 10 overflow 0 reached, connection timed out, timeout 10.00",
        "[Errno 111] Connect call failed ('127.0.0.1', 5432)",
        'duplicate key value violates unique constraint "codes_pkey"',
        "the database system is starting up",
        "sesame.server.app resolvers.transport.http",
        "sesame.services_of_tests.test_of_a_very_long_name sesame.worker.AdvancedWorker",
        "/usr/local/lib/python3.11/site-packages/sqlalchemy/dialects/postgresql/asyncpg.py",
        "http://127.0.0.1:8000/batches/0193f7a2-1b2c-7d3e-8f4a-5b6c7d8e9f0a.csv",
        "2026-11-28T05:47:08.123456+00:00",
        "trace 4bf92f3577b34da6a3ce929d0e0e4736",
        "127.0.0.1 [::1] 2001:db8::1",
        "Error 111 connecting to 127.0.0.1:40995. Connection refused.",
        "sent 1000 of 5000000 codes in 12.5 seconds, 3 more to come",
    ],
)
def test_what_people_need_stays(text: str) -> None:
    assert masked(text) == text


def test_uuids_and_instants_stay_whatever_they_hold() -> None:
    for _ in range(2_000):
        text = f"{uuid4()} {uuid4().hex} {datetime.now(UTC).isoformat()}"
        assert masked(text) == text


def test_ids_times_and_figures_of_a_line_stay() -> None:
    kept = {
        "timestamp": "2026-11-28T05:47:08.123456Z",
        "level": "info",
        "request_id": f"{CODE}",
        "id": uuid4().hex,
        "fault": uuid4().hex,
        "batch": uuid4(),
        "status": 200,
        "ms": 1.25,
        "more": None,
    }
    assert written(**kept) == {"event": "an event", **kept}


def test_what_is_in_lists_mappings_and_objects_is_masked_too() -> None:
    class Holder:
        def __repr__(self) -> str:
            return f"<holder of {KEY}>"

    line = written(path=["a", display(CODE)], about={"x": [{display(CODE): Holder()}]}, raw=KEY.encode())
    assert CODE not in str(line).replace(" ", "")
    assert KEY not in str(line)


def test_what_is_named_as_a_secret_is_masked_whatever_it_looks_like() -> None:
    assert written(password="x", api_token="y", email="z") == {
        "event": "an event",
        "password": MASK,
        "api_token": MASK,
        "email": MASK,
    }


def test_known_secrets_are_masked_wherever_they_stand() -> None:
    masking = Masking({"l@velace", "long l@velace", "abc"})
    assert masking.text("535 l@velace is wrong, long l@velace too") == f"535 {MASK} is wrong, {MASK} too"
    assert masking.text("abcdef") == "abcdef"


def test_a_long_text_is_cut() -> None:
    cut = masked(f"begins {'x' * 1_000_000} ends")
    assert len(cut) < 5_000
    assert (cut[:6], cut[-4:]) == ("begins", "ends")


@pytest.mark.parametrize(
    "part",
    [
        "@a",
        "a%40",
        "://a:",
        "://",
        'password="',
        "token: '",
        "sesame.",
        "a ",
        "A1 ",
        "eyJ.",
        "bearer  ",
        "DETAIL:",
        "[parameters: ",
    ],
)
def test_no_text_that_a_client_may_choose_takes_long(part: str) -> None:
    """A path is logged with each request, and everybody else waits meanwhile."""
    for text in (part * 100_000, f"{part}{'x' * 100_000}", f"@:=%40{part}{'x1' * 50_000}"):
        begun = time.process_time()
        masked(text)
        assert time.process_time() - begun < 0.5


# ── What was sent ────────────────────────────────────────────────────────────────────────────────


def fault(value: str) -> list[dict[str, object]]:
    frame = {"filename": "XMAS.py", "lineno": 3, "name": "summer"}
    return [{"exc_type": "KeyError", "exc_value": value, "exc_notes": [value], "frames": [frame], "is_cause": False}]


@pytest.mark.parametrize("said", ["'XMAS'", "no xmas here", "Summer Sale: no", "SUMMERSA1E", "hide-and-seek"])
def test_what_was_sent_is_not_in_what_an_error_says(said: str) -> None:
    sent = Sent(
        {"input": {"codes": ["xmas", "summer sale"], "lines": [{"quantity": 1}]}}, '{ a(code: "hide-and-seek") }'
    )
    line = written(exception=fault(said), reason=said, sent=sent)
    assert "sent" not in line
    [stack] = line["exception"]
    told = str([stack["exc_value"], stack["exc_notes"], line["reason"]]).lower()
    assert [word for word in ("xmas", "sale", "sa1e", "hide") if word in told] == []
    assert stack["frames"] == [{"filename": "XMAS.py", "lineno": 3, "name": "summer"}]


def test_words_that_hold_what_was_sent_stay() -> None:
    line = written(reason="KeyError: the seasoning", sent=Sent({"code": "season", "short": "th"}))
    assert line["reason"] == "KeyError: the seasoning"


def test_what_was_sent_shows_in_no_other_log() -> None:
    assert "XMAS" not in f"{Sent({'code': 'XMAS'})!r} {Sent({'code': 'XMAS'})}"
