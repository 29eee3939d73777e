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
from services.codes.tracking_csv import TrackingList, TrackingLists
from services.core.errors import NotFound, TooMany, is_outage
from services.core.texts import text

_log = structlog.get_logger()

Find = Callable[[Request, str], Awaitable[CodeList | TrackingList]]
"""Finds the list that a request's token opens."""


def routes(
    lists: CodeLists, tracking: TrackingLists, links: DownloadLinks, clock: Callable[[], datetime], misses: Misses
) -> list[Route]:
    """The paths that ``links`` name, each with ``?token=…``, and with ``&separator=,`` for commas.

    ``/batches/<id>.csv`` is a batch's list, ``/codes.csv`` what a filter finds.
    """

    async def of_batch(request: Request, token: str) -> CodeList:
        batch = request.path_params["batch"]
        return await lists.of_batch(links.organisation_of(batch, token, clock()), batch)

    async def tracked(_: Request, token: str) -> TrackingList:
        return await tracking.behind(token, clock())

    async def missed(request: Request) -> None:
        await misses.count_from(OF_LINKS, request.client.host if request.client else "", clock())

    return [
        Route("/batches/{batch:uuid}.csv", _download(of_batch, missed), methods=["GET"]),
        Route("/codes.csv", _download(tracked, missed), methods=["GET"]),
    ]


def _download(find: Find, missed: Callable[[Request], Awaitable[None]]) -> Callable[[Request], Awaitable[Response]]:
    async def download(request: Request) -> Response:
        separator = request.query_params.get("separator", SEPARATORS[0])
        if separator not in SEPARATORS:
            return _refusal(request, HTTPStatus.BAD_REQUEST, "unknown_separator")
        try:
            codes = await find(request, request.query_params.get("token", ""))
        except BrokenLink:
            return await _refusal_of_broken(request, missed)
        except ExpiredLink:
            return _refusal(request, HTTPStatus.GONE, "link_expired")
        except NotFound:
            return _refusal(request, HTTPStatus.NOT_FOUND, "not_found")
        except Exception as fault:
            if not is_outage(fault):
                raise
            _log.warning("unavailable", exc_info=fault)
            return _refusal(request, HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", RETRY_AFTER)
        headers = {
            "Content-Disposition": f'attachment; filename="{codes.file_name}"',
            "Cache-Control": "private, no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }
        return StreamingResponse(codes.csv(separator), media_type="text/csv", headers=headers)

    return download


async def _refusal_of_broken(request: Request, missed: Callable[[Request], Awaitable[None]]) -> Response:
    try:
        await missed(request)
    except TooMany as failure:
        return _refusal(request, HTTPStatus.TOO_MANY_REQUESTS, failure.text.key, failure.retry_after)
    return _refusal(request, HTTPStatus.FORBIDDEN, "link_broken")


def _refusal(request: Request, status: HTTPStatus, why: str, retry_after: int | None = None) -> Response:
    language = negotiated(request.headers.get("accept-language"))
    headers = None if retry_after is None else {"Retry-After": str(retry_after)}
    return PlainTextResponse(text(why).in_language(language) + "\n", status, headers)
