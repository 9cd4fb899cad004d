r"""Filters on the metadata of documents, with one meaning in every store.

Two forms say the same. Typed, made by `Field` and joined by `&`, `|` and `~`:

    (Field("year") >= 2020) & Field("lang").is_in(["en", "de"]) & ~(Field("author.name") == "Anon")

and plain JSON, which travels (after MongoDB's query language, which LangChain's and most stores' users know):

    {"year": {"$gte": 2020}, "lang": ["en", "de"], "$not": {"author.name": "Anon"}}

A field is a path of names with dots between them; a dot of a name itself is written `\.`, a backslash `\\`, and in the
plain form a `$` that begins a path `\$`. Its values are the JSON value there, or each item where that is a list; a path
does not lead through lists. What matches:

    eq, in        one of the values is the one wanted, or one of those wanted; 1 equals 1.0, but not true
    lt lte gt gte   one of the values is a number below, …, the number wanted
    exists        the document has the field, be it null or an empty list
    ne, not in    whatever eq and in do not match, so also a document without the field

Wanted values are str, int, float, bool or None. A `date` or `datetime` compares, in every operator, with the strings
that are ISO 8601 dates, as instants: a date is its midnight, a time without a zone is UTC (`parse_instant` says which
strings those are). Other strings have no order.

The operators of the plain form are `$eq $ne $in $nin $lt $lte $gt $gte $exists` in a field, and `$and $or $not` around
filters. A bare value is `$eq`, a bare list `$in`; all entries of a mapping have to match, so `{}` matches every
document. A date that travels as JSON is `{"$date": "2024-05-01"}`.

`matches` is the reference; `flatten` makes of metadata what stores of other engines index so as to agree with it.
"""

from jina_components.filters.flat import Bound, FlatMetadata, bound_of, flatten, tokens_of
from jina_components.filters.meaning import matches, parse_instant, predicate, values_at
from jina_components.filters.plain import FilterLike, as_filter, to_json
from jina_components.filters.typed import And, Condition, Field, Filter, Not, Operator, Or, Scalar

__all__ = [
    "And",
    "Bound",
    "Condition",
    "Field",
    "Filter",
    "FilterLike",
    "FlatMetadata",
    "Not",
    "Operator",
    "Or",
    "Scalar",
    "as_filter",
    "bound_of",
    "flatten",
    "matches",
    "parse_instant",
    "predicate",
    "to_json",
    "tokens_of",
    "values_at",
]
