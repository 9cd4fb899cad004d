"""The routes, a module a product."""

from fastapi import APIRouter

from jina_components.service.routes import (
    accounts,
    batches,
    classification,
    cohere,
    deepsearch,
    embeddings,
    finetunes,
    grounding,
    health,
    mcp,
    methods,
    models,
    reader,
    rerank,
    sagemaker,
    search,
    segment,
    svip,
)

ROUTERS: tuple[APIRouter, ...] = (
    embeddings.router,  # first those that are asked for most: a route is found by trying one after the other
    health.router,
    deepsearch.router,
    segment.router,
    rerank.router,
    classification.router,
    cohere.router,
    batches.router,
    finetunes.router,
    models.router,
    reader.router,
    search.router,
    svip.router,
    grounding.router,
    accounts.router,
    mcp.router,
    sagemaker.router,
    methods.router,
)
