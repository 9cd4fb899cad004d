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
            "answer.answered and '35 minutes' in answer.text",
            "not agent.run('Who won the 1998 football world cup?').answered",
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
    "06_classification": Facts(
        pictures=4,
        true=(
            "described.accuracy > max(bare.accuracy, 0.6)",
            "reports[-1].accuracy > 0.75",
            "reports[-1].accuracy > reports[0].accuracy",
            "few_shot.accuracy > 0.65 and zero_shot.accuracy > 0.55",
        ),
    ),
}
