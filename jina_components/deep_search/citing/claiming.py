"""Sentences that claim nothing: courtesies, admissions of what is lacking, mere pointers to addresses."""

from __future__ import annotations

import re

from jina_components.deep_search.citing.figures import find_numbers
from jina_components.deep_search.citing.verbatim import count_words

_COURTESY = re.compile(
    r"(?:(?:hello|hi|hey|thanks|thank you|you['’]re welcome|welcome|sure(?: thing)?|of course|certainly|absolutely"
    r"|hallo|guten tag|gerne?|danke|bonjour|merci|hola|gracias|ciao|grazie|你好|您好)\b(?: there| again)?[\s,.!—–]*)*"
    r"(?:$|(?:(?:i['’]m|i am|i['’]d be) )?(?:happy|glad) to help\b|let me know\b|feel free\b"
    r"|i hope (?:this|that|it) helps|i(?: can|['’]ll| will)? (?:gladly )?help\b|(?:how|what) (?:can|may) i\b"
    r"|i['’]m an? (?:ai|assistant|language model)\b"
    r"|here(?: is|['’]s| are) (?:what i|an? (?:summary|overview|list|table|answer)|the|my)\b"
    r"|hier (?:ist|sind) (?:die|der|das|eine?)\b|voici\b)",
    re.IGNORECASE,
)
# What an honest answer says of what it lacks.
_ADMISSION = re.compile(
    r"(?!.*\b(?:but|though|although|aber|sondern|mais|pero|sino)\b)(?:(?:however|unfortunately), )?"
    r"(?:(?:the|these) )?(?:(?:available|provided|given|retrieved) )?"
    r"(?:(?:sources?|documents?|evidence|passages?|information|texts?|excerpts?) "
    r"(?:(?:do|does|did) not|do(?:es)?n['’]t)\b"
    r"|(?:(?:die|in den) )?(?:vorliegenden )?(?:quellen|dokumenten?)\b.{0,60}\b(?:nicht|keine?n?)\b"
    r"|les (?:sources|documents)\b.{0,60}\b(?:pas|aucune?)\b|(?:las fuentes|los documentos) no\b"
    r"|(?:提供的|现有)?(?:来源|资料|文档|文件)(?:中)?(?:没有|未|并未))",
    re.IGNORECASE,
)
# What a sentence is that did nothing but point to an address.
_POINTING = re.compile(
    r"(?:see|read|visit|check|click|cf|siehe|vgl|lesen|voir|ver)\b|.*\b(?:at|on|in|via|under|here|auf|unter|bei|hier|ici)\W*$",
    re.IGNORECASE,
)
_LONGEST_POINTER = 10  # words
_LONGEST_COURTESY = 16  # words; of an admission too


def is_courtesy(says: str) -> bool:
    """Whether a sentence is polite, or tells what the sources do not say, and has little room for more."""
    return count_words(says) <= _LONGEST_COURTESY and bool(_COURTESY.match(says) or _ADMISSION.match(says))


def is_pointer(says: str) -> bool:
    """Whether a sentence from which an address was cut out did nothing but point to it."""
    return count_words(says) <= _LONGEST_POINTER and not any(find_numbers(says)) and _POINTING.match(says) is not None
