"""How a service is set up: every setting, in frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from jina_components.errors import ConfigError
from jina_components.models.catalog import DEFAULT_EMBEDDER, DEFAULT_RERANKER
from jina_components.service.limits.tiers import TIERS, Tier
from jina_components.service.names import plain_name

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one request, and all of them together, may take.

    Attributes:
        max_items: Inputs of a request for embeddings; of one to classify, twice as many.
        max_documents: Documents of a request to rerank.
        max_body_bytes: Body of a request.
        max_upload_bytes: Body of a request to the Reader, which may hold a file.
        max_in_flight: Requests in work or waiting; those beyond are told to come again (503).
        max_in_flight_bytes: Bodies of all of them together; likewise.
        max_in_flight_per_client: Requests of one address or key; those beyond are told to come again (429).
        timeout: Seconds a request may take; None for no limit.
        long_timeout: The same, of those that read, search or reason: `/r/`, `/s/`, `/g/` and chat completions.
        body_timeout: Seconds in which a body has to arrive.

    Raises:
        ConfigError: a limit is not positive.
    """

    max_items: int = 512
    max_documents: int = 2048
    max_body_bytes: int = 32 * MIB
    max_upload_bytes: int = 102 * MIB
    max_in_flight: int = 1024
    max_in_flight_bytes: int = 512 * MIB
    max_in_flight_per_client: int = 512
    timeout: float | None = 120.0
    long_timeout: float | None = 1800.0
    body_timeout: float = 60.0

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if (value := getattr(self, name)) is not None and not value > 0:
                raise ConfigError(f"limits.{name} must be positive, got {value!r}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSettings:
    """Settings of a service.

    Attributes:
        data: Folder of what lasts: trained classifiers, batches, pages read; made when it is needed.
        aliases: By a name that clients ask for, the model that answers: a catalog name, a folder or a hub id. Other
            names are those of the catalog; a client can never name a folder or a hub id by itself.
        stand_ins: By the name of a model that is not here, the bundled one that answers in its place; answers say so in
            `X-Served-By`. Those of `aliases` are left out.
        only: The only models of embeddings and reranking that are served, by names of `aliases`, `stand_ins` or the
            catalog; empty for all. It leaves deep search alone, and the models inside the service.
        embedder: Model of embeddings inside the service: pages remembered, deep search.
        reranker: Likewise, of passages.
        device, precision, backend: How the models run that clients ask for; see `Embedder`. Those of the service itself
            (`embedder`, `reranker`) run by their defaults.
        truncate: Whether of a text over a model's context the head is taken where a request does not say: for
            embeddings, and to rerank. Batches refuse such texts unless they are told to cut them.
        offline: Never ask the hub for weights.
        warm_up: Names of models to load before the service is ready.
        idle_seconds: A model that nobody asked for so long gives its memory back; None to keep all.
        read_pages: Whether pages read by `/r/` are found again by `/s/`.
        allow_networks: Networks, in CIDR form, that URLs of clients may reach although they are not public.
        allow_origins: Web sites whose scripts may call the service (CORS); `("*",)` for all. None for all, or for none
            where `allow_networks` or documents of one's own let the service tell what a web site could not find out.
        cache_tolerance: Age in seconds up to which a page fetched before is served again.
        limits: What requests may take.
        needs_keys: Whether who asks needs a key, whose balance is charged.
        database_url: Where keys, their ledger and batches are kept: `sqlite:///FOLDER/FILE`, or
            `postgresql://USER:PASSWORD@HOST:PORT/NAME`, which several machines may share. Empty for a file in `data`.
        limits_url: Where requests are counted, against the limits of keys: `redis://HOST:PORT`, which several processes
            may share; empty for the memory of this one.
        pages_url: Where pages read are kept: a server of Milvus, `http://HOST:PORT`; empty for a folder in `data`.
        tiers: What the keys of each tier may ask for; "none" is for those who have no key.
        playground: Whether there is one at `/`, where the extra `playground` is installed.
        finetunes: Whether clients may have models fitted to their documents, one at a time, in a process beside the
            service; it takes the extra `train`.
        mcp: Whether there are tools of the Model Context Protocol at `/mcp`, where the extra `mcp` is installed.

    Raises:
        ConfigError: a setting makes no sense.
    """

    data: Path
    aliases: Mapping[str, str] = field(default_factory=dict, hash=False)
    stand_ins: Mapping[str, str] = field(default_factory=dict, hash=False)
    only: tuple[str, ...] = ()
    embedder: str = DEFAULT_EMBEDDER
    reranker: str = DEFAULT_RERANKER
    backend: str = "auto"
    device: str = "auto"
    precision: str = "auto"
    truncate: bool = False
    offline: bool = False
    warm_up: tuple[str, ...] = (DEFAULT_EMBEDDER, DEFAULT_RERANKER)
    idle_seconds: float | None = 900.0
    read_pages: bool = True
    allow_networks: tuple[str, ...] = ()
    allow_origins: tuple[str, ...] | None = None
    cache_tolerance: float = 3600.0
    limits: Limits = Limits()
    needs_keys: bool = False
    database_url: str = field(default="", repr=False)
    limits_url: str = field(default="", repr=False)
    pages_url: str = ""
    tiers: Mapping[str, Tier] = field(default_factory=lambda: TIERS, hash=False)
    playground: bool = True
    finetunes: bool = False
    mcp: bool = True

    @property
    def database(self) -> str:
        """The URL of the database."""
        return self.database_url or f"sqlite:///{self.data / 'service.sqlite3'}"

    def __post_init__(self) -> None:
        object.__setattr__(self, "data", Path(self.data))
        aliases = {plain_name(name): target for name, target in self.aliases.items()}
        stand_ins = {plain_name(name): target for name, target in self.stand_ins.items()}
        object.__setattr__(self, "aliases", aliases)
        object.__setattr__(self, "stand_ins", {name: stand_ins[name] for name in stand_ins if name not in aliases})
        object.__setattr__(self, "only", tuple(map(plain_name, self.only)))
        if self.idle_seconds is not None and not self.idle_seconds > 0:
            raise ConfigError(f"idle_seconds must be positive or None, got {self.idle_seconds!r}.")
        if self.cache_tolerance < 0:
            raise ConfigError(f"cache_tolerance must not be negative, got {self.cache_tolerance!r}.")
