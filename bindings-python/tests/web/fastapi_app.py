"""A FastAPI app with one of everything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import (
    APIRouter,
    BackgroundTasks,
    Body,
    Cookie,
    Depends,
    FastAPI,
    File,
    Form,
    Header,
    HTTPException,
    Query,
    Request,
    Response,
    UploadFile,
)
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    StreamingResponse,
)
from pydantic import BaseModel, Field
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint

done: list[str] = []


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    await asyncio.sleep(0)
    done.append("started")
    yield {"model": {"name": "m1"}}
    done.append("stopped")


app = FastAPI(title="One of everything", lifespan=lifespan)


class Trail(BaseHTTPMiddleware):
    """Marks each answer."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        response = await call_next(request)
        response.headers["X-Trail"] = quote(request.url.path)
        return response


app.add_middleware(Trail)
app.add_middleware(
    CORSMiddleware,
    allow_origins=["https://one.example"],
    allow_methods=["GET", "POST"],
    allow_headers=["X-Own"],
    allow_credentials=True,
)


class Item(BaseModel):
    """A body with rules."""

    name: str = Field(min_length=1, max_length=20)
    price: float = Field(gt=0)
    tags: list[str] = []


class OwnError(Exception):
    """Has a handler of its own."""


@app.exception_handler(OwnError)
async def own_error(_request: Request, error: OwnError) -> JSONResponse:
    return JSONResponse({"error": str(error)}, 418)


@app.get("/")
async def index() -> dict[str, str]:
    return {"at": "index"}


@app.head("/")
async def index_head() -> Response:
    return Response(headers={"X-Head": "yes"})


@app.get("/sync")
def sync() -> dict[str, str]:
    return {"kind": "sync"}


@app.post("/items")
async def add(item: Item) -> Item:
    return item


@app.post("/items-sync", status_code=201)
def add_sync(item: Item) -> dict[str, Any]:
    return {"made": item.name, "total": item.price * 2}


@app.get("/items/{number}")
async def item(number: int, verbose: bool = False) -> dict[str, Any]:
    return {"number": number, "verbose": verbose}


@app.put("/items/{number}")
def put_item(number: int, item: Item, note: Annotated[str, Body()]) -> dict[str, Any]:
    return {"number": number, "item": item.model_dump(), "note": note}


@app.delete("/items/{number}", status_code=204)
async def delete_item(number: int) -> None:
    return None


@app.post("/form")
async def form(a: Annotated[list[str], Form()], b: Annotated[str, Form()] = "") -> dict[str, Any]:
    return {"a": a, "b": b}


@app.post("/upload")
async def upload(
    files: Annotated[list[UploadFile], File()], note: Annotated[str, Form()]
) -> dict[str, Any]:
    got = [[f.filename, f.content_type, (await f.read()).hex()] for f in files]
    return {"files": got, "note": note}


@app.post("/upload-sync")
def upload_sync(file: Annotated[bytes, File()]) -> dict[str, int]:
    return {"size": len(file)}


@app.api_route("/echo", methods=["POST", "PUT", "PATCH", "DELETE"], include_in_schema=False)
async def echo(request: Request) -> Response:
    return Response(await request.body(), media_type="application/octet-stream")


@app.post("/stream-in")
async def stream_in(request: Request) -> dict[str, int]:
    size = lines = 0
    async for chunk in request.stream():
        size += len(chunk)
        lines += chunk.count(b"\n")
    return {"size": size, "lines": lines}


@app.get("/stream-async")
async def stream_async(count: int = 3) -> StreamingResponse:
    async def parts() -> AsyncIterator[str]:
        for number in range(count):
            await asyncio.sleep(0)
            yield f"line {number}\n"

    return StreamingResponse(parts(), media_type="text/plain")


@app.get("/stream-sync")
def stream_sync(count: int = 3) -> StreamingResponse:
    def parts() -> Iterator[bytes]:
        for number in range(count):
            yield f"line {number}\n".encode()

    return StreamingResponse(parts(), media_type="text/csv")


@app.get("/large")
async def large() -> Response:
    return Response(b"0123456789abcdef" * 65_536, media_type="application/octet-stream")


@app.get("/file")
def file() -> FileResponse:
    return FileResponse(__file__, media_type="text/x-python", headers={"cache-control": "no-store"})


@app.get("/headers")
async def headers(
    x_one: Annotated[str | None, Header()] = None,
    x_many: Annotated[list[str] | None, Header()] = None,
    accept_language: Annotated[str | None, Header()] = None,
) -> dict[str, Any]:
    return {"one": x_one, "many": x_many, "language": accept_language}


