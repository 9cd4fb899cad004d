"""Dutch."""

from __future__ import annotations

from jina_components.fine_tuner.questions.languages.row import Cue, Language, words

_NAME = r"((?:[\w’-]+ ){0,5}?[\w’-]+)"
_END = r"(?=[,;:.?!)(]|$)"
_DUTCH_VERBS = words("""
    is zijn was waren wordt worden werd werden heeft hebben had hadden kan kunnen kon moet moeten zal zullen mag mogen
    betekent bestaat bestaan ontstaat ontstaan ligt liggen omvat bevat bevatten veroorzaakt veroorzaken leidt leiden
    geeft komt komen maakt maken dient dienen gaat helpt verwijst
""")
DUTCH = Language(
    code="nl",
    stop_words=_DUTCH_VERBS
    | words("""
        de het een en of maar als dan dat die dit deze der des te ten ter in op aan van voor met bij naar uit over onder
        door tegen zonder om tot sinds tijdens tussen ook nog al zeer meer meest vaak ongeveer zo hier daar er niet geen
        hij zij ze we wij jij je u ik men zich zijn haar hun ons onze uw wie wat waar wanneer waarom hoe welke omdat
        zoals echter dus daarom veel enkele andere sommige alle elk elke wel kunt bent
    """),
    verbs=_DUTCH_VERBS,
    determiners=words("de het een deze dit die"),
    joiners=words("van de het der voor"),
    pronouns=words("""
        deze dit die dat hij zij ze het haar hun hen we wij ons men er daar hier zo ook en maar of echter dus daarom als
        omdat terwijl dan andere daarbij hierbij
    """),
    definition=r"(?P<t>[^.,;:!?]{2,80}?)(?:\s*\([^()]{1,80}\))?,?\s+"
    r"(?:is|zijn|was|betekent|verwijst naar)\s+(?:een|de|het)\b",
    defines=("wat is {d}?", "{t}", "{t} betekenis", "wat betekent {t}?"),
    cues=(
        Cue(r"\bsymptomen\b|\bklachten\b", ("wat zijn de symptomen van {t}?", "{t} symptomen")),
        Cue(r"\bbehandel\w+|\btherapie\b", ("hoe wordt {t} behandeld?", "{t} behandeling")),
        Cue(r"\bdiagnose\w*|\bvastgesteld\b", ("hoe wordt {t} vastgesteld?", "{t} diagnose")),
        Cue(r"\boorzaken?\b|\bveroorzaakt\b|\bontsta\w+", ("wat is de oorzaak van {t}?", "{t} oorzaken")),
        Cue(r"\bvoorkomen\b|\bvermijd\w+", ("hoe kun je {t} voorkomen?", "{t} voorkomen")),
        Cue(r"\bsoorten\b|\bvormen van\b|\btypen\b", ("welke soorten {t} zijn er?", "soorten {t}")),
        Cue(r"\bbestaat uit\b|\bbestaan uit\b", ("waaruit bestaat {t}?", "{t} onderdelen")),
        Cue(r"\bgebruikt (?:voor|om|als)\b|\bdient\b", ("waarvoor wordt {t} gebruikt?", "{t} gebruik")),
        Cue(r"\bligt (?:in|aan|op)\b|\bgelegen\b|\bbevindt zich\b", ("waar ligt {t}?", "{t} ligging")),
        Cue(r"\bopgericht\b|\buitgevonden\b|\bontdekt\b", ("wanneer werd {t} opgericht?", "{t} geschiedenis")),
        Cue(r"\bgeboren\b", ("wanneer werd {t} geboren?", "{t} biografie")),
        Cue(r"€\s?\d|\d\s?euro|\bkosten\b|\bprijs\b", ("wat kost {t}?", "{t} prijs")),
        Cue(r"\bvoordelen\b", ("wat zijn de voordelen van {t}?", "{t} voordelen")),
        Cue(r"\bnadelen\b", ("wat zijn de nadelen van {t}?",)),
        Cue(r"\binstall\w+", ("hoe installeer je {t}?", "{t} installeren")),
    ),
    clauses=(
        (rf"\bom ((?:[\w’-]+ ){{1,7}}te [a-z]+en){_END}", ("hoe kun je {0}?", "{0}")),
        (
            rf"\b(?:effect|invloed) van {_NAME} op {_NAME}{_END}",
            ("wat is het effect van {0} op {1}?", "effect {0} op {1}"),
        ),
        (
            rf"\bverschil(?:len)? tussen {_NAME} en {_NAME}{_END}",
            ("wat is het verschil tussen {0} en {1}?", "{0} of {1}"),
        ),
    ),
)
