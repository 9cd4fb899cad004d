"""Portuguese."""

from __future__ import annotations

from jina_components.fine_tuner.questions.languages.row import Cue, Language, words

_NAME = r"((?:[\w’'-]+ ){0,5}?[\w’'-]+)"
_END = r"(?=[,;:.?!)(]|$)"
_PORTUGUESE_VERBS = words("""
    é são era eram foi foram será serão tem têm tinha pode podem deve devem significa consiste consistem inclui incluem
    contém causa causam provoca provocam permite permitem está estão existe existem representa constitui faz fazem afeta
    há
""")
PORTUGUESE = Language(
    code="pt",
    stop_words=_PORTUGUESE_VERBS
    | words("""
        o a os as um uma uns umas de do da dos das ao à aos às em no na nos nas por pelo pela pelos pelas para com sem
        sob sobre entre até desde e ou mas que quem qual quais quando onde como porque este esta isto estes estas esse
        essa isso esses essas aquele aquela seu sua seus suas ele ela eles elas nós eu se lhe mais menos muito também
        assim então não já embora durante depois antes outro outra outros outras todo todos toda todas cada mesmo ser
        ter sido sendo alguns algumas muitos muitas geralmente além você num numa
    """),
    verbs=_PORTUGUESE_VERBS,
    determiners=words("o a os as um uma este esta esse essa seu sua seus suas"),
    joiners=words("de do da dos das em"),
    pronouns=words("""
        este esta isto estes estas esse essa isso esses essas ele ela eles elas seu sua seus suas e mas ou assim além
        também então se quando embora enquanto outro outra outros outras porém
    """),
    definition=r"(?:o |a |os |as |um |uma )?(?P<t>[^.,;:!?]{2,80}?)(?:\s*\([^()]{1,80}\))?,?\s+"
    r"(?:é|são|era|foi|significa)\s+(?:uma?|o|a|os|as)\b",
    defines=("o que é {d}?", "{t}", "{t} definição", "o que significa {t}?"),
    cues=(
        Cue(r"\bsintomas?\b|\bsinais\b", ("quais são os sintomas de {t}?", "{t} sintomas")),
        Cue(r"\btrata\w+|\bterapias?\b", ("como tratar {t}?", "{t} tratamento")),
        Cue(r"\bdiagn[oó]stic\w+", ("como é diagnosticado {t}?", "{t} diagnóstico")),
        Cue(r"\bcausas?\b|\bcausad[oa]s?\b|\bdevid[oa] a\b", ("quais são as causas de {t}?", "{t} causas")),
        Cue(r"\bpreven\w+|\bevitar\b", ("como prevenir {t}?", "{t} prevenção")),
        Cue(r"\btipos de\b|\bformas de\b", ("quais são os tipos de {t}?", "tipos de {t}")),
        Cue(r"\bcompost[oa]s? (?:de|por)\b|\bconstituíd[oa]s? (?:de|por)\b", ("de que é feito {t}?", "{t} composição")),
        Cue(r"\b(?:usad|utilizad)[oa]s? (?:para|em|como)\b|\bserve para\b", ("para que serve {t}?", "{t} uso")),
        Cue(r"\b(?:situad|localizad)[oa]s?\b|\bfica (?:em|no|na)\b", ("onde fica {t}?", "{t} localização")),
        Cue(r"\bfundad[oa]\b|\binventad[oa]\b|\bdescobert[oa]\b", ("quando foi fundado {t}?", "{t} história")),
        Cue(r"\bnasceu\b", ("quando nasceu {t}?", "{t} biografia")),
        Cue(r"R\$\s?\d|\d\s?€|\bpreço\b|\bcusta\b", ("quanto custa {t}?", "{t} preço")),
        Cue(r"\bvantagens\b|\bbenefícios\b", ("quais são as vantagens de {t}?", "{t} vantagens")),
        Cue(r"\bdesvantagens\b", ("quais são as desvantagens de {t}?",)),
        Cue(r"\binstala\w+", ("como instalar {t}?", "{t} instalação")),
        Cue(r"\bconfigur\w+", ("como configurar {t}?", "{t} configuração")),
    ),
    clauses=(
        (
            rf"\b(?:para|permite|permitem) ([a-z]+(?:ar|er|ir) (?:[\w’'-]+ ){{1,7}}?[\w’'-]+){_END}",
            ("como {0}?", "{0}"),
        ),
        (
            rf"\b(?:efeito|influência|impacto)s? (?:d[oa]s? |de ){_NAME} (?:em|sobre|n[oa]s?) {_NAME}{_END}",
            ("qual é o efeito de {0} sobre {1}?", "efeito de {0} em {1}"),
        ),
        (rf"\bdiferenças? entre {_NAME} e {_NAME}{_END}", ("qual é a diferença entre {0} e {1}?", "{0} ou {1}")),
    ),
    lead_ins=r"(?:(?:estudo|análise|introdução|sobre|de|do|da|dos|das|à|ao|o|a|uma?)\s+){2,5}",
)
