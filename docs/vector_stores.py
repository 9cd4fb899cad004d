"""Our embeddings in vector stores: a row a store, from which its page and its tests are made."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class VectorStore:
    """A store, and how it is filled and asked.

    Attributes:
        name: The store.
        packages: What pip installs for it, beside this package.
        code: Fills it with two texts, and prints the one about tides.
        tested: Whether it runs in this process, so that the tests run the code as it stands.
    """

    name: str
    packages: str
    code: str
    tested: bool = False


_TEXTS = 'texts = ["The moon pulls the water of the sea.", "Bread is made of flour, water, salt and yeast."]'

STORES = (
    VectorStore(
        name="Chroma",
        packages="chromadb",
        code=f"""
import chromadb
from chroma_jina_components import JinaEmbeddingFunction

{_TEXTS}
client = chromadb.PersistentClient("chroma")
notes = client.get_or_create_collection("notes", embedding_function=JinaEmbeddingFunction())
notes.upsert(ids=["tides", "bread"], documents=texts)
print(notes.query(query_texts=["Why are there tides?"], n_results=1)["documents"][0][0])
""",
        tested=True,
    ),
    VectorStore(
        name="LanceDB",
        packages="lancedb",
        code=f"""
import lancedb
from jina_components import Embedder

{_TEXTS}
embedder = Embedder()
rows = [
    {{"text": text, "vector": vector}} for text, vector in zip(texts, embedder.embed_documents(texts), strict=True)
]
table = lancedb.connect("lance").create_table("notes", rows)
hits = table.search(embedder.embed_query("Why are there tides?")).distance_type("cosine").limit(1)
print(hits.to_list()[0]["text"])
""",
        tested=True,
    ),
    VectorStore(
        name="Qdrant",
        packages="langchain-qdrant",
        code=f"""
from langchain_jina_components import JinaEmbeddings
from langchain_qdrant import QdrantVectorStore

{_TEXTS}
store = QdrantVectorStore.from_texts(texts, JinaEmbeddings(), path="qdrant", collection_name="notes")  # or url="http://…"
print(store.similarity_search("Why are there tides?", k=1)[0].page_content)
store.client.close()
""",
        tested=True,
    ),
    VectorStore(
        name="Milvus",
        packages="langchain-milvus milvus-lite",
        code=f"""
from langchain_jina_components import JinaEmbeddings
from langchain_milvus import Milvus

{_TEXTS}
store = Milvus.from_texts(texts, JinaEmbeddings(), connection_args={{"uri": "notes.db"}})  # or "http://…:19530"
print(store.similarity_search("Why are there tides?", k=1)[0].page_content)
store.client.close()
""",
        tested=True,
    ),
    VectorStore(
        name="MongoDB Atlas",
        packages="langchain-mongodb",
        code=f"""
from langchain_jina_components import JinaEmbeddings
from langchain_mongodb.vectorstores import MongoDBAtlasVectorSearch

{_TEXTS}
embeddings = JinaEmbeddings()
store = MongoDBAtlasVectorSearch.from_connection_string("mongodb+srv://…", "notes.texts", embeddings)
store.create_vector_search_index(dimensions=len(embeddings.embed_query("tides")), wait_until_complete=60)
store.add_texts(texts)
print(store.similarity_search("Why are there tides?", k=1)[0].page_content)
""",
    ),
    VectorStore(
        name="DataStax Astra DB",
        packages="langchain-astradb",
        code=f"""
from langchain_astradb import AstraDBVectorStore
from langchain_jina_components import JinaEmbeddings

{_TEXTS}
store = AstraDBVectorStore(
    collection_name="notes",
    embedding=JinaEmbeddings(),
    api_endpoint="https://….apps.astra.datastax.com",
    token="AstraCS:…",
)
store.add_texts(texts)
print(store.similarity_search("Why are there tides?", k=1)[0].page_content)
""",
    ),
    VectorStore(
        name="Pinecone",
        packages="langchain-pinecone",
        code=f"""
from langchain_jina_components import JinaEmbeddings
from langchain_pinecone import PineconeVectorStore
from pinecone import Pinecone, ServerlessSpec

{_TEXTS}
embeddings = JinaEmbeddings()
client = Pinecone(api_key="…")
spec = ServerlessSpec(cloud="aws", region="us-east-1")
client.create_index("notes", dimension=len(embeddings.embed_query("tides")), metric="cosine", spec=spec)
store = PineconeVectorStore(index=client.Index("notes"), embedding=embeddings)
store.add_texts(texts)
# A moment later, as writes are not seen at once:
print(store.similarity_search("Why are there tides?", k=1)[0].page_content)
""",
    ),
    VectorStore(
        name="Weaviate",
        packages="langchain-weaviate",
        code=f"""
