"""A page to try the model by hand: three small files, no network, nothing from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI

ASSETS = Path(__file__).parent / "assets"
FILES = {
    "/": ("page.html", "text/html"),
    "/page.js": ("page.js", "text/javascript"),
    "/page.css": ("page.css", "text/css"),
}


def add_page(app: FastAPI) -> None:
    """GET / and what it needs."""
    from fastapi import Request, Response

    for path, (name, kind) in FILES.items():
        content = (ASSETS / name).read_bytes()

        async def show(_: Request, content: bytes = content, kind: str = kind) -> Response:
            return Response(content, headers={"content-type": f"{kind}; charset=utf-8"})

        app.router.add_route(path, show, methods=["GET"])
