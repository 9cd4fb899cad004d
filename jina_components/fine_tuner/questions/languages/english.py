"""English."""

from __future__ import annotations

from jina_components.fine_tuner.questions.languages.row import Cue, Language, words

_VERBS = words("""
    is are was were has have had can may might will would could should must do does did
    refers means occurs occur affects affect causes cause includes include consists contains contain provides provide
    results result leads lead becomes became makes make begins appears appear seems describes represents requires
    remains happens happen develops develop involves shows show uses allows helps help produces gives gave conducts
    supports
""")
_STOP_WORDS = _VERBS | words("""
    a an the of in on at to for from by with without and or but nor if as than so that which who whom whose what when
    where why how this these those it its he she they them their theirs his her him we us our ours you your i me my be
    been being am not no yes there here then also only just even still yet already about above after again against
    all among any around because before below between both during each either else ever every few following further
    into less least like many more most much neither never next off often once one ones other others out over own per
    rather same several shall since some something someone such through throughout thus together too toward towards
    under until up upon very via while within according although another anyone based called come comes
    different done due etc first found generally get given go goes good however including known last later
    long made main mainly mostly new number part people possible present see seen similar sometimes take
    taken two three use used using usually way well eg ie et al vs especially particularly
    small large certain various available important common able likely needed need needs want
    don't doesn't can't isn't aren't won't
""")
_SICK = r"\b(?:diseases?|disorders?|syndromes?|patients?|symptoms?|medical|health|doctors?|cancers?|infections?)\b"
_COMPUTED = r"\b(?:software|program|api|servers?|commands?|install\w*|click|app|browser|python|json|http)\b"
_OF_HEALTH = (
    (r"\bcaused by\b|\b(?:causes?|result) of\b|\bresults? from\b", ("what causes {t}?", "causes of {t}")),
    (r"\bsymptoms?\b|\bsigns (?:and|of|may|are|include)\b", ("what are the symptoms of {t}?", "{t} symptoms")),
    (
        r"\btreat(?:ed|ments?|ing)?\b|\btherap(?:y|ies)\b|\bsurgery\b|\bmedications?\b",
        ("what are the treatments for {t}?", "how is {t} treated?", "{t} treatment"),
    ),
    (
        r"\bdiagnos(?:is|ed|es|ing|tic)\b|\bscreening\b|\b(?:blood|lab) tests?\b",
        ("how is {t} diagnosed?", "test for {t}"),
    ),
    (r"\binherit(?:ed|ance)\b|\bautosomal\b|\bhereditary\b", ("is {t} inherited?", "is {t} genetic?")),
    (
        r"\bmutations?\b|\bgenes?\b|\bchromosomes?\b",
        ("what genes are related to {t}?", "what are the genetic changes related to {t}?"),
    ),
    (r"\brisk factors?\b|\brisk\b|\bmore likely to\b", ("who is at risk for {t}?", "{t} risk factors")),
    (
        (
            r"\bprevalence\b|\bincidence\b|\b1 (?:in|per|out of) (?:every )?\d"
            r"|\b(?:cases|individuals|people|families)\b[^.]{0,60}\b(?:reported|worldwide|described)\b"
        ),
        ("how many people are affected by {t}?", "how common is {t}?"),
    ),
    (
        r"\bprognosis\b|\blife expectancy\b|\bsurvival\b|\boutlook\b|\blife-threatening\b",
        ("what is the outlook for {t}?", "{t} prognosis"),
    ),
    (r"\bcomplications?\b", ("what are the complications of {t}?",)),
    (r"\bside effects?\b|\badverse\b", ("what are the side effects of {t}?",)),
    (r"\bclinical trials?\b|\bresearch\b", ("what research is being done for {t}?",)),
    (r"\bcontagious\b|\bspreads?\b|\btransmitted\b", ("how does {t} spread?", "is {t} contagious?")),
    (r"\bstages?\b", ("what are the stages of {t}?",)),
    (r"\bprevent(?:s|ed|ing|ion|able)?\b", ("how to prevent {t}?", "{t} prevention")),
)
_OF_SOFTWARE = (
    (r"\binstall(?:ed|ing|ation|s)?\b", ("how to install {t}?", "{t} installation")),
    (r"\bconfigur\w+\b|\bsettings?\b", ("how to configure {t}?", "{t} settings")),
    (r"\berrors?\b|\bexceptions?\b|\btroubleshoot\w*", ("how to fix {t} errors?", "{t} error")),
)
_CUES = (
    *(Cue(pattern, templates, _SICK) for pattern, templates in _OF_HEALTH),
    *(Cue(pattern, templates, _COMPUTED) for pattern, templates in _OF_SOFTWARE),
    Cue(r"\bworks by\b|\bmechanism of\b", ("how does {t} work?",)),
    Cue(r"\b(?:invented|discovered|founded|established) (?:by|in)\b", ("who founded {t}?", "history of {t}")),
    Cue(r"\b(?:is|are|was|were) (?:located|situated)\b", ("where is {t}?", "{t} location")),
    Cue(r"\bwas born\b", ("when was {t} born?", "{t} biography")),
    Cue(r"[$€£]\s?\d|\bprice[sd]?\b", ("how much does {t} cost?", "{t} price")),
    Cue(r"\bdisadvantages?\b|\bdrawbacks?\b|\blimitations?\b", ("what are the disadvantages of {t}?",)),
)
_END = (
    r"(?=\s?[,;:.?!)(]|$| which| because| so that| when | if | by | using | but | that | and (?:is|are|was|were|to)\b"
    r"| (?:is|are|was|were|has|have|can|may|will|must|for|from|with|at|as|on|in|through|over) )"
)
# A subject without a comma.
_S = r"(?:(?:however|in addition|also|therefore|for example|generally), )?((?:[\w/’'.-]+ ){0,9}?[\w/’'-]+)"
_P = r"((?:[\w/’'-]+ ){1,9}?[\w/’'-]+)"
_NAME = r"((?:[\w/'-]+ ){0,5}?[\w/'-]+)"
_STATEMENTS = (
    (rf"{_S} (?:usually |often |typically |mainly )?includes? ", ("what does {0} include?",)),
    (
        rf"{_S} (?:usually |often |typically |mainly )?(?:consists?|is composed|are composed) of ",
        ("what does {0} consist of?",),
    ),
    (rf"{_S} (cause|affect|prevent|control|produce|require|increase|reduce)s? {_P}{_END}", ("what {1}s {2}?",)),
    (rf"{_S} (?:is|are|was|were|can be|may be) (?:\w+ly )?caused by ", ("what causes {0}?", "causes of {0}")),
    (rf"{_S} (?:is|are) (?:\w+ly )?used (?:to|for|in|as) ", ("what is {0} used for?", "uses of {0}")),
    (rf"{_S} (can|may|could|must|should|will) ([a-z]+ (?!been\b){_P}){_END}", ("what {1} {2}?",)),
    (
        rf"{_S} (is|are|was|were) (?:\w+ly )?(\w+ed|born|built|made|held|given|written) in (?:\w+ )?\d{{4}}",
        ("when {1} {0} {2}?",),
    ),
    (
        rf"{_S} (is|are|was|were) (?:\w+ly )?((?!caus)\w+ed|built|made|written|won|led) by (?:the |a |an )?[\w-]+",
        ("how {1} {0} {2}?", "what {1} {0} {2} by?"),
    ),
    (rf"{_S} (is|are|was|were) {_P} because ", ("why {1} {0} {2}?",)),
    (rf"{_S} (is|are|was|were) (?:located|situated|found|held) (?:in|on|at|near) ", ("where {1} {0}?",)),
    (
        rf"there are \w+ (?:main |major |different )?(types|kinds|forms|stages|ways|levels) (of|to) {_P}{_END}",
        ("how many {0} {1} {2} are there?",),
    ),
)
_CLAUSES = (
    (
        rf"\b(?:effects?|influence|impact) of {_NAME} (?:on|upon) ((?:[\w/'-]+ ){{0,7}}?[\w/'-]+){_END}",
        ("what is the effect of {0} on {1}?", "how does {0} affect {1}?", "effect of {0} on {1}"),
    ),
    (
        (
            r"(?:^to|\b(?:in order|can be used|is used|you want|allows? you|allows? users|how|possible) to)"
            rf" ([a-z]{{2,}} {_P}){_END}"
        ),
        ("how to {0}?", "how do i {0}?", "how can i {0}?", "how to {0}?"),
    ),
    (
        (
            rf"\b(?:method|procedure|technique|approach|algorithm|theory|equations?|solutions?)s?"
            rf"(?: (?:is|are|was|were|has been) \w+)? (?:for|of) ((?:the )?\w+ing {_P}){_END}"
        ),
        ("methods for {0}", "what methods are there for {0}?"),
    ),
    (
        rf"\b(?:comparison|differences?) (?:between|of) {_NAME} (?:and|with|to) {_NAME}{_END}",
        ("what is the difference between {0} and {1}?", "{0} vs {1}"),
    ),
    (rf"\b(?:types|kinds|forms) of {_NAME}{_END}", ("what are the types of {0}?", "types of {0}")),
    (rf"\bcauses? of {_NAME}{_END}", ("what causes {0}?", "causes of {0}")),
    (rf"\b(?:advantages?|benefits?) of {_NAME}{_END}", ("what are the benefits of {0}?", "{0} advantages")),
    (rf"\bthe ([a-z-]*[a-rt-z] of (?:the |a |an )?{_NAME}){_END}", ("what is the {0}?", "{0}")),
    (rf"\bthe (?!causes |types )([a-z-]+s of (?:the |a |an )?{_NAME}){_END}", ("what are the {0}?", "{0}")),
)

