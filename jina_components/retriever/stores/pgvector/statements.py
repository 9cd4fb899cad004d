"""The SQL of the store: names are filled in as quoted identifiers, values are bound parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, LiteralString

from jina_components.retriever.stores.shadow import Compare, Expression, Has

if TYPE_CHECKING:
    from psycopg.sql import Composable, Composed

TABLES: Final = ("documents", "terms", "notes", "state")
"""Each statement's names; the table of documents has the caller's name, the others that and a suffix."""

# One lock for all stores, since the extension is the database's.
LOCK_CREATION: Final = "select pg_advisory_xact_lock(hashtextextended('jina_components', 0))"

CREATE_NOTES: Final = "create table if not exists {notes} (name text primary key, text text not null)"

CREATE_EXTENSION: Final = "create extension if not exists vector"

# `terms` holds the document's side of the postings, so that deleting it finds them by their primary key.
CREATE_DOCUMENTS: Final = """
create table {documents} (
    row bigint primary key,
    key uuid not null unique,
    document json not null,
    length integer not null,
    terms bigint[] not null,
    tokens bigint[] not null,
    bounds jsonb not null
    {vector}
)"""

VECTOR: Final = ", vector vector({width}) not null"

CREATE_TOKENS_INDEX: Final = "create index on {documents} using gin (tokens)"

# The length stands in every posting, so that BM25 is answered by this index alone.
CREATE_TERMS: Final = """
create table {terms} (
    term bigint not null,
    row bigint not null,
    count integer not null,
    length integer not null,
    primary key (term, row) include (count, length)
)"""

CREATE_STATE: Final = """
create table if not exists {state} (
    one boolean primary key default true check (one),
    width integer,
    documents bigint not null default 0,
    length bigint not null default 0,
    next_row bigint not null default 0,
    has_index boolean not null default false,
    stemming text
)"""

CREATE_HNSW: Final = "create index on {documents} using hnsw (vector vector_ip_ops)"

EXISTS: Final = "select to_regclass(%s) is not null"

INSERT_STATE: Final = """
insert into {state} (width, stemming) values (%s, %s) on conflict (one) do nothing returning one"""

STATE: Final = "select width, documents, has_index, next_row, stemming from {state}"

LOCK_STATE: Final = STATE + " for update"

UPDATE_STATE: Final = """
update {state} set documents = documents + %s, length = length + %s, next_row = next_row + %s"""

SET_HAS_INDEX: Final = "update {state} set has_index = true"

COPY_DOCUMENTS: Final = """
copy {documents} (row, key, document, length, terms, tokens, bounds {vector}) from stdin"""

COPY_TERMS: Final = "copy {terms} (term, row, count, length) from stdin"

DELETE: Final = """
with gone as (
    delete from {documents} as d where {where} returning d.row, d.length, d.terms
), gone_terms as (
    delete from {terms} as t using (select row, unnest(terms) as term from gone) as g
    where t.term = g.term and t.row = g.row
)
select count(*), coalesce(sum(length), 0) from gone"""

_DENSE: Final = "select d.row, -(d.vector <#> %(query)s::vector) from {documents} as d where {where} order by "

DENSE: Final = _DENSE + "d.vector <#> %(query)s::vector limit %(k)s"

# The HNSW index does not know this order.
DENSE_EXACT: Final = _DENSE + "(d.vector <#> %(query)s::vector) + 0, d.row limit %(k)s"

SETTING: Final = "select set_config(%s, %s, true)"

EXTENSION_VERSION: Final = "select extversion from pg_extension where extname = 'vector'"

# Lucene's BM25 with k1 = 0.9 and b = 0.4; a filter chooses documents, the statistics are those of all. Each term's
# postings are read by the index: left to itself, the planner reads them all, since it cannot know a term's frequency.
LEXICAL: Final = """
select h.row, sum(
    q.times * ln(1 + (s.documents - h.frequency + 0.5::float8) / (h.frequency + 0.5::float8))
    * h.count * 1.9::float8 / (h.count + 0.54::float8 + 0.36::float8 * h.length * s.documents / s.length)
) as score
from unnest(%(terms)s::bigint[], %(counts)s::integer[]) as q (term, times)
cross join {state} as s
cross join lateral (
    select t.row, t.count, t.length, count(*) over () as frequency from {terms} as t where t.term = q.term
) as h
where {where} group by h.row order by score desc, h.row limit %(k)s"""

OF_MATCHING: Final = "h.row in (select d.row from {documents} as d where {where})"

GET: Final = "select d.row, d.document::text from {documents} as d where d.row = any(%s::bigint[])"

GET_VECTORS: Final = "select d.row, d.vector::text from {documents} as d where d.row = any(%s::bigint[])"

SCAN: Final = """
select d.row, d.document::text from {documents} as d where d.row > %(after)s and {where}
order by d.row limit %(page)s"""

COUNT: Final = "select count(*) from {documents} as d where {where}"

ROWS_OF: Final = "select d.key::text, d.row from {documents} as d where d.key = any(%s::uuid[])"

GET_NOTE: Final = "select text from {notes} where name = %s"

SET_NOTE: Final = """
insert into {notes} values (%s, %s) on conflict (name) do update set text = excluded.text"""

_OPERATORS: dict[str, LiteralString] = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">=", "eq": "="}


def names(table: str) -> dict[str, Composed | Composable]:
    """The identifiers of a store's tables, by `TABLES`; a dot in `table` is that between schema and table."""
    from psycopg import sql

    *schema, name = table.split(".")
    suffixes = {part: "" if part == "documents" else f"_{part}" for part in TABLES}
    return {part: sql.Identifier(*schema, name + suffix) for part, suffix in suffixes.items()}


def condition(expression: Expression | None, parameters: dict[str, Any]) -> Composed:
    """A filter on the documents `d`; adds what it compares with to the parameters."""
    from psycopg import sql

    if expression is None:
        return sql.SQL("true").format()
    name = f"p{len(parameters)}"
    if isinstance(expression, Has):
        parameters[name] = list(expression.tokens)
        form: LiteralString = "not (d.tokens && {}::bigint[])" if expression.negated else "d.tokens && {}::bigint[]"
        return sql.SQL(form).format(sql.Placeholder(name))
    if isinstance(expression, Compare):
        parameters |= {name: expression.value, f"{name}_key": expression.key}
        comparison: LiteralString = f"(d.bounds ->> {{}}::text)::float8 {_OPERATORS[expression.operator]} {{}}::float8"
        return sql.SQL(comparison).format(sql.Placeholder(f"{name}_key"), sql.Placeholder(name))
    parts = [condition(part, parameters) for part in expression.parts]
    return sql.SQL("({})").format(sql.SQL(" and " if expression.every else " or ").join(parts))
