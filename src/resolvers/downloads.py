"""Files to download by signed links; whoever has the link needs no other credentials."""

from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from uuid import UUID

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from resolvers.language import negotiated
from services.code_lists import SEPARATORS, CodeLists
from services.errors import NotFound
from services.links import BrokenLink, ExpiredLink, Links
from services.texts import text


def routes(lists: CodeLists, links: Links, clock: Callable[[], datetime]) -> list[Route]:
    """The paths that ``links`` name: ``/batches/<id>.csv?token=…``, with ``&separator=,`` for commas."""

    async def batch_csv(request: Request) -> Response:
        batch: UUID = request.path_params["batch"]
        separator = request.query_params.get("separator", SEPARATORS[0])
        if separator not in SEPARATORS:
            return _refusal(request, HTTPStatus.BAD_REQUEST, "unknown_separator")
        try:
            organisation = links.organisation_of(batch, request.query_params.get("token", ""), clock())
            codes = await lists.of_batch(organisation, batch)
        except BrokenLink:
            return _refusal(request, HTTPStatus.FORBIDDEN, "link_broken")
        except ExpiredLink:
            return _refusal(request, HTTPStatus.GONE, "link_expired")
        except NotFound:
            return _refusal(request, HTTPStatus.NOT_FOUND, "not_found")
        headers = {
            "Content-Disposition": f'attachment; filename="{codes.file_name}"',
            "Cache-Control": "private, no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }
        return StreamingResponse(codes.csv(separator), media_type="text/csv", headers=headers)

    return [Route("/batches/{batch:uuid}.csv", batch_csv, methods=["GET"])]


def _refusal(request: Request, status: HTTPStatus, why: str) -> Response:
    language = negotiated(request.headers.get("accept-language"))
    return PlainTextResponse(text(why).in_language(language) + "\n", status)
