"""Italian."""

from __future__ import annotations

from jina_components.fine_tuner.questions.languages.row import Cue, Language, words

_NAME = r"((?:[\w’'-]+ ){0,5}?[\w’'-]+)"
_END = r"(?=[,;:.?!)(]|$)"
_ITALIAN_VERBS = words("""
    è sono era erano fu furono sarà saranno ha hanno aveva avevano può possono deve devono significa consiste consistono
    comprende comprendono contiene contengono causa causano provoca provocano permette permettono esiste esistono
    rappresenta costituisce fa fanno colpisce viene vengono si
""")
ITALIAN = Language(
    code="it",
    stop_words=_ITALIAN_VERBS
    | words("""
        il lo la i gli le l un uno una di del dello della dei degli delle d a al allo alla ai agli alle da dal dalla dai
        dalle in nel nello nella nei negli nelle con su sul sulla sui sulle per tra fra e ed o ma che chi cui quale
        quali
        quando dove come perché questo questa questi queste quello quella quelli quelle suo sua suoi sue loro lui lei
        noi voi io mi ti ci vi ne non più meno molto anche così se già poi dopo prima durante mentre ogni tutto tutti
        tutte altro altra altri altre stesso essere avere stato stata stati spesso generalmente inoltre oppure dall nell
        dell all sull c
    """),
    verbs=_ITALIAN_VERBS,
    determiners=words("il lo la i gli le un uno una questo questa questi queste"),
    joiners=words("di del della dei delle da a"),
    pronouns=words("""
        questo questa questi queste quello quella esso essa essi lui lei loro suo sua suoi sue ci ne e ma così inoltre
        anche poi se quando mentre tuttavia altro altri altre
    """),
    definition=r"(?:l['’]|il |lo |la |i |gli |le |un |una )?(?P<t>[^.,;:!?]{2,80}?)(?:\s*\([^()]{1,80}\))?,?\s+"
    r"(?:è|sono|era|fu|significa)\s+(?:un['’]?\w*|una|uno|il|lo|la|l['’]\w+|i|gli|le)\b",
    defines=("che cos'è {d}?", "{t}", "{t} definizione", "cosa significa {t}?"),
    cues=(
        Cue(r"\bsintom[io]\b|\bsegni\b", ("quali sono i sintomi di {t}?", "{t} sintomi")),
        Cue(r"\btratta\w+|\bcura\w*\b|\bterapi\w+", ("come si cura {t}?", "{t} cura")),
        Cue(r"\bdiagnos\w+", ("come si diagnostica {t}?", "{t} diagnosi")),
        Cue(r"\bcaus[ae]\b|\bcausat[oaie]\b|\bdovut[oaie] a\w*\b", ("quali sono le cause di {t}?", "{t} cause")),
        Cue(r"\bpreven\w+|\bevitare\b", ("come prevenire {t}?", "{t} prevenzione")),
        Cue(r"\btipi di\b|\bforme di\b|\btipologie\b", ("quali tipi di {t} esistono?", "tipi di {t}")),
        Cue(r"\bcompost[oaie] da\b|\bcostituit[oaie] da\b", ("da cosa è composto {t}?", "{t} composizione")),
        Cue(
            r"\b(?:usat|utilizzat|impiegat)[oaie] (?:per|in|come)\b|\bserve (?:a|per)\b",
            ("a cosa serve {t}?", "{t} uso"),
        ),
        Cue(r"\bsituat[oaie]\b|\bsi trova\b", ("dove si trova {t}?", "{t} posizione")),
        Cue(r"\bfondat[oa]\b|\binventat[oa]\b|\bscopert[oa]\b", ("quando è stato fondato {t}?", "{t} storia")),
        Cue(r"\bnacque\b|\bnat[oa] (?:a|il|nel)\b", ("quando è nato {t}?", "{t} biografia")),
        Cue(r"\d\s?€|\bprezzo\b|\bcosta\b", ("quanto costa {t}?", "{t} prezzo")),
        Cue(r"\bvantaggi\b|\bbenefici\b", ("quali sono i vantaggi di {t}?", "{t} vantaggi")),
        Cue(r"\bsvantaggi\b", ("quali sono gli svantaggi di {t}?",)),
        Cue(r"\binstalla\w+", ("come installare {t}?", "{t} installazione")),
        Cue(r"\bconfigur\w+", ("come configurare {t}?", "{t} configurazione")),
    ),
    clauses=(
        (
            rf"\b(?:per|permette di|permettono di) ([a-z]+(?:are|ere|ire) (?:[\w’'-]+ ){{1,7}}?[\w’'-]+){_END}",
            ("come {0}?", "{0}"),
        ),
        (
            (
                rf"\b(?:effetti?|influenza|impatto) (?:del(?:la|lo|l['’])? |dei |delle |di ){_NAME}"
                rf" su(?:l|lla|llo|i|lle)? {_NAME}{_END}"
            ),
            ("qual è l'effetto di {0} su {1}?", "effetto {0} su {1}"),
        ),
        (rf"\bdifferenz[ae] tra {_NAME} e {_NAME}{_END}", ("qual è la differenza tra {0} e {1}?", "{0} o {1}")),
    ),
    lead_ins=r"(?:(?:studio|analisi|introduzione|sul|sulla|su|di|del|della|dei|al|alla|il|la|lo|uno?|una)\s+){2,5}",
)
