"""The routes, a module a product."""

from fastapi import APIRouter

from jina_components.service.routes import health

ROUTERS: tuple[APIRouter, ...] = (health.router,)
