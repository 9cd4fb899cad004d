"""Rows of the catalog: checkpoints of many publishers."""

from __future__ import annotations

from jina_components.models.spec import ModelSpec

SIGMOID = "sigmoid of the logit, 0 to 1"
_SOFTMAX = "softmax of the logits of entailment, neutral and contradiction"

# What the models' cards ask for; the cards of E5 and Nomic ask for a prefix with every task.
_INSTRUCTED_QUERY = {"retrieval.query": "Represent this sentence for searching relevant passages: "}
_ARCTIC2_PROMPTS = {"retrieval.query": "query: "}
_E5_PROMPTS = {
    "retrieval.query": "query: ",
    "retrieval.passage": "passage: ",
    "text-matching": "query: ",
    "classification": "query: ",
    "separation": "query: ",
}
_NOMIC_PROMPTS = {
    "retrieval.query": "search_query: ",
    "retrieval.passage": "search_document: ",
    "text-matching": "classification: ",
    "classification": "classification: ",
    "separation": "clustering: ",
}

# Commits, widths and sizes as in MTEB's registry (mteb 2.26, Apache-2.0) or newer ones named on the models' pages of
# the hub; contexts as in the models' own configuration. "mul" stands for many languages (ISO 639-2).
OTHER_MODELS: tuple[ModelSpec, ...] = (
    ModelSpec(
        name="all-MiniLM-L6-v2", kind="embedding", hub_id="sentence-transformers/all-MiniLM-L6-v2",
        revision="c9745ed1d9f207416be6d2e6f8de32d1f16199bf", parameters=22_713_216, dimensions=384, context=256,
        license="Apache-2.0",
    ),
    ModelSpec(
        name="ms-marco-MiniLM-L6-v2", kind="cross-encoder", hub_id="cross-encoder/ms-marco-MiniLM-L6-v2",
        revision="c5ee24cb16019beea0893ab7796b1df96625c6b8", aliases=("cross-encoder/ms-marco-MiniLM-L-6-v2",),
        parameters=22_713_601, context=512, license="Apache-2.0", score=SIGMOID,
    ),
    ModelSpec(
        name="all-MiniLM-L12-v2", kind="embedding", hub_id="sentence-transformers/all-MiniLM-L12-v2",
        revision="a50ef00143b4d5391434df20ae11632588ac25be", parameters=33_360_000, dimensions=384, context=128,
        license="Apache-2.0",
    ),
    ModelSpec(
        name="all-mpnet-base-v2", kind="embedding", hub_id="sentence-transformers/all-mpnet-base-v2",
        revision="e8c3b32edf5434bc2275fc9bab85f82640a19130", parameters=109_486_464, dimensions=768, context=384,
        license="Apache-2.0",
    ),
    ModelSpec(
        name="paraphrase-multilingual-MiniLM-L12-v2", kind="embedding",
        hub_id="sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2",
        revision="e8f8c211226b894fcb81acc59f3b34ba3efd5f42", parameters=117_653_760, dimensions=384, context=128,
        languages=("mul",), license="Apache-2.0",
    ),
    ModelSpec(
        name="bge-small-en-v1.5", kind="embedding", hub_id="BAAI/bge-small-en-v1.5",
        revision="5c38ec7c405ec4b44b94cc5a9bb96e735b38267a", parameters=33_400_000, dimensions=384, context=512,
        license="MIT", prompts=_INSTRUCTED_QUERY,
    ),
    ModelSpec(
        name="bge-base-en-v1.5", kind="embedding", hub_id="BAAI/bge-base-en-v1.5",
        revision="a5beb1e3e68b9ab74eb54cfd186867f64f240e1a", parameters=109_000_000, dimensions=768, context=512,
        license="MIT", prompts=_INSTRUCTED_QUERY,
    ),
    ModelSpec(
        name="bge-large-en-v1.5", kind="embedding", hub_id="BAAI/bge-large-en-v1.5",
        revision="d4aa6901d3a41ba39fb536a557fa166f842b0e09", parameters=335_000_000, dimensions=1024, context=512,
        license="MIT", prompts=_INSTRUCTED_QUERY,
    ),
    ModelSpec(
        name="e5-small-v2", kind="embedding", hub_id="intfloat/e5-small-v2",
        revision="ffb93f3bd4047442299a41ebb6fa998a38507c52", parameters=33_000_000, dimensions=384, context=512,
        license="MIT", prompts=_E5_PROMPTS,
    ),
    ModelSpec(
        name="e5-base-v2", kind="embedding", hub_id="intfloat/e5-base-v2",
        revision="f52bf8ec8c7124536f0efb74aca902b2995e5bcd", parameters=109_000_000, dimensions=768, context=512,
        license="MIT", prompts=_E5_PROMPTS,
    ),
    ModelSpec(
        name="e5-large-v2", kind="embedding", hub_id="intfloat/e5-large-v2",
        revision="f169b11e22de13617baa190a028a32f3493550b6", parameters=335_000_000, dimensions=1024, context=512,
        license="MIT", prompts=_E5_PROMPTS,
    ),
    ModelSpec(
        name="multilingual-e5-small", kind="embedding", hub_id="intfloat/multilingual-e5-small",
        revision="614241f622f53c4eeff9890bdc4f31cfecc418b3", parameters=118_000_000, dimensions=384, context=512,
        languages=("mul",), license="MIT", prompts=_E5_PROMPTS,
    ),
    ModelSpec(
        name="multilingual-e5-base", kind="embedding", hub_id="intfloat/multilingual-e5-base",
        revision="d128750597153bb5987e10b1c3493a34e5a4502a", parameters=278_000_000, dimensions=768, context=512,
        languages=("mul",), license="MIT", prompts=_E5_PROMPTS,
    ),
    ModelSpec(
        name="multilingual-e5-large", kind="embedding", hub_id="intfloat/multilingual-e5-large",
        revision="3d7cfbdacd47fdda877c5cd8a79fbcc4f2a574f3", parameters=560_000_000, dimensions=1024, context=512,
        languages=("mul",), license="MIT", prompts=_E5_PROMPTS,
    ),
    ModelSpec(
        name="gte-small", kind="embedding", hub_id="thenlper/gte-small",
        revision="17e1f347d17fe144873b1201da91788898c639cd", parameters=33_360_512, dimensions=384, context=512,
        license="MIT",
    ),
    ModelSpec(
        name="gte-base", kind="embedding", hub_id="thenlper/gte-base",
        revision="c078288308d8dee004ab72c6191778064285ec0c", parameters=109_482_752, dimensions=768, context=512,
        license="MIT",
    ),
    ModelSpec(
        name="gte-large", kind="embedding", hub_id="thenlper/gte-large",
        revision="4bef63f39fcc5e2d6b0aae83089f307af4970164", parameters=335_142_400, dimensions=1024, context=512,
        license="MIT",
    ),
    ModelSpec(
        name="gte-modernbert-base", kind="embedding", hub_id="Alibaba-NLP/gte-modernbert-base",
        revision="e7f32e3c00f91d699e8c43b53106206bcc72bb22", parameters=149_014_272, dimensions=768, context=8192,
        license="Apache-2.0",
    ),
    ModelSpec(
        name="mxbai-embed-large-v1", kind="embedding", hub_id="mixedbread-ai/mxbai-embed-large-v1",
        revision="b33106f585b9ce46904ad7443a3b52b7a63e231c", parameters=335_141_888, dimensions=1024,
        matryoshka=(1024, 512), context=512, license="Apache-2.0", prompts=_INSTRUCTED_QUERY,
    ),
    ModelSpec(
        name="nomic-embed-text-v1.5", kind="embedding", hub_id="nomic-ai/nomic-embed-text-v1.5",
        revision="e9b6763023c676ca8431644204f50c2b100d9aab", parameters=136_731_648, dimensions=768,
        matryoshka=(768, 512, 256, 128, 64), context=2048, license="Apache-2.0", prompts=_NOMIC_PROMPTS,
    ),
    ModelSpec(
        name="modernbert-embed-base", kind="embedding", hub_id="nomic-ai/modernbert-embed-base",
        revision="d556a88e332558790b210f7bdbe87da2fa94a8d8", parameters=149_014_272, dimensions=768,
        matryoshka=(768, 256), context=8192, license="Apache-2.0", prompts=_NOMIC_PROMPTS,
    ),
    ModelSpec(
        name="snowflake-arctic-embed-xs", kind="embedding", hub_id="Snowflake/snowflake-arctic-embed-xs",
        revision="d8c86521100d3556476a063fc2342036d45c106f", parameters=22_713_216, dimensions=384, context=512,
        license="Apache-2.0", prompts=_INSTRUCTED_QUERY,
    ),
    ModelSpec(
        name="snowflake-arctic-embed-s", kind="embedding", hub_id="Snowflake/snowflake-arctic-embed-s",
        revision="e596f507467533e48a2e17c007f0e1dacc837b33", parameters=33_360_000, dimensions=384, context=512,
        license="Apache-2.0", prompts=_INSTRUCTED_QUERY,
    ),
    ModelSpec(
        name="snowflake-arctic-embed-m", kind="embedding", hub_id="Snowflake/snowflake-arctic-embed-m",
        revision="fc74610d18462d218e312aa986ec5c8a75a98152", parameters=109_482_240, dimensions=768, context=512,
        license="Apache-2.0", prompts=_INSTRUCTED_QUERY,
    ),
    ModelSpec(
        name="snowflake-arctic-embed-m-v1.5", kind="embedding", hub_id="Snowflake/snowflake-arctic-embed-m-v1.5",
        revision="e58a8f756156a1293d763f17e3aae643474e9b8a", parameters=109_482_240, dimensions=768,
        matryoshka=(768, 256), context=512, license="Apache-2.0", prompts=_INSTRUCTED_QUERY,
    ),
    ModelSpec(
        name="snowflake-arctic-embed-l", kind="embedding", hub_id="Snowflake/snowflake-arctic-embed-l",
        revision="d8fb21ca8d905d2832ee8b96c894d3298964346b", parameters=335_141_888, dimensions=1024, context=512,
        license="Apache-2.0", prompts=_INSTRUCTED_QUERY,
    ),
    ModelSpec(
        name="snowflake-arctic-embed-l-v2.0", kind="embedding", hub_id="Snowflake/snowflake-arctic-embed-l-v2.0",
        revision="ac6544c8a46e00af67e330e85a9028c66b8cfd9a", parameters=567_754_752, dimensions=1024,
        matryoshka=(1024, 256), context=8192, languages=("mul",), license="Apache-2.0", prompts=_ARCTIC2_PROMPTS,
    ),
    ModelSpec(
        name="Qwen3-Embedding-0.6B", kind="embedding", hub_id="Qwen/Qwen3-Embedding-0.6B",
        revision="97b0c614be4d77ee51c0cef4e5f07c00f9eb65b3", parameters=595_776_512, dimensions=1024,
        matryoshka=(1024, 768, 512, 256, 128, 64, 32), context=32768, languages=("mul",), license="Apache-2.0",
    ),
    ModelSpec(
        name="granite-embedding-english-r2", kind="embedding", hub_id="ibm-granite/granite-embedding-english-r2",
        revision="47ea694b257b703fee9253d75c2b1f2985180498", parameters=149_014_272, dimensions=768, context=8192,
        license="Apache-2.0",
    ),
    ModelSpec(
        name="granite-embedding-small-english-r2", kind="embedding",
        hub_id="ibm-granite/granite-embedding-small-english-r2", revision="2ab6fa8ea2d674564defd37171ae19079b864b33",
        parameters=47_662_464, dimensions=384, context=8192, license="Apache-2.0",
    ),
    ModelSpec(
        name="potion-base-2M", kind="embedding", hub_id="minishlab/potion-base-2M",
        revision="389b9f64be5aa4ae7a6bc6fe95ef20ce485ae5da", parameters=2_000_000, dimensions=64, context=8192,
        license="MIT",
    ),
    ModelSpec(
        name="potion-base-4M", kind="embedding", hub_id="minishlab/potion-base-4M",
        revision="9b3cff412d30be9ae8603fe10224c224f3401869", parameters=3_780_000, dimensions=128, context=8192,
        license="MIT",
    ),
    ModelSpec(
        name="potion-base-8M", kind="embedding", hub_id="minishlab/potion-base-8M",
        revision="bf8b056651a2c21b8d2565580b8569da283cab23", parameters=7_560_000, dimensions=256, context=8192,
        license="MIT",
    ),
    ModelSpec(
        name="potion-base-32M", kind="embedding", hub_id="minishlab/potion-base-32M",
        revision="1e5a03f8eeb2c98b928fbbd846f22f816360919f", parameters=32_302_592, dimensions=512, context=8192,
        license="MIT",
    ),
    ModelSpec(
        name="potion-retrieval-32M", kind="embedding", hub_id="minishlab/potion-retrieval-32M",
        revision="6fc8051fab2a1e0ee76689cf08c853792ac285e7", parameters=32_302_592, dimensions=512, context=8192,
        license="MIT",
    ),
    ModelSpec(
        name="potion-multilingual-128M", kind="embedding", hub_id="minishlab/potion-multilingual-128M",
        revision="73908c3438cf03b6a01bcb9611d62b23d0726f08", parameters=128_000_000, dimensions=256, context=8192,
        languages=("mul",), license="MIT",
    ),
    ModelSpec(
        name="ms-marco-TinyBERT-L2-v2", kind="cross-encoder", hub_id="cross-encoder/ms-marco-TinyBERT-L2-v2",
        revision="81d1926f67cb8eee2c2be17ca9f793c7c3bd20cc", aliases=("cross-encoder/ms-marco-TinyBERT-L-2-v2",),
        parameters=4_386_049, context=512, license="Apache-2.0", score=SIGMOID,
    ),
    ModelSpec(
        name="ms-marco-MiniLM-L2-v2", kind="cross-encoder", hub_id="cross-encoder/ms-marco-MiniLM-L2-v2",
        revision="1b5cd67b15209f24824c50370e0397743aa9b787", aliases=("cross-encoder/ms-marco-MiniLM-L-2-v2",),
        parameters=15_615_745, context=512, license="Apache-2.0", score=SIGMOID,
    ),
    ModelSpec(
        name="ms-marco-MiniLM-L4-v2", kind="cross-encoder", hub_id="cross-encoder/ms-marco-MiniLM-L4-v2",
        revision="777b2f369bc1c2f850df8bd367ed1654bda4497b", aliases=("cross-encoder/ms-marco-MiniLM-L-4-v2",),
        parameters=19_164_673, context=512, license="Apache-2.0", score=SIGMOID,
    ),
    ModelSpec(
        name="ms-marco-MiniLM-L12-v2", kind="cross-encoder", hub_id="cross-encoder/ms-marco-MiniLM-L12-v2",
        revision="7b0235231ca2674cb8ca8f022859a6eba2b1c968", aliases=("cross-encoder/ms-marco-MiniLM-L-12-v2",),
        parameters=33_360_385, context=512, license="Apache-2.0", score=SIGMOID,
    ),
    ModelSpec(
        name="bge-reranker-base", kind="cross-encoder", hub_id="BAAI/bge-reranker-base",
        revision="2cfc18c9415c912f9d8155881c133215df768a70", context=512, languages=("en", "zh"), license="MIT",
        score=SIGMOID,
    ),
    ModelSpec(
        name="bge-reranker-large", kind="cross-encoder", hub_id="BAAI/bge-reranker-large",
        revision="55611d7bca2a7133960a6d3b71e083071bbfc312", context=512, languages=("en", "zh"), license="MIT",
        score=SIGMOID,
    ),
    ModelSpec(
        name="bge-reranker-v2-m3", kind="cross-encoder", hub_id="BAAI/bge-reranker-v2-m3",
        revision="953dc6f6f85a1b2dbfca4c34a2796e7dde08d41e", context=8192, languages=("mul",), license="Apache-2.0",
        score=SIGMOID,
    ),
    ModelSpec(
        name="gte-reranker-modernbert-base", kind="cross-encoder", hub_id="Alibaba-NLP/gte-reranker-modernbert-base",
        revision="f7481e6055501a30fb19d090657df9ec1f79ab2c", context=8192, license="Apache-2.0", score=SIGMOID,
    ),
    ModelSpec(
        name="mxbai-rerank-xsmall-v1", kind="cross-encoder", hub_id="mixedbread-ai/mxbai-rerank-xsmall-v1",
        revision="b5c6e9da73abc3711f593f705371cdbe9e0fe422", parameters=70_830_337, context=512, license="Apache-2.0",
        score=SIGMOID,
    ),
    ModelSpec(
        name="mxbai-rerank-base-v1", kind="cross-encoder", hub_id="mixedbread-ai/mxbai-rerank-base-v1",
        revision="800f24c113213a187e65bde9db00c15a2bb12738", parameters=184_422_913, context=512, license="Apache-2.0",
        score=SIGMOID,
    ),
    ModelSpec(
        name="mxbai-rerank-large-v1", kind="cross-encoder", hub_id="mixedbread-ai/mxbai-rerank-large-v1",
        revision="98f655841d5caf0b16eaff79c2b4ca109d920d17", parameters=435_062_785, context=512, license="Apache-2.0",
        score=SIGMOID,
    ),
    # Commit, labels and licence as several public projects pin them.
    ModelSpec(
        name="nli-MiniLM2-L6-H768", kind="cross-encoder", hub_id="cross-encoder/nli-MiniLM2-L6-H768",
        revision="b95119ce93d3e065de6214e38cd4a97b0f2f2c6d", context=512, license="Apache-2.0", score=_SOFTMAX,
        labels=("contradiction", "entailment", "neutral"),
    ),
    ModelSpec(
        name="DeBERTa-v3-base-mnli-fever-anli", kind="cross-encoder",
        hub_id="MoritzLaurer/DeBERTa-v3-base-mnli-fever-anli", revision="eb8b17b1983bca679126ea69b12b5d28c5fe9b9a",
        context=512, license="MIT", score=_SOFTMAX, labels=("entailment", "neutral", "contradiction"),
    ),
    ModelSpec(
        name="static-retrieval-mrl-en-v1", kind="embedding", hub_id="sentence-transformers/static-retrieval-mrl-en-v1",
        revision="f60985c706f192d45d218078e49e5a8b6f15283a", parameters=31_254_528, dimensions=1024,
        matryoshka=(1024, 512, 256, 128, 64, 32), context=8192, license="Apache-2.0",
    ),
    ModelSpec(
        name="static-similarity-mrl-multilingual-v1", kind="embedding",
        hub_id="sentence-transformers/static-similarity-mrl-multilingual-v1",
        revision="7264ea07c5365a11d7e6d87dbb6195889a13054f", parameters=108_420_096, dimensions=1024,
        matryoshka=(1024, 512, 256, 128, 64, 32), context=8192, languages=("mul",), license="Apache-2.0",
    ),
)  # fmt: skip
