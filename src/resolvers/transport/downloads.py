"""Files to download by signed links; whoever has the link needs no other credentials."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from resolvers.runtime.language import negotiated
from services.codes.batch_csv import SEPARATORS, CodeList, CodeLists
from services.codes.download_links import BrokenLink, DownloadLinks, ExpiredLink
from services.codes.lists.workbook import MEDIA_TYPE, MOST_IN_A_WORKBOOK, TooManyCodes
from services.codes.tracking_csv import TrackingList, TrackingLists
from services.core.errors import NotFound
from services.core.texts import text

Find = Callable[[Request, str], Awaitable[CodeList | TrackingList]]
"""Finds the list that a request's token opens."""
Write = Callable[[Request, CodeList | TrackingList], Awaitable[Response]]
"""Answers a list in one of its forms."""


def routes(
    lists: CodeLists, tracking: TrackingLists, links: DownloadLinks, clock: Callable[[], datetime]
) -> list[Route]:
    """The paths that ``links`` name, each with ``?token=…``, and for CSV with ``&separator=,`` for commas.

    ``/batches/<id>.csv`` is a batch's list, ``/codes.csv`` what a filter finds; ``.xlsx`` the same as a workbook.
    """

    async def of_batch(request: Request, token: str) -> CodeList:
        batch = request.path_params["batch"]
        return await lists.of_batch(links.organisation_of(batch, token, clock()), batch)

    async def tracked(_: Request, token: str) -> TrackingList:
        return await tracking.behind(token, clock())

    return [
        Route("/batches/{batch:uuid}.csv", _download(of_batch, _csv), methods=["GET"]),
        Route("/batches/{batch:uuid}.xlsx", _download(of_batch, _xlsx), methods=["GET"]),
        Route("/codes.csv", _download(tracked, _csv), methods=["GET"]),
        Route("/codes.xlsx", _download(tracked, _xlsx), methods=["GET"]),
    ]


def _download(find: Find, write: Write) -> Callable[[Request], Awaitable[Response]]:
    async def download(request: Request) -> Response:
        if request.query_params.get("separator", SEPARATORS[0]) not in SEPARATORS:
            return _refusal(request, HTTPStatus.BAD_REQUEST, "unknown_separator")
        try:
            codes = await find(request, request.query_params.get("token", ""))
            response = await write(request, codes)
        except BrokenLink:
            return _refusal(request, HTTPStatus.FORBIDDEN, "link_broken")
        except ExpiredLink:
            return _refusal(request, HTTPStatus.GONE, "link_expired")
        except NotFound:
            return _refusal(request, HTTPStatus.NOT_FOUND, "not_found")
        except TooManyCodes:
            return _refusal(request, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "workbook_too_long", most=MOST_IN_A_WORKBOOK)
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


async def _csv(request: Request, codes: CodeList | TrackingList) -> Response:
    separator = request.query_params.get("separator", SEPARATORS[0])
    return StreamingResponse(codes.csv(separator), media_type="text/csv; charset=utf-8")


async def _xlsx(_: Request, codes: CodeList | TrackingList) -> Response:
    return Response(await codes.xlsx(), media_type=MEDIA_TYPE)


def _refusal(request: Request, status: HTTPStatus, why: str, **values: object) -> Response:
    language = negotiated(request.headers.get("accept-language"))
    return PlainTextResponse(text(why, **values).in_language(language) + "\n", status)
