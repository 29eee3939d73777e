"""Files to download by signed links; whoever has the link needs no other credentials."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from http import HTTPStatus

import structlog
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from resolvers.runtime.error_masking import RETRY_AFTER
from resolvers.runtime.language import negotiated
from services.access.misses import OF_LINKS, Misses
from services.codes.batch_csv import SEPARATORS, CodeList, CodeLists
from services.codes.download_links import BrokenLink, DownloadLinks, ExpiredLink
from services.codes.lists.workbook import MEDIA_TYPE, MOST_IN_A_WORKBOOK, TooManyCodes
from services.codes.tracking_csv import TrackingList, TrackingLists
from services.core.errors import NotFound, TooMany, is_outage
from services.core.texts import text

_log = structlog.get_logger()

Find = Callable[[Request, str], Awaitable[CodeList | TrackingList]]
"""Finds the list that a request's token opens."""
Write = Callable[[Request, CodeList | TrackingList], Awaitable[Response]]
"""Answers a list in one of its forms."""


def routes(
    lists: CodeLists, tracking: TrackingLists, links: DownloadLinks, clock: Callable[[], datetime], misses: Misses
) -> list[Route]:
    """The paths that ``links`` name, each with ``?token=…``, and for CSV with ``&separator=,`` for commas.

    ``/batches/<id>.csv`` is a batch's list, ``/codes.csv`` what a filter finds; ``.xlsx`` the same as a workbook.
    """

    async def of_batch(request: Request, token: str) -> CodeList:
        batch = request.path_params["batch"]
        return await lists.of_batch(links.organisation_of(batch, token, clock()), batch)

    async def tracked(_: Request, token: str) -> TrackingList:
        return await tracking.behind(token, clock())

    async def missed(request: Request) -> None:
        await misses.count_from(OF_LINKS, request.client.host if request.client else "", clock())

    return [
        Route("/batches/{batch:uuid}.csv", _download(of_batch, _csv, missed), methods=["GET"]),
        Route("/batches/{batch:uuid}.xlsx", _download(of_batch, _xlsx, missed), methods=["GET"]),
        Route("/codes.csv", _download(tracked, _csv, missed), methods=["GET"]),
        Route("/codes.xlsx", _download(tracked, _xlsx, missed), methods=["GET"]),
    ]


def _download(
    find: Find, write: Write, missed: Callable[[Request], Awaitable[None]]
) -> Callable[[Request], Awaitable[Response]]:
    async def download(request: Request) -> Response:
        if request.query_params.get("separator", SEPARATORS[0]) not in SEPARATORS:
            return _refusal(request, HTTPStatus.BAD_REQUEST, "unknown_separator")
        try:
            codes = await find(request, request.query_params.get("token", ""))
            response = await write(request, codes)
        except BrokenLink:
            return await _refusal_of_broken(request, missed)
        except Exception as error:
            refused = _refusal_for(request, error)
            if refused is None:
                raise
            return refused
        ending = request.url.path.rpartition(".")[2]
        response.headers.update(
            {
                "Content-Disposition": f'attachment; filename="{codes.file_name}.{ending}"',
                "Cache-Control": "private, no-store",
                "Referrer-Policy": "no-referrer",
                "X-Content-Type-Options": "nosniff",
            }
        )
        return response

    return download


def _refusal_for(request: Request, error: Exception) -> Response | None:
    match error:
        case ExpiredLink():
            return _refusal(request, HTTPStatus.GONE, "link_expired")
        case NotFound():
            return _refusal(request, HTTPStatus.NOT_FOUND, "not_found")
        case TooManyCodes():
            return _refusal(request, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "workbook_too_long", most=MOST_IN_A_WORKBOOK)
    if not is_outage(error):
        return None
    _log.warning("unavailable", exc_info=error)
    return _refusal(request, HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", RETRY_AFTER)


async def _refusal_of_broken(request: Request, missed: Callable[[Request], Awaitable[None]]) -> Response:
    try:
        await missed(request)
    except TooMany as failure:
        return _refusal(request, HTTPStatus.TOO_MANY_REQUESTS, failure.text.key, failure.retry_after)
    return _refusal(request, HTTPStatus.FORBIDDEN, "link_broken")


async def _csv(request: Request, codes: CodeList | TrackingList) -> Response:
    separator = request.query_params.get("separator", SEPARATORS[0])
    return StreamingResponse(codes.csv(separator), media_type="text/csv; charset=utf-8")


async def _xlsx(_: Request, codes: CodeList | TrackingList) -> Response:
    return Response(await codes.xlsx(), media_type=MEDIA_TYPE)


def _refusal(
    request: Request, status: HTTPStatus, why: str, retry_after: int | None = None, **values: object
) -> Response:
    language = negotiated(request.headers.get("accept-language"))
    headers = None if retry_after is None else {"Retry-After": str(retry_after)}
    return PlainTextResponse(text(why, **values).in_language(language) + "\n", status, headers)
