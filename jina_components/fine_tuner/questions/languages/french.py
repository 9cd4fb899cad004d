"""French."""

from __future__ import annotations

from jina_components.fine_tuner.questions.languages.row import Cue, Language, words

_NAME = r"((?:[\w’'-]+ ){0,5}?[\w’'-]+)"
_END = r"(?=[,;:.?!)(]|$)"
_FRENCH_VERBS = words("""
    est sont était étaient fut furent sera seront a ont avait avaient peut peuvent doit doivent désigne désignent
    signifie consiste consistent comprend comprennent contient contiennent provoque provoquent entraîne permet
    permettent devient se existe existent représente constitue touche fait font
""")
FRENCH = Language(
    code="fr",
    stop_words=_FRENCH_VERBS
    | words("""
        le la les l un une des du de d au aux et ou mais donc or ni car que qu qui quoi dont où quand comment pourquoi
        ce cet cette ces son sa ses leur leurs notre nos votre vos mon ma mes il elle ils elles on nous vous je tu y en
        dans par pour sur sous avec sans entre vers chez depuis pendant avant après contre plus moins très aussi ainsi
        alors comme si ne pas non tout tous toute toutes autre autres même être avoir été ayant lors selon afin cela
        celui celle ceux plusieurs certains certaines souvent généralement également notamment c s n
    """),
    verbs=_FRENCH_VERBS,
    determiners=words("le la les un une des du au aux ce cette ces son sa ses"),
    joiners=words("de du des d la l à en"),
    pronouns=words("""
        ce cet cette ces cela celui celle ceux il elle ils elles son sa ses leur leurs on nous vous y en mais et donc
        ainsi alors aussi également cependant toutefois si lorsque quand comme autre autres
    """),
    definition=r"(?:l['’]|le |la |les |un |une )?(?P<t>[^.,;:!?]{2,80}?)(?:\s*\([^()]{1,80}\))?,?\s+"
    r"(?:est|sont|était|désigne|désignent|signifie)\s+(?:une?|l['’]\w+|le|la|les|des)\b",
    defines=("qu'est-ce que {d}?", "{t}", "{t} définition", "c'est quoi {d}?", "que signifie {t}?"),
    cues=(
        Cue(r"\bsymptômes?\b|\bsignes\b", ("quels sont les symptômes de {t}?", "{t} symptômes")),
        Cue(r"\btraitements?\b|\btraité\w*\b|\bthérap\w+|\bsoign\w+", ("comment traiter {t}?", "{t} traitement")),
        Cue(r"\bdiagnosti\w+|\bdépist\w+", ("comment diagnostiquer {t}?", "{t} diagnostic")),
        Cue(r"\bcauses?\b|\bcausée?s?\b|\bprovoqu\w+|\bdue? à\b", ("quelles sont les causes de {t}?", "{t} causes")),
        Cue(r"\bpréven\w+|\bévit\w+", ("comment prévenir {t}?", "{t} prévention")),
        Cue(r"\btypes de\b|\bformes de\b|\bsortes de\b", ("quels sont les types de {t}?", "types de {t}")),
        Cue(r"\bcomposée?s? de\b|\bconstituée?s? de\b", ("de quoi se compose {t}?", "{t} composition")),
        Cue(r"\butilisée?s? (?:pour|dans|comme)\b|\bsert à\b|\bpermet de\b", ("à quoi sert {t}?", "{t} utilisation")),
        Cue(r"\bsituée?s? (?:à|en|dans|au|sur)\b|\bse trouve\b", ("où se trouve {t}?", "{t} localisation")),
        Cue(r"\bfondée?\b|\binventée?\b|\bdécouverte?\b|\bcréée?\b", ("quand {t} a été fondé?", "{t} histoire")),
        Cue(r"\bnée? (?:le|en|à)\b", ("quand est né {t}?", "{t} biographie")),
        Cue(r"\d\s?€|\bprix\b|\bcoûte?\b", ("combien coûte {t}?", "{t} prix")),
        Cue(r"\bavantages?\b", ("quels sont les avantages de {t}?", "{t} avantages")),
        Cue(r"\binconvénients?\b", ("quels sont les inconvénients de {t}?",)),
        Cue(r"\binstall\w+", ("comment installer {t}?", "{t} installation")),
        Cue(r"\bconfigur\w+|\bparamétr\w+", ("comment configurer {t}?", "{t} configuration")),
    ),
    clauses=(
        (
            rf"\b(?:pour|afin de|permet de|permettent de) ([a-zéè]+(?:er|ir|re) (?:[\w’'-]+ ){{1,7}}?[\w’'-]+){_END}",
            ("comment {0}?", "{0}"),
        ),
        (
            rf"\b(?:effet|influence|impact)s? (?:de la |de l['’]|du |des |de ){_NAME} sur {_NAME}{_END}",
            ("quel est l'effet de {0} sur {1}?", "effet {0} sur {1}"),
        ),
        (
            rf"\bdifférences? entre {_NAME} et {_NAME}{_END}",
            ("quelle est la différence entre {0} et {1}?", "{0} ou {1}"),
        ),
    ),
    lead_ins=r"(?:(?:étude|analyse|introduction|note|sur|de|du|des|à|la|le|les|une?|l['’])\s*){2,5}(?=\w)",
    closing=" ?",
)
