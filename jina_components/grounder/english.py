"""What the rules that split statements know of English."""

from __future__ import annotations

AUXILIARIES = frozenset(
    """
    is are was were am has have had does do did can could will would shall should may might must cannot
    isn't aren't wasn't weren't hasn't haven't hadn't doesn't don't didn't can't couldn't won't wouldn't shouldn't
    """.split()  # noqa: SIM905 (so many are easier to read as text, here and below)
)

# Finite wherever they stand: their participles differ, and they are no nouns.
PASTS = frozenset(
    """
    became began went wrote gave took came grew rose sang fell drew drove ate spoke broke chose wore swam ran saw
    flew threw froze forgave withdrew undertook overcame arose awoke bore forbade forgot hid rode shook stole strove
    """.split()  # noqa: SIM905
)
# Without an object, so that none of them is a passive participle behind "was".
INTRANSITIVE = frozenset(
    """
    died lived arrived remained retired graduated emerged existed disappeared participated belonged travelled traveled
    resigned emigrated immigrated competed happened occurred appeared worked served collapsed lasted
    """.split()  # noqa: SIM905
)
# Regular pasts and others that are also participles: finite only where no auxiliary governs them.
OTHER_PASTS = frozenset(
    """
    won lost led built made found founded held left met moved played received released published produced recorded
    married studied started opened closed joined created developed directed designed defeated discovered earned
    established invented killed launched married obtained painted performed reached returned signed sold bought taught
    starred toured used visited ended ruled stood spent brought caught fought got had heard kept sent
    told contained included covered crossed owned represented introduced killed finished placed scored
    """.split()  # noqa: SIM905
)
# No nouns in the plural.
PRESENTS = frozenset(
    """
    contains includes consists belongs owns makes produces provides requires becomes begins eats grows employs operates
    publishes allows prevents reduces serves weighs speaks sells
    """.split()  # noqa: SIM905
)
VERBS = AUXILIARIES | PASTS | INTRANSITIVE | OTHER_PASTS | PRESENTS

# Behind one of these, who does what is not for rules to say.
SUBORDINATORS = frozenset(
    """
    who whom whose which that where when while because although though if unless until since before after whether as
    than so neither nor either both between not only said says say claims claim claimed believes believed thinks
    thought argues argued reports reported suggests suggested denies denied announces announced states stated knows knew
    shows showed
    """.split()  # noqa: SIM905
)
PRONOUNS = {
    "he": "", "she": "", "it": "", "they": "",
    "his": "'s", "her": "'s", "its": "'s", "their": "'s",
}  # fmt: skip
"""Pronouns a clause may begin with, and what makes a possessive of the name that is put in their place."""

BEFORE_PLACES = frozenset("in at from on of the a an its his her their near during since until".split())  # noqa: SIM905
"""Before a name, these make it a place, a date or a thing rather than somebody that a pronoun may stand for."""

DETERMINERS = frozenset("the a an this that these those its his her their one two both some many most".split())  # noqa: SIM905

COMMANDS = frozenset(
    """
    please click see let let's make tell give explain describe install remember try ask go add remove find translate
    summarize summarise imagine ignore create generate subscribe follow avoid don't consider write
    """.split()  # noqa: SIM905
)
NOUNS_TOO = frozenset(
    "run check read open call visit use list show answer play compare note help contact take put".split()  # noqa: SIM905
)
"""Commands only where what they command follows: "run the tests"."""

OBJECTS = frozenset("the a an this these your my me us it all".split())  # noqa: SIM905
QUESTION_WORDS = frozenset("whom what when where why how".split())  # noqa: SIM905