@app.get("/headers-out")
async def headers_out() -> PlainTextResponse:
    response = PlainTextResponse("ok", headers={"X-One": "1"})
    response.headers.append("X-Twice", "one")
    response.headers.append("X-Twice", "two")
    return response


@app.get("/cookies")
async def cookies(
    a: Annotated[str | None, Cookie()] = None, b: Annotated[str | None, Cookie()] = None
) -> dict[str, Any]:
    return {"a": a, "b": b}


@app.get("/cookies-out")
def cookies_out(response: Response) -> dict[str, str]:
    response.set_cookie("a", "1", httponly=True)
    response.set_cookie("b", "2", max_age=60, samesite="strict", secure=True)
    response.delete_cookie("c")
    return {"set": "two"}


@app.get("/redirect")
async def redirected() -> RedirectResponse:
    return RedirectResponse("/app/", 303)


@app.get("/redirect-url")
async def redirected_url(request: Request) -> RedirectResponse:
    return RedirectResponse(request.url_for("item", number=7))


@app.get("/slash/")
async def slash() -> str:
    return "slash"


@app.get("/text/{text}")
async def text(text: str) -> dict[str, str]:
    return {"text": text}


@app.get("/path/{rest:path}")
def path(rest: str, request: Request) -> dict[str, str]:
    return {"rest": rest, "url": str(request.url), "base": str(request.base_url)}


@app.get("/query")
async def query(
    a: Annotated[list[int], Query()],
    b: str | None = None,
    c: Annotated[str, Query(max_length=3)] = "",
) -> dict[str, Any]:
    return {"a": a, "b": b, "c": c}


@app.get("/http-error/{status}")
def http_error(status: int) -> None:
    raise HTTPException(status, {"why": "asked for"}, headers={"X-Why": "asked"})


@app.get("/fails")
async def fails() -> None:
    raise RuntimeError("not for clients")


@app.get("/fails-sync")
def fails_sync() -> None:
    raise RuntimeError("not for clients")


@app.get("/own-error")
async def raises_own_error() -> None:
    raise OwnError("teapot")


async def resource(name: str = "r") -> AsyncIterator[str]:
    done.append(f"open {name}")
    try:
        yield name
    finally:
        done.append(f"close {name}")


def resource_sync() -> Iterator[str]:
    yield "sync resource"


@app.get("/depends")
async def depends(
    one: Annotated[str, Depends(resource)], two: Annotated[str, Depends(resource_sync)]
) -> dict[str, Any]:
    return {"one": one, "two": two, "last": done[-1]}


@app.get("/depends-after")
async def depends_after() -> dict[str, str]:
    return {"last": done[-1]}


async def refuse() -> None:
    raise HTTPException(401, "who are you?", headers={"WWW-Authenticate": "Bearer"})


@app.get("/refused", dependencies=[Depends(refuse)])
async def refused() -> None:
    return None


@app.post("/background")
async def background(tasks: BackgroundTasks) -> dict[str, bool]:
    async def later() -> None:
        await asyncio.sleep(0)
        done.append("async task")

    tasks.add_task(later)
    tasks.add_task(done.append, "sync task")
    return {"queued": True}


@app.get("/background-after")
def background_after() -> dict[str, str]:
    return {"last": done[-1]}


@app.get("/state")
async def state(request: Request) -> dict[str, Any]:
    return {"model": request.state.model, "started": done[0]}


@app.get("/gather")
async def gather() -> list[int]:
    async def one(number: int) -> int:
        await asyncio.sleep(0.001 * (3 - number))
        return number

    return await asyncio.gather(*(one(number) for number in range(3)))


@app.get("/thread")
async def thread() -> int:
    return await asyncio.to_thread(sum, range(10))


@app.get("/html", response_class=HTMLResponse)
async def html() -> str:
    return "<p>Gr\u00fc\u00dfe</p>"


@app.get("/disconnected")
async def disconnected(request: Request) -> bool:
    return await request.is_disconnected()


@app.get("/unset", response_model=Item, response_model_exclude_unset=True)
async def unset() -> dict[str, Any]:
    return {"name": "n", "price": 1}


router = APIRouter(prefix="/part", tags=["part"])


@router.get("/here")
async def here(request: Request) -> str:
    return str(request.url_for("here"))


app.include_router(router)

mounted = FastAPI(title="mounted")


@mounted.get("/inside")
async def inside(request: Request) -> dict[str, str]:
    return {"root": request.scope["root_path"], "path": request.scope["path"]}


app.mount("/mounted", mounted)