import weaviate
from langchain_jina_components import JinaEmbeddings
from langchain_weaviate import WeaviateVectorStore

{_TEXTS}
with weaviate.connect_to_local() as client:
    store = WeaviateVectorStore(client=client, index_name="Notes", text_key="text", embedding=JinaEmbeddings())
    store.add_texts(texts)
    print(store.similarity_search("Why are there tides?", k=1)[0].page_content)
""",
    ),
    VectorStore(
        name="Elasticsearch",
        packages="langchain-elasticsearch",
        code=f"""
from langchain_elasticsearch import ElasticsearchStore
from langchain_jina_components import JinaEmbeddings

{_TEXTS}
store = ElasticsearchStore("notes", embedding=JinaEmbeddings(), es_url="http://localhost:9200")
store.add_texts(texts)
print(store.similarity_search("Why are there tides?", k=1)[0].page_content)
""",
    ),
    VectorStore(
        name="TiDB",
        packages="pytidb",
        code=f"""
from jina_components import Embedder
from pytidb import TiDBClient
from pytidb.schema import Field, TableModel, VectorField

{_TEXTS}
embedder = Embedder()


class Note(TableModel):
    __tablename__ = "notes"
    id: int | None = Field(default=None, primary_key=True)
    text: str
    vector: list[float] = VectorField(dimensions=embedder.dimensions)


table = TiDBClient.connect(host="localhost").create_table(schema=Note, if_exists="skip")
vectors = embedder.embed_documents(texts).tolist()
table.bulk_insert([Note(text=text, vector=vector) for text, vector in zip(texts, vectors, strict=True)])
hits = table.search(embedder.embed_query("Why are there tides?").tolist()).limit(1)
print(hits.to_list()[0]["text"])
""",
    ),
    VectorStore(
        name="MyScale",
        packages="clickhouse-connect",
        code=f"""
import clickhouse_connect
from jina_components import Embedder

{_TEXTS}
embedder = Embedder()
client = clickhouse_connect.get_client(host="….aws.myscale.com", port=443, username="…", password="…")
client.command(f'''
    CREATE TABLE IF NOT EXISTS notes (
        id UInt32, text String, vector Array(Float32),
        CONSTRAINT width CHECK length(vector) = {{embedder.dimensions}},
        VECTOR INDEX by_vector vector TYPE MSTG('metric_type=Cosine')
    ) ENGINE = MergeTree ORDER BY id
''')
rows = zip(range(len(texts)), texts, embedder.embed_documents(texts).tolist(), strict=True)
client.insert("notes", [*map(list, rows)], column_names=["id", "text", "vector"])
asked = embedder.embed_query("Why are there tides?").tolist()
hits = client.query(f"SELECT text FROM notes ORDER BY distance(vector, {{asked}}) LIMIT 1")  # numbers alone
print(hits.result_rows[0][0])
""",  # noqa: S608
    ),
    VectorStore(
        name="Epsilla",
        packages="pyepsilla",
        code=f"""
from jina_components import Embedder
from pyepsilla import vectordb

{_TEXTS}
embedder = Embedder()
client = vectordb.Client(host="localhost", port="8888")
client.load_db(db_name="notes", db_path="/tmp/epsilla")
client.use_db(db_name="notes")
client.create_table("texts", table_fields=[
    {{"name": "text", "dataType": "STRING"}},
    {{"name": "vector", "dataType": "VECTOR_FLOAT", "dimensions": embedder.dimensions, "metricType": "COSINE"}},
])
vectors = embedder.embed_documents(texts).tolist()
client.insert("texts", [{{"text": text, "vector": vector}} for text, vector in zip(texts, vectors, strict=True)])
asked = embedder.embed_query("Why are there tides?").tolist()
status, answer = client.query("texts", query_field="vector", query_vector=asked, limit=1)
print(answer["result"][0]["text"])
""",
    ),
    VectorStore(
        name="DashVector",
        packages="dashvector",
        code=f"""
import dashvector
from jina_components import Embedder

{_TEXTS}
embedder = Embedder()
client = dashvector.Client(api_key="…", endpoint="….aliyuncs.com")
client.create("notes", dimension=embedder.dimensions, metric="cosine", fields_schema={{"text": str}})
notes = client.get("notes")
vectors = embedder.embed_documents(texts)
notes.insert([(text[:4], vector, {{"text": text}}) for text, vector in zip(texts, vectors, strict=True)])
hits = notes.query(embedder.embed_query("Why are there tides?"), topk=1)
print(hits.output[0].fields["text"])
""",
    ),
)  # fmt: skip