ENGLISH = Language(
    code="en",
    stop_words=_STOP_WORDS,
    verbs=_VERBS,
    determiners=words("the a an this these its their his her it them"),
    joiners=words("of"),
    pronouns=words("""
        this these that those it its they their them he she his her him such we our you your i my which there here also
        if when although while because but and or so then however another others other both each one some many most
    """),
    definition=r"(?P<t>[^.,;:!?]{2,80}?)(?:\s*\([^()]{1,60}\))?,?\s+(?:is|are|was|refers to|means|is defined as)\s+"
    r"(?:an?|the|one of|any|defined|characterized|\w+ (?:that|which|of))\b",
    defines=("what is {d}?", "what is {t}?", "{t}", "{t} definition", "what does {t} mean?"),
    titles=(
        "{t}",
        "{t}",
        "what is known about {t}?",
        "information on {t}",
        "papers on {t}",
        "what has been found about {t}?",
    ),
    cues=_CUES,
    statements=_STATEMENTS,
    clauses=_CLAUSES,
    participles=r"...[^e]ed$|(?:ally|ously|ively|ently|antly|ately|edly|ngly|ably|ibly|arly)$",
    lead_ins=r"(?:(?:an?|the|some|on|further|note|notes|study|studies|investigation|analysis|discussion|introduction|remarks"
    r"|preliminary|experimental|theoretical|of|to|concerning|regarding|about|guide|overview)\s+){1,6}",
)
