"""Rows of the catalog: the open checkpoints of Jina AI (https://huggingface.co/jinaai)."""

from __future__ import annotations

from jina_components.models.catalog_others import SIGMOID
from jina_components.models.spec import ModelSpec

_CC_BY_NC = "CC-BY-NC-4.0"
_NO_BAR = 0.0  # where no threshold is published
_MAXSIM = "mean over the query's 32 tokens of the best cosine with a token of the document, -1 to 1"

# Languages: those that XLM-RoBERTa, which v3 grew from, was trained on; the others as MTEB's registry lists them.
_V3_LANGUAGES = (
    "af am ar as az be bg bn br bs ca cs cy da de el en eo es et eu fa fi fr fy ga gd gl gu ha he hi hr hu hy id is it "
    "ja jv ka kk km kn ko ku ky la lo lt lv mg mk ml mn mr ms my ne nl no om or pa pl ps pt ro ru sa sd si sk sl so sq "
    "sr su sv sw ta te th tl tr ug uk ur uz vi xh yi zh"
)
_V5_LANGUAGES = (
    "af ar az be bg bn ca ceb cs cy da de el en es et eu fa fi fr gl gu he hi hr ht hu hy id is it ja jv ka kk km kn "
    "ko ky lo lt lv mk ml mn mr ms my nb ne nl nn no pa pl pt qu ro ru si sk sl sw ta te th tl tr uk ur vi yo zh"
)
_COLBERT_LANGUAGES = "ar bn de en es fa fi fr hi id it ja ko nl pt ru sw te th vi yo zh"

# Prompts and adapters as the checkpoints' cards and configurations have them. Generic tasks that a checkpoint was not
# trained for take what is nearest among its own.
_V3_QUERY = "Represent the query for retrieving evidence documents: "
_V3_PROMPTS = {"retrieval.query": _V3_QUERY, "retrieval.passage": "Represent the document for retrieval: "}
_V3_ADAPTERS = {
    task: task for task in ("retrieval.query", "retrieval.passage", "text-matching", "classification", "separation")
}
_V4_PROMPTS = {
    "retrieval.query": "Query: ",
    "retrieval.passage": "Passage: ",
    "text-matching": "Query: ",
    "classification": "Query: ",
    "separation": "Query: ",
    "code.query": "Query: ",
    "code.passage": "Passage: ",
}
_V4_ADAPTERS = {
    "retrieval.query": "retrieval",
    "retrieval.passage": "retrieval",
    "text-matching": "text-matching",
    "classification": "text-matching",
    "separation": "text-matching",
    "code.query": "code",
    "code.passage": "code",
}
_V5_ADAPTERS = {
    "retrieval.query": "retrieval",
    "retrieval.passage": "retrieval",
    "text-matching": "text-matching",
    "classification": "classification",
    "separation": "clustering",
    "clustering": "clustering",
}
_V5_PROMPTS = {**dict.fromkeys(_V5_ADAPTERS, "Document: "), "retrieval.query": "Query: "}
_CODE_PROMPTS = {
    "nl2code.query": "Find the most relevant code snippet given the following query:\n",
    "nl2code.passage": "Candidate code snippet:\n",
    "qa.query": "Find the most relevant answer given the following question:\n",
    "qa.passage": "Candidate answer:\n",
    "code2code.query": "Find an equivalent code snippet given the following code snippet:\n",
    "code2code.passage": "Candidate code snippet:\n",
    "code2nl.query": "Find the most relevant comment given the following code snippet:\n",
    "code2nl.passage": "Candidate comment:\n",
    "code2completion.query": "Find the most relevant completion given the following start of code snippet:\n",
    "code2completion.passage": "Candidate completion:\n",
}
_CODE_PROMPTS |= {f"retrieval.{side}": _CODE_PROMPTS[f"nl2code.{side}"] for side in ("query", "passage")}
# The one adapter of jina-clip-v2 is on for whatever it embeds; only the prompt is the query's alone.
_CLIP2_ADAPTERS = dict.fromkeys(_V3_ADAPTERS, "retrieval.query")
# The first models for reading take HTML alone, with no instruction around it.
_BARE_HTML = {"html": "", "json": ""}

