"""Spanish."""

from __future__ import annotations

from jina_components.fine_tuner.questions.languages.row import Cue, Language, words

_NAME = r"((?:[\w’'-]+ ){0,5}?[\w’'-]+)"
_END = r"(?=[,;:.?!)(]|$)"
_SPANISH_VERBS = words("""
    es son era eran fue fueron será serán ha han había habían puede pueden debe deben significa consiste consisten
    incluye incluyen contiene contienen causa causan provoca provocan permite permiten tiene tienen está están existe
    existen representa constituye hace hacen afecta
""")
SPANISH = Language(
    code="es",
    stop_words=_SPANISH_VERBS
    | words("""
        el la los las lo un una unos unas de del al a ante bajo con contra desde en entre hacia hasta para por según sin
        sobre tras y e o u pero sino ni que qué quien quién cual cuál cuando cuándo donde dónde como cómo porque este
        esta esto estos estas ese esa eso esos esas aquel su sus mi tu nuestro nuestra él ella ellos ellas se le les me
        nos yo más menos muy también así entonces si no ya aunque mientras durante después antes otro otra otros otras
        todo todos toda todas cada mismo misma ser haber sido siendo algunos algunas muchos muchas generalmente además
    """),
    verbs=_SPANISH_VERBS,
    determiners=words("el la los las un una unos unas su sus este esta estos estas"),
    joiners=words("de del la los las en"),
    pronouns=words("""
        este esta esto estos estas ese esa eso esos esas él ella ellos ellas su sus lo le les se nos y pero o así además
        también entonces si cuando aunque mientras otro otra otros otras sin embargo
    """),
    definition=r"(?:el |la |los |las |un |una )?(?P<t>[^.,;:!?]{2,80}?)(?:\s*\([^()]{1,80}\))?,?\s+"
    r"(?:es|son|era|fue|significa)\s+(?:una?|el|la|los|las|unos|unas)\b",
    defines=("qué es {d}?", "{t}", "{t} definición", "qué significa {t}?"),
    cues=(
        Cue(r"\bsíntomas?\b|\bsignos\b", ("cuáles son los síntomas de {t}?", "{t} síntomas")),
        Cue(r"\btrata\w*\b|\bterapias?\b", ("cómo se trata {t}?", "{t} tratamiento")),
        Cue(r"\bdiagn[oó]stic\w+", ("cómo se diagnostica {t}?", "{t} diagnóstico")),
        Cue(
            r"\bcausas?\b|\bcausad[oa]s?\b|\bdebid[oa] a\b|\bprovocad[oa]s?\b",
            ("cuáles son las causas de {t}?", "{t} causas"),
        ),
        Cue(r"\bpreven\w+|\bevitar\b", ("cómo prevenir {t}?", "{t} prevención")),
        Cue(r"\btipos de\b|\bformas de\b|\bclases de\b", ("qué tipos de {t} hay?", "tipos de {t}")),
        Cue(r"\bcompuest[oa]s? (?:de|por)\b|\bconsta de\b", ("de qué se compone {t}?", "{t} composición")),
        Cue(
            r"\b(?:usa|utiliza|emplea|usad[oa]s?|utilizad[oa]s?) (?:para|en|como)\b|\bsirve para\b",
            ("para qué sirve {t}?", "{t} usos"),
        ),
        Cue(r"\b(?:situad|ubicad|localizad)[oa]s?\b|\bse encuentra en\b", ("dónde está {t}?", "{t} ubicación")),
        Cue(r"\bfundad[oa]\b|\binventad[oa]\b|\bdescubiert[oa]\b", ("cuándo se fundó {t}?", "{t} historia")),
        Cue(r"\bnació\b", ("cuándo nació {t}?", "{t} biografía")),
        Cue(r"\d\s?€|\$\s?\d|\bprecio\b|\bcuesta\b", ("cuánto cuesta {t}?", "{t} precio")),
        Cue(r"\bventajas\b|\bbeneficios\b", ("cuáles son las ventajas de {t}?", "{t} ventajas")),
        Cue(r"\bdesventajas\b|\binconvenientes\b", ("cuáles son las desventajas de {t}?",)),
        Cue(r"\binstala\w+", ("cómo instalar {t}?", "{t} instalación")),
        Cue(r"\bconfigur\w+", ("cómo configurar {t}?", "{t} configuración")),
    ),
    clauses=(
        (
            rf"\b(?:para|permite|permiten) ([a-zé]+(?:ar|er|ir) (?:[\w’'-]+ ){{1,7}}?[\w’'-]+){_END}",
            ("cómo {0}?", "{0}"),
        ),
        (
            rf"\b(?:efecto|influencia|impacto)s? (?:del? (?:la |los |las |el )?){_NAME} (?:en|sobre) {_NAME}{_END}",
            ("cuál es el efecto de {0} sobre {1}?", "efecto de {0} en {1}"),
        ),
        (rf"\bdiferencias? entre {_NAME} y {_NAME}{_END}", ("cuál es la diferencia entre {0} y {1}?", "{0} o {1}")),
    ),
    lead_ins=r"(?:(?:estudio|análisis|introducción|sobre|de|del|la|el|los|las|una?|a)\s+){2,5}",
    opening="¿",
)
