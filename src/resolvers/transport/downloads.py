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
from services.codes.batch_csv import SEPARATORS, CodeList, CodeLists
from services.codes.download_links import BrokenLink, DownloadLinks, ExpiredLink
from services.codes.tracking_csv import TrackingList, TrackingLists
from services.core.errors import NotFound, is_outage
from services.core.texts import text

_log = structlog.get_logger()

Find = Callable[[Request, str], Awaitable[CodeList | TrackingList]]
"""Finds the list that a request's token opens."""


def routes(
    lists: CodeLists, tracking: TrackingLists, links: DownloadLinks, clock: Callable[[], datetime]
) -> list[Route]:
    """The paths that ``links`` name, each with ``?token=…``, and with ``&separator=,`` for commas.

    ``/batches/<id>.csv`` is a batch's list, ``/codes.csv`` what a filter finds.
    """

    async def of_batch(request: Request, token: str) -> CodeList:
        batch = request.path_params["batch"]
        return await lists.of_batch(links.organisation_of(batch, token, clock()), batch)

    async def tracked(_: Request, token: str) -> TrackingList:
        return await tracking.behind(token, clock())

    return [
        Route("/batches/{batch:uuid}.csv", _download(of_batch), methods=["GET"]),
        Route("/codes.csv", _download(tracked), methods=["GET"]),
    ]


def _download(find: Find) -> Callable[[Request], Awaitable[Response]]:
    async def download(request: Request) -> Response:
        separator = request.query_params.get("separator", SEPARATORS[0])
        if separator not in SEPARATORS:
            return _refusal(request, HTTPStatus.BAD_REQUEST, "unknown_separator")
        try:
            codes = await find(request, request.query_params.get("token", ""))
        except BrokenLink:
            return _refusal(request, HTTPStatus.FORBIDDEN, "link_broken")
        except ExpiredLink:
            return _refusal(request, HTTPStatus.GONE, "link_expired")
        except NotFound:
            return _refusal(request, HTTPStatus.NOT_FOUND, "not_found")
        except Exception as fault:
            if not is_outage(fault):
                raise
            _log.warning("unavailable", exc_info=fault)
            away = _refusal(request, HTTPStatus.SERVICE_UNAVAILABLE, "unavailable")
            away.headers["retry-after"] = str(RETRY_AFTER)
            return away
        headers = {
            "Content-Disposition": f'attachment; filename="{codes.file_name}"',
            "Cache-Control": "private, no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }
        return StreamingResponse(codes.csv(separator), media_type="text/csv", headers=headers)

    return download


def _refusal(request: Request, status: HTTPStatus, why: str) -> Response:
    language = negotiated(request.headers.get("accept-language"))
    return PlainTextResponse(text(why).in_language(language) + "\n", status)