# Commits as in MTEB's registry (mteb 2.26, Apache-2.0) or newer ones that public projects pin; "main" where none is
# known. Sizes with all adapters, as counted in the files or computed from their shapes.
JINA_MODELS: tuple[ModelSpec, ...] = (
    ModelSpec(
        name="jina-embeddings-v2-small-en", kind="embedding", hub_id="jinaai/jina-embeddings-v2-small-en",
        revision="44e7d1d6caec8c883c2d4b207588504d519788d0", parameters=32_690_688, dimensions=512, context=8192,
        license="Apache-2.0",
    ),
    ModelSpec(
        name="jina-embeddings-v2-base-en", kind="embedding", hub_id="jinaai/jina-embeddings-v2-base-en",
        revision="6e85f575bc273f1fd840a658067d0157933c83f0", parameters=137_368_320, dimensions=768, context=8192,
        license="Apache-2.0",
    ),
    ModelSpec(
        name="jina-embeddings-v2-base-de", kind="embedding", hub_id="jinaai/jina-embeddings-v2-base-de",
        revision="3f9eede875721714945b6a99a3198299243cf2be", parameters=160_813_824, dimensions=768, context=8192,
        languages=("de", "en"), license="Apache-2.0",
    ),
    ModelSpec(
        name="jina-embeddings-v2-base-zh", kind="embedding", hub_id="jinaai/jina-embeddings-v2-base-zh",
        revision="998b9133910ffcb127a7bff233f41db6ed9be4d2", parameters=160_813_824, dimensions=768, context=8192,
        languages=("zh", "en"), license="Apache-2.0",
    ),
    ModelSpec(
        name="jina-embeddings-v2-base-es", kind="embedding", hub_id="jinaai/jina-embeddings-v2-base-es",
        revision="f9c58073d3dc22d25e2f756562a229d313535f90", parameters=161_000_000, dimensions=768, context=8192,
        languages=("es", "en"), license="Apache-2.0",
    ),
    ModelSpec(
        name="jina-embeddings-v2-base-code", kind="embedding", hub_id="jinaai/jina-embeddings-v2-base-code",
        revision="516f4baf13dec4ddddda8631e019b5737c8bc250", parameters=160_869_120, dimensions=768, context=8192,
        license="Apache-2.0",
    ),
    ModelSpec(
        name="jina-embeddings-v3", kind="embedding", hub_id="jinaai/jina-embeddings-v3",
        revision="ab036b023d30b4d1138c4c3bfa9f0c445ab455d6", parameters=572_310_396, dimensions=1024,
        matryoshka=(1024, 768, 512, 256, 128, 64, 32), prompts=_V3_PROMPTS, adapters=_V3_ADAPTERS, context=8192,
        languages=tuple(_V3_LANGUAGES.split()), pooling="mean", license=_CC_BY_NC,
    ),
    # First published as CC-BY-NC-4.0 by mistake, says its card: Qwen2.5-VL-3B, which it grew from, is under the Qwen
    # Research License, which excludes commercial use too and has no SPDX id.
    ModelSpec(
        name="jina-embeddings-v4", kind="embedding", hub_id="jinaai/jina-embeddings-v4",
        revision="4a58ca57710c49f51896e4bc820e202fbf64904b", parameters=3_934_695_552, dimensions=2048,
        matryoshka=(2048, 1024, 512, 256, 128), token_dimensions=(128,), prompts=_V4_PROMPTS, adapters=_V4_ADAPTERS,
        default_task="text-matching", modalities=("text", "image"), tile=(28, 28), tile_tokens=10, context=32768,
        languages=("mul",), license="LicenseRef-Qwen-Research-NC",
    ),
    ModelSpec(
        name="jina-embeddings-v5-text-small", kind="embedding", hub_id="jinaai/jina-embeddings-v5-text-small",
        revision="dd76d535f5447ca3897a9c893fb1e612ead98192", parameters=676_790_272, dimensions=1024,
        matryoshka=(1024, 768, 512, 256, 128, 64, 32), prompts=_V5_PROMPTS, adapters=_V5_ADAPTERS,
        default_task="text-matching", context=32768, languages=tuple(_V5_LANGUAGES.split()),
        pooling="lasttoken", license=_CC_BY_NC,
    ),
    ModelSpec(
        name="jina-embeddings-v5-text-nano", kind="embedding", hub_id="jinaai/jina-embeddings-v5-text-nano",
        revision="4c1f9846bb85490df1d9e535834cf00ceb33823b", parameters=238_897_920, dimensions=768,
        matryoshka=(768, 512, 256, 128, 64, 32), prompts=_V5_PROMPTS, adapters=_V5_ADAPTERS,
        default_task="text-matching", context=8192, languages=tuple(_V5_LANGUAGES.split()),
        pooling="lasttoken", license=_CC_BY_NC,
    ),
    ModelSpec(
        name="jina-code-embeddings-0.5b", kind="embedding", hub_id="jinaai/jina-code-embeddings-0.5b",
        revision="4db235132dafbe56a8b9c5f59b59795ecf58a4a7", parameters=494_032_768, dimensions=896,
        matryoshka=(896, 512, 256, 128, 64), prompts=_CODE_PROMPTS, default_task="nl2code.query", context=32768,
        pooling="lasttoken", license=_CC_BY_NC,
    ),
    ModelSpec(
        name="jina-code-embeddings-1.5b", kind="embedding", hub_id="jinaai/jina-code-embeddings-1.5b", revision="main",
        parameters=1_543_714_304, dimensions=1536, matryoshka=(1536, 1024, 512, 256, 128), prompts=_CODE_PROMPTS,
        default_task="nl2code.query", context=32768, pooling="lasttoken", license=_CC_BY_NC,
    ),
    ModelSpec(
        name="jina-clip-v1", kind="embedding", hub_id="jinaai/jina-clip-v1",
        revision="06150c7c382d7a4faedc7d5a0d8cdb59308968f4", parameters=222_647_041, dimensions=768,
        modalities=("text", "image"), tile=(224, 224), tile_tokens=1000, context=8192, pooling="mean",
        license="Apache-2.0",
    ),
    ModelSpec(
        name="jina-clip-v2", kind="embedding", hub_id="jinaai/jina-clip-v2",
        revision="344d954da76eb8ad47a7aaff42d012e30c15b8fe", parameters=865_278_477, dimensions=1024,
        matryoshka=(1024, 768, 512, 256, 128, 64), prompts={"retrieval.query": _V3_QUERY}, adapters=_CLIP2_ADAPTERS,
        default_task="text-matching", modalities=("text", "image"), tile=(512, 512), tile_tokens=4000, context=8192,
        languages=("mul",), pooling="mean", license=_CC_BY_NC,
    ),
    ModelSpec(
        name="jina-colbert-v1-en", kind="late-interaction", hub_id="jinaai/jina-colbert-v1-en",
        revision="c7ba4e1a885f40d640b533b605a58c83ef107105", parameters=137_466_624, token_dimensions=(128,),
        context=8192, license="Apache-2.0", score=_MAXSIM, bar=_NO_BAR,
    ),
    ModelSpec(
        name="jina-colbert-v2", kind="late-interaction", hub_id="jinaai/jina-colbert-v2",
        revision="4cf816e5e2b03167b132a3c847a9ecd48ba708e1", parameters=559_497_216, token_dimensions=(128, 96, 64),
        context=8192, languages=tuple(_COLBERT_LANGUAGES.split()), license=_CC_BY_NC,
        score=_MAXSIM, bar=_NO_BAR,
    ),
    ModelSpec(
        name="jina-reranker-v1-tiny-en", kind="cross-encoder", hub_id="jinaai/jina-reranker-v1-tiny-en",
        revision="28c62809688f0fe1f6c0e33a9452a4cd7e3a2d5e", parameters=33_046_273, context=8192,
        license="Apache-2.0", score=SIGMOID,
    ),
    ModelSpec(
        name="jina-reranker-v1-turbo-en", kind="cross-encoder", hub_id="jinaai/jina-reranker-v1-turbo-en",
        revision="5ee87fc5b391be5f22dfe3b63503e8b81fdcd12c", parameters=37_771_777, context=8192,
        license="Apache-2.0", score=SIGMOID,
    ),
    ModelSpec(
        name="jina-reranker-v2-base-multilingual", kind="cross-encoder",
        hub_id="jinaai/jina-reranker-v2-base-multilingual", revision="126747772a932960028d9f4dc93bd5d9c4869be4",
        parameters=278_437_633, context=1024, languages=("mul",), license=_CC_BY_NC, score=SIGMOID,
    ),
    # A tile is what becomes one token, of the image as the processor has resized it.
    ModelSpec(
        name="jina-reranker-m0", kind="cross-encoder", hub_id="jinaai/jina-reranker-m0",
        revision="94bfe0aeb2d4dd7978362699cddd5893d4e0adc8", parameters=2_444_721_665, modalities=("text", "image"),
        tile=(28, 28), tile_tokens=1, context=10240, languages=("mul",), license=_CC_BY_NC,
        score="sigmoid of the logit less 2.65, 0 to 1",
    ),
    ModelSpec(
        name="jina-reranker-v3", kind="listwise", hub_id="jinaai/jina-reranker-v3",
        revision="050e171c4f75dfec5b648ed8470a2475e5a30f30", parameters=596_836_352, context=131072,
        languages=("mul",), license=_CC_BY_NC, score="cosine of the document with the query, -1 to 1", bar=_NO_BAR,
    ),
    ModelSpec(
        name="ReaderLM-v2", kind="generative", hub_id="jinaai/ReaderLM-v2",
        revision="2a41ea302f1a1bc38dad6773f9b571e6ca6c5714", parameters=1_777_088_000, context=512_000,
        languages=("mul",), license=_CC_BY_NC,
    ),
    ModelSpec(
        name="reader-lm-0.5b", kind="generative", hub_id="jinaai/reader-lm-0.5b",
        revision="46cb69fff9d100f9c3c2a135d59f365fb99a0121", parameters=494_032_768, prompts=_BARE_HTML,
        context=256_000, languages=("mul",), license=_CC_BY_NC,
    ),
    ModelSpec(
        name="reader-lm-1.5b", kind="generative", hub_id="jinaai/reader-lm-1.5b",
        revision="52961e4873c835365ee1e88a88342af1e37e680d", parameters=1_543_714_304, prompts=_BARE_HTML,
        context=256_000, languages=("mul",), license=_CC_BY_NC,
    ),
)  # fmt: skip
