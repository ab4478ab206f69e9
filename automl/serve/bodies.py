"""From a request's body to rows, by its content type; large ones are read in a thread beside the server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from automl.serve.call import Call, Message
from automl.serve.json_body import read_json_rows
from automl.serve.pictures_body import read_form, read_picture, settle_pictures
from automl.serve.refusal import Refusal
from automl.serve.rows import RowReader, Rows
from automl.serve.table_body import read_arrow_rows, read_csv_rows

if TYPE_CHECKING:
    from automl.serve.service import Current

T = TypeVar("T")
SMALL_BYTES = 16 << 10  # up to here reading is quicker than passing on
Read = Callable[[bytes, RowReader], Rows]
READERS: dict[str, Read] = {
    "application/json": read_json_rows,
    "": read_json_rows,
    "application/x-www-form-urlencoded": read_json_rows,  # what curl -d says of any body
    "text/csv": read_csv_rows,
    "application/csv": read_csv_rows,
    "application/vnd.apache.arrow.stream": read_arrow_rows,
    "application/vnd.apache.arrow.file": read_arrow_rows,
    "application/vnd.apache.arrow": read_arrow_rows,
}
HINT = "Send application/json, text/csv, application/vnd.apache.arrow.stream, or pictures as multipart/form-data"

_pool = ThreadPoolExecutor(2, thread_name_prefix="reader")


async def read_rows(call: Call, current: Current) -> Rows:
    """The rows of a request.

    Raises:
        Refusal: 4xx, if they cannot be read.
    """
    kind = call.header("content-type").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        parts = await _read_parts(call, current)
        return await beside(lambda: settle_pictures(read_form(parts, current.reader), current.reader))
    body = call.body
    read = read_picture if kind.startswith("image/") else READERS.get(kind)
    if read is None:
        raise Refusal(415, "The body is of a content type that is not read", hint=HINT, kind="content_type")
    if len(body) <= SMALL_BYTES and not current.has_pictures and read is read_json_rows:
        return read(body, current.reader)
    return await beside(lambda: settle_pictures(read(body, current.reader), current.reader))


async def _read_parts(call: Call, current: Current) -> list[tuple[str, bool, bytes | str]]:
    from starlette.datastructures import UploadFile
    from starlette.requests import Request

    async def receive() -> Message:
        return {"type": "http.request", "body": call.body, "more_body": False}

    parts: list[tuple[str, bool, bytes | str]] = []
    try:
        most = current.reader.max_rows
        async with Request(call.scope, receive).form(max_files=min(most, 2_000), max_fields=1_000) as form:
            for name, value in form.multi_items():
                if isinstance(value, UploadFile):
                    parts.append((name, True, await value.read()))
                else:
                    value.encode("utf-8")
                    parts.append((name, False, value))
    except Exception as error:  # the parser of foreign bytes has errors of many kinds
        hint = "Send each picture as a file of the form"
        raise Refusal(400, "The form cannot be read", hint=hint, kind="form") from error
    return parts


async def beside(read: Callable[[], T]) -> T:
    """What a function reads, in a thread beside the server."""
    return await asyncio.get_running_loop().run_in_executor(_pool, read)
