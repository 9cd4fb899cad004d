"""What must hold of each notebook of the cookbook once it has run: add a row for a new one."""

from typing import NamedTuple


class Facts(NamedTuple):
    """Of one notebook.

    Attributes:
        pictures: How many it draws.
        true: Expressions of its own names, evaluated in its kernel after the last cell.
    """

    pictures: int
    true: tuple[str, ...]


FACTS = {
    "01_rag_from_zero": Facts(
        pictures=1,
        true=(
            "all(pages[c.source].content[c.start : c.end] == c.quote for c in answer.citations)",
            "answer.answered and len(answer.citations) > 1 and 'F7' in answer.text",
            "not agent.run('Who won the 1998 football world cup?').answered",
        ),
    ),
    "02_rag_in_langchain": Facts(
        pictures=1,
        true=(
            "'eruption' in answer['text'] and '1783' in answer['annotations'][0]['cited_text']",
            "checked.artifact.verdict == 'refuted'",
            "'second Saturday' in found['answer'] and 'second Saturday' in found['documents'][0].page_content",
            "len(found['documents']) == 3",
        ),
    ),
    "03_rag_in_llama_index": Facts(
        pictures=1,
        true=(
            "'white' in str(response) and response.source_nodes[0].text in texts['data/isles/ostrel.md']",
            "pipeline.run(documents=documents) == []",
            "not agent.run('Who won the 1998 football world cup?').answered",
            "counts['ReRankEnd'] == counts['ReRankStart'] == 2",
        ),
    ),
    "04_late_chunking": Facts(
        pictures=3,
        true=(
            "ndcg['late'].mean() > ndcg['plain'].mean() + 0.05",
            "ndcg['late'][kinds['context']].mean() > ndcg['plain'][kinds['context']].mean() + 0.1",
            "ndcg['title before each'].mean() > ndcg['plain'].mean()",
            "all(late >= plain - 0.02 for plain, late in zip(curves[False], curves[True]))",
        ),
    ),
    "05_hybrid_and_rerank": Facts(
        pictures=4,
        true=(
            "ndcg(systems['hybrid + rerank']).mean() > max(0.8, ndcg(systems['hybrid']).mean())",
            "ndcg(systems['dense'])[kinds['words']].mean() > ndcg(systems['lexical'])[kinds['words']].mean() + 0.2",
            "ndcg(systems['hybrid'])[kinds['name']].mean() > 0.9",
            "abs(sweep[-1].mean() - ndcg(systems['lexical']).mean()) < 0.05",
        ),
    ),
    "06_classification": Facts(
        pictures=4,
        true=(
            "described.accuracy > max(bare.accuracy, 0.6)",
            "reports[-1].accuracy > 0.75",
            "reports[-1].accuracy > reports[0].accuracy",
            "few_shot.accuracy > 0.65 and zero_shot.accuracy > 0.55",
        ),
    ),
    "07_grounding": Facts(
        pictures=1,
        true=(
            "all(reader.read(each.url).content[each.start : each.end] == each.key_quote for each in quotes)",
            "sum(agrees) >= 6",
            "step.grounding.verdict == 'refuted'",
        ),
    ),
    "08_deep_search": Facts(
        pictures=1,
        true=(
            "again == answer",
            "right >= 3",
            "any('Brannock' in citation.quote for citation in answer.citations)",
        ),
    ),
    "09_fine_tuning": Facts(
        pictures=1,
        true=(
            "comparison.verdict == from_pairs.verdict == 'better'",
            "test.keys().isdisjoint(q for q, _ in others) and not {*corpus} & {code for _, code in others}",
            "np.mean(models['table, tuned without labels']) > np.mean(models['table, as it comes']) + 0.02",
            "np.mean(models['table, tuned with pairs']) > np.mean(models['table, as it comes']) + 0.03",
        ),
    ),
    "10_laptop_to_cluster": Facts(
        pictures=1,
        true=(
            "len(results) == 6 and all(found == results['FAISS in memory'] for found in results.values())",
            "all(len(hits) for hits in results['Milvus Lite'])",
        ),
    ),
    "11_side_by_side": Facts(
        pictures=2,
        true=(
            "ndcg['small-embedding-v1'].mean() > 0.8",
            "ndcg['small-embedding-v1'].mean() > ndcg['static-minilm-v1'].mean() > ndcg['word vectors (LSA)'].mean()",
            "widths['small, 64 dimensions'] == widths['static, 64 dimensions'] == 64",
            "set(speed) == set(embedders) and min(speed.values()) > 0",
        ),
    ),
}
