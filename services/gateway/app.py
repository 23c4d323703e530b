"""The gateway's application: routes, and the layers around them.

request → context (id, log, headers, last catch) → CORS → origin of sockets → token → rate → body limit → routes
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.middleware.cors import CORSMiddleware

from services.common.serving.admission import AioAdmission
from services.common.version import VERSION
from services.gateway.gateway import Fetch, Gateway
from services.gateway.jobs.job_repository import JobRepository
from services.gateway.jobs.job_routes import job_router
from services.gateway.jobs.job_runner import JobRunner
from services.gateway.jobs.job_socket import socket_router
from services.gateway.middleware.auth import BearerAuth, SameOrigin
from services.gateway.middleware.body_limit import BodyLimit
from services.gateway.middleware.rate_limit import RateLimit, open_rates
from services.gateway.middleware.request_context import RequestContext
from services.gateway.orchestrator import Orchestrator
from services.gateway.problems import REMBG_PATH, install_handlers
from services.gateway.rembg.rembg_routes import rembg_router
from services.gateway.rembg.safe_fetch import Fetcher, FetchLimits
from services.gateway.routes.docs_routes import docs_router
from services.gateway.routes.health_routes import health_router
from services.gateway.routes.page_routes import page_router
from services.gateway.routes.pipeline_routes import pipeline_router
from services.gateway.routes.responses import EXPOSED_HEADERS
from services.gateway.settings import GatewaySettings
from services.gateway.status_cache import StatusCache
from services.gateway.storage.open_store import open_store
from services.gateway.storage.receipt_repository import ReceiptRepository
from services.gateway.storage.store import Store

_STAGE = "gateway"
_NO_HEAD = (REMBG_PATH, "/jobs/{job_id}/events")  # rembg has none and would cut a picture out; a stream has no end
_DESCRIPTION = """One photo in, one clean cutout and one complete 3D mesh out.

    curl -X POST -F "file=@test.jpg" http://localhost:8000/remove-bg -o mask.png
    curl -X POST -F "file=@test.jpg" http://localhost:8000/generate-mesh -o model.glb
"""


def create_app(settings: GatewaySettings, client: Orchestrator, fetch: Fetch | None = None) -> FastAPI:
    """Return the application.

    Args:
        settings: limits, token, origins.
        client: the way to the orchestrator.
        fetch: gets pictures by URL; the guarded one of `safe_fetch.py` when None.

    Raises:
        ValueError: a setting makes no sense; the sentence says which.
    """
    address = settings.store.get_secret_value()
    store = open_store(address, settings.store_mb << 20)
    gateway = _gateway(settings, client, fetch, store)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        renewing = asyncio.create_task(gateway.jobs.renew_leases())
        yield
        await gateway.runner.close(settings.grace_s)
        renewing.cancel()
        await store.close()

    app = FastAPI(
        title="unflat", version=VERSION, description=_DESCRIPTION, lifespan=lifespan, docs_url=None, redoc_url=None
    )
    app.state.gateway = gateway
    install_handlers(app)
    routers = (
        pipeline_router(gateway),
        job_router(gateway),
        socket_router(gateway),
        rembg_router(gateway),
        health_router(gateway),
        docs_router(),
        page_router(),
    )
    for router in routers:
        _answer_head(router)
        app.include_router(router)

    # The last one added is the outermost.
    app.add_middleware(BodyLimit, max_bytes=settings.max_upload_bytes, timeout_s=settings.upload_timeout_s)
    tokens = _words(settings.token.get_secret_value())
    if settings.rate:
        rates = open_rates(settings.rate, address)
        app.add_middleware(RateLimit, rates=rates, by_token=bool(tokens))
    if tokens:
        app.add_middleware(BearerAuth, tokens=tokens)
    origins = _words(settings.cors_origins)
    app.add_middleware(SameOrigin, origins=origins)
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Last-Event-ID", "X-Request-Id"],
            expose_headers=EXPOSED_HEADERS,
        )
    app.add_middleware(RequestContext, paths=_fixed_paths(app.router, *routers))
    return app


def _gateway(settings: GatewaySettings, client: Orchestrator, fetch: Fetch | None, store: Store) -> Gateway:
    limits = FetchLimits(max_bytes=settings.max_upload_bytes, timeout_s=settings.fetch_timeout_s)
    admission = AioAdmission(_STAGE, settings.concurrency, settings.queue)
    receipts = ReceiptRepository(store, settings.receipt_ttl_s)
    jobs = JobRepository(store, settings.job_ttl_s)
    return Gateway(
        settings=settings,
        client=client,
        fetch=fetch or Fetcher(limits).get,
        admission=admission,
        status=StatusCache(client.status),
        receipts=receipts,
        jobs=jobs,
        runner=JobRunner(client, admission, jobs, receipts),
        store=store,
    )


def _answer_head(router: APIRouter) -> None:
    """Answer HEAD wherever GET is (RFC 9110, section 9.1), where it costs no more than to look."""
    for route in list(router.routes):
        if isinstance(route, APIRoute) and route.methods == {"GET"} and route.path not in _NO_HEAD:
            router.add_api_route(
                route.path,
                route.endpoint,
                methods=["HEAD"],
                include_in_schema=False,
                response_class=route.response_class,
            )


def _words(listed: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in listed.split(",") if word.strip())


def _fixed_paths(*routers: APIRouter) -> frozenset[str]:
    """Return the paths without parameters."""
    paths = (getattr(route, "path", "{") for router in routers for route in router.routes)
    return frozenset(path for path in paths if "{" not in path)
