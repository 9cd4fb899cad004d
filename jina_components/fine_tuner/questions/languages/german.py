"""German."""

from __future__ import annotations

from jina_components.fine_tuner.questions.languages.row import Cue, Language, words

_S = r"((?:[\w’-]+ ){0,9}?[\w’-]+)"
_NAME = r"((?:[\w’-]+ ){0,5}?[\w’-]+)"
_END = r"(?=[,;:.?!)(]|$)"
_GERMAN_VERBS = words("""
    ist sind war waren wird werden wurde wurden hat haben hatte hatten kann können konnte muss müssen soll sollen darf
    dürfen bezeichnet heißt bedeutet besteht bestehen entsteht entstehen gehört gehören liegt liegen umfasst umfassen
    führt führen verursacht verursachen enthält enthalten betrifft tritt treten dient dienen gibt bietet zeigt macht
    ermöglicht beträgt erfolgt wirkt stellt bildet gilt
""")
GERMAN = Language(
    code="de",
    stop_words=_GERMAN_VERBS
    | words("""
        der die das den dem des ein eine einen einem einer eines und oder aber sowie als wie wenn weil dass daß ob zu
        zum
        zur im in an am auf aus bei beim mit nach von vom vor für über unter durch gegen ohne um bis seit während
        zwischen auch nur noch schon sehr mehr meist oft etwa so dann dort hier da nicht kein keine er sie es wir ihr
        ich
        man sich sein seine seinen seiner ihre ihren ihrer dieser diese dieses diesen diesem jeder jede jedes alle allem
        allen welche welcher welches was wer wo wann warum daher deshalb jedoch also bzw sowohl je nachdem etwas viele
        viel einige andere anderen anderer worden sei wären wäre damit dabei dazu davon daran darauf hierbei hierzu
    """),
    verbs=_GERMAN_VERBS,
    determiners=words("der die das den dem des ein eine einen einem einer"),
    joiners=words("der des von für"),
    pronouns=words("""
        dieser diese dieses diesen diesem er sie es ihr ihre ihren ihrer sein seine seinen seiner wir unser man dabei
        daher deshalb dadurch dazu davon hier dort so auch und aber oder jedoch wenn weil obwohl während dann andere
    """),
    definition=r"(?P<t>[^.,;:!?]{2,80}?)(?:\s*\([^()]{1,80}\))?,?\s+(?:ist|sind|war|bezeichnet|bezeichnen|heißt|bedeutet)"
    r"\s+(?:eine?[nmrs]?|der|die|das|in der|jede[rs]?)\b",
    defines=("was ist {d}?", "{t}", "{t} definition", "was versteht man unter {t}?", "was bedeutet {t}?"),
    cues=(
        Cue(r"\bsymptom\w*|\banzeichen\b|\bbeschwerden\b", ("welche symptome hat {t}?", "{t} symptome")),
        Cue(r"\bbehand\w+|\btherap\w+", ("wie wird {t} behandelt?", "{t} behandlung")),
        Cue(r"\bdiagno\w+", ("wie wird {t} diagnostiziert?", "{t} diagnose")),
        Cue(
            r"\bursachen?\b|\bverursacht\b|\bausgelöst\b|\bentsteh\w+",
            ("was sind die ursachen von {t}?", "{t} ursachen"),
        ),
        Cue(r"\bvorbeug\w+|\bverhindern\b|\bvermeiden\b", ("wie kann man {t} vorbeugen?", "{t} vermeiden")),
        Cue(
            r"\barten\b|\bformen von\b|\btypen\b|\bunterscheidet man\b", ("welche arten von {t} gibt es?", "{t} arten")
        ),
        Cue(r"\bbesteht aus\b|\bzusammengesetzt\b", ("woraus besteht {t}?", "{t} bestandteile")),
        Cue(r"\bverwendet\b|\beingesetzt\b|\bdient\b", ("wofür wird {t} verwendet?", "{t} verwendung")),
        Cue(r"\bliegt (?:in|an|am|im)\b|\bbefindet sich\b", ("wo liegt {t}?", "{t} lage")),
        Cue(r"\bgegründet\b|\berfunden\b|\bentdeckt\b", ("wann wurde {t} gegründet?", "{t} geschichte")),
        Cue(r"\bgeboren\b", ("wann wurde {t} geboren?", "{t} biografie")),
        Cue(r"€\s?\d|\d\s?(?:€|euro)|\bkosten\b|\bpreis\b", ("was kostet {t}?", "{t} preis")),
        Cue(r"\bvorteile?\b", ("welche vorteile hat {t}?", "{t} vorteile")),
        Cue(r"\bnachteile?\b", ("welche nachteile hat {t}?",)),
        Cue(r"\binstall\w+", ("wie installiert man {t}?", "{t} installieren")),
        Cue(r"\beinstell\w+|\bkonfigur\w+", ("wie stellt man {t} ein?", "{t} einstellungen")),
    ),
    statements=(
        (rf"{_S} (?:wird|werden) (?:\w+ )?durch {_NAME} (\w+(?:t|en)){_END}", ("wodurch wird {0} {2}?",)),
        (
            rf"{_S} (wurde|wurden) (?:im jahr |am \d+\. \w+ )?\d{{4}} (?:\w+ ){{0,4}}?(\w+(?:t|en)){_END}",
            ("wann {1} {0} {2}?",),
        ),
    ),
    clauses=(
        (rf"\bum ((?:[\w’-]+ ){{1,7}}zu [a-zäöüß]+en){_END}", ("wie ist es möglich, {0}?", "{0}")),
        (
            rf"\b(?:auswirkung|wirkung|einfluss)(?:en)? (?:von|der|des) {_NAME} auf {_NAME}{_END}",
            ("wie wirkt sich {0} auf {1} aus?", "einfluss {0} {1}"),
        ),
        (
            rf"\bunterschiede? zwischen {_NAME} und {_NAME}{_END}",
            ("was ist der unterschied zwischen {0} und {1}?", "{0} oder {1}"),
        ),
    ),
    lead_ins=r"(?:(?:über|zur|zum|untersuchung|untersuchungen|studie|einführung|überblick|in|die|der|das|von|zu|ein|eine)\s+){1,4}",
)
