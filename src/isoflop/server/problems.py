"""Failures as problem documents (RFC 9457): what went wrong, where, what to do, and a code."""

from __future__ import annotations

import logging
import shlex
import uuid
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.responses import JSONResponse

from isoflop.errors import (
    AccessError,
    IsoflopError,
    SettingError,
    StoreError,
    TableQuestion,
    WorkError,
)

MEDIA_TYPE = "application/problem+json"

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "code", "summary", "detail", "hint"],
    "properties": {
        "type": {"type": "string", "description": "Names the kind of problem: urn and code."},
        "title": {"type": "string", "description": "The kind of problem, in words."},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "Stays the same, for programs."},
        "summary": {"type": "string", "description": "What went wrong this time."},
        "detail": {"type": "string", "description": "Where, and with which values."},
        "hint": {"type": "string", "description": "What to do about it."},
        "choices": {
            "type": "array",
            "description": "Answers to a question about a table: merge one `answer` into `table`.",
            "items": {
                "type": "object",
                "properties": {"label": {"type": "string"}, "answer": {"type": "object"}},
            },
        },
        "reference": {"type": "string", "description": "Of an unexpected failure in the log."},
    },
}

_STATUS: tuple[tuple[type[IsoflopError], int], ...] = (
    (AccessError, HTTPStatus.FORBIDDEN),
    (SettingError, HTTPStatus.INTERNAL_SERVER_ERROR),
    (WorkError, HTTPStatus.SERVICE_UNAVAILABLE),
    (StoreError, HTTPStatus.SERVICE_UNAVAILABLE),
    (IsoflopError, HTTPStatus.UNPROCESSABLE_ENTITY),
)
_FLAGS = {"--column": "columns", "--unit": "units"}

logger = logging.getLogger("isoflop.server")


class Refused(Exception):
    """A request that is not let through to a function.

    Parameters
    ----------
    status : int
    summary, detail, hint : str
    headers : mapping of str to str
        Of the answer.
    """

    def __init__(
        self,
        status: int,
        summary: str,
        *,
        detail: str = "",
        hint: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(summary)
        self.status, self.summary, self.detail, self.hint = status, summary, detail, hint
        self.headers = dict(headers or {})


def of_refusal(refused: Refused) -> JSONResponse:
    """Return the document of a request that was not let through."""
    phrase = HTTPStatus(refused.status).phrase
    code = phrase.lower().replace(" ", "-")
    return _document(
        refused.status, code, phrase, refused.summary, refused.detail, refused.hint, refused.headers
    )


def of_error(error: IsoflopError) -> JSONResponse:
    """Return the document of an expected failure; its status follows from its class."""
    status = next(status for kind, status in _STATUS if isinstance(error, kind))
    title = (type(error).__doc__ or "").partition("\n")[0]
    more: dict[str, Any] = {}
    if isinstance(error, TableQuestion):
        more["choices"] = [
            {"label": label, "answer": answer_of(flag)} for label, flag in error.choices.items()
        ]
    headers = {"Retry-After": "60"} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    return _document(
        status, error.code, title, error.summary, error.detail, error.hint, headers, **more
    )


def of_failure(error: BaseException) -> JSONResponse:
    """Return the document of whatever a function raised."""
    return of_error(error) if isinstance(error, IsoflopError) else of_unexpected(error)


def of_unexpected(error: BaseException) -> JSONResponse:
    """Log a failure that nobody foresaw, and return a document that names its place in the log."""
    reference = uuid.uuid4().hex[:8]
    logger.error("unexpected failure, reference %s", reference, exc_info=error)
    return _document(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "unexpected",
        "Something failed that should not have.",
        f"Something failed that should not have. Reference {reference}.",
        "",
        "Report the reference: the server's log holds the details under it.",
        {},
        reference=reference,
    )


def answer_of(flag: str) -> dict[str, dict[str, str]]:
    """Return what to merge into ``table`` for an answer that is said as flags.

    Examples
    --------
    >>> answer_of("--unit 'D=B' --column loss=out")
    {'units': {'D': 'B'}, 'columns': {'loss': 'out'}}
    """
    found: dict[str, dict[str, str]] = {}
    words = shlex.split(flag)
    for name, value in zip(words[::2], words[1::2], strict=False):
        header, _, meaning = value.rpartition("=")
        found.setdefault(_FLAGS[name], {})[header] = meaning
    return found


def _document(
    status: int,
    code: str,
    title: str,
    summary: str,
    detail: str,
    hint: str,
    headers: Mapping[str, str],
    **more: Any,
) -> JSONResponse:
    content = {
        "type": f"urn:isoflop:problem:{code}",
        "title": title,
        "status": int(status),
        "code": code,
        "summary": summary,
        "detail": detail,
        "hint": hint,
        **more,
    }
    return JSONResponse(content, int(status), dict(headers), MEDIA_TYPE)
