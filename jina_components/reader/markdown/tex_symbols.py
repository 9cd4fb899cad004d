"""Characters of mathematics and the TeX commands for them (LaTeX with amsmath and amssymb)."""

from __future__ import annotations

_GREEK = dict(
    zip(
        "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΥΦΨΩϵϑϖϱςϕ",
        (
            "alpha", "beta", "gamma", "delta", "varepsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda",
            "mu", "nu", "xi", "pi", "rho", "sigma", "tau", "upsilon", "varphi", "chi", "psi", "omega", "Gamma",
            "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Upsilon", "Phi", "Psi", "Omega", "epsilon",
            "vartheta", "varpi", "varrho", "varsigma", "phi",
        ),
        strict=True,
    )
)  # fmt: skip
_OPERATORS = dict(
    zip(
        "±∓×÷⋅·∗∘∙⊕⊖⊗⊘⊙≤≥≠≈≡∼≃≅∝≪≫≺≻∈∉∋⊂⊃⊆⊇⊄∪∩∖∅∀∃∄¬∧∨→←↔⇒⇐⇔↦⟶⟵⟹⟺↑↓↗↘∂∇∞∑∏∐∫∬∭∮⋃⋂⋁⋀⨁⨂"
        "…⋯⋮⋱⟨⟩⌊⌋⌈⌉‖∥⊥∠△□◊⋆†‡ℏℓℜℑ℘ℵ∣∤⊢⊨⊤≐≜≔∴∵′″⇀↪↠⊎⊔⊓◦≲≳",
        (
            r"\pm", r"\mp", r"\times", r"\div", r"\cdot", r"\cdot", "*", r"\circ", r"\bullet", r"\oplus",
            r"\ominus", r"\otimes", r"\oslash", r"\odot", r"\leq", r"\geq", r"\neq", r"\approx", r"\equiv",
            r"\sim", r"\simeq", r"\cong", r"\propto", r"\ll", r"\gg", r"\prec", r"\succ", r"\in", r"\notin",
            r"\ni", r"\subset", r"\supset", r"\subseteq", r"\supseteq", r"\not\subset", r"\cup", r"\cap",
            r"\setminus", r"\emptyset", r"\forall", r"\exists", r"\nexists", r"\neg", r"\wedge", r"\vee",
            r"\to", r"\leftarrow", r"\leftrightarrow", r"\Rightarrow", r"\Leftarrow", r"\Leftrightarrow",
            r"\mapsto", r"\longrightarrow", r"\longleftarrow", r"\implies", r"\iff", r"\uparrow",
            r"\downarrow", r"\nearrow", r"\searrow", r"\partial", r"\nabla", r"\infty", r"\sum", r"\prod",
            r"\coprod", r"\int", r"\iint", r"\iiint", r"\oint", r"\bigcup", r"\bigcap", r"\bigvee",
            r"\bigwedge", r"\bigoplus", r"\bigotimes", r"\ldots", r"\cdots", r"\vdots", r"\ddots", r"\langle",
            r"\rangle", r"\lfloor", r"\rfloor", r"\lceil", r"\rceil", r"\|", r"\parallel", r"\perp", r"\angle",
            r"\triangle", r"\square", r"\diamond", r"\star", r"\dagger", r"\ddagger", r"\hbar", r"\ell",
            r"\Re", r"\Im", r"\wp", r"\aleph", r"\mid", r"\nmid", r"\vdash", r"\models", r"\top", r"\doteq",
            r"\triangleq", ":=", r"\therefore", r"\because", "'", "''", r"\rightharpoonup", r"\hookrightarrow",
            r"\twoheadrightarrow", r"\uplus", r"\sqcup", r"\sqcap", r"\circ", r"\lesssim", r"\gtrsim",
        ),
        strict=True,
    )
)  # fmt: skip
_LETTERS = {char: f"\\mathbb{{{letter}}}" for char, letter in zip("ℂℍℕℙℚℝℤ", "CHNPQRZ", strict=True)}
_LETTERS |= {char: f"\\mathcal{{{letter}}}" for char, letter in zip("ℬℰℱℋℐℒℳℛ", "BEFHILMR", strict=True)}
_PLAIN = {
    "−": "-", "–": "-", "⁄": "/", "∕": "/", "\u00a0": "\\ ", "{": "\\{", "}": "\\}", "%": "\\%", "#": "\\#", "&": "\\&",
    "$": "\\$", "_": "\\_", "\\": "\\backslash ", "~": "\\sim ",
    # Function application, invisible times, separator and plus.
    "\u2061": "", "\u2062": "", "\u2063": "", "\u2064": "",
}  # fmt: skip
_SYMBOLS = {char: f"\\{name} " for char, name in _GREEK.items()}
_SYMBOLS |= {char: f"{name} " if name[-1].isalpha() else name for char, name in _OPERATORS.items()}
_SYMBOLS |= _LETTERS | _PLAIN

FUNCTIONS = frozenset(
    (
        "arccos", "arcsin", "arctan", "arg", "cos", "cosh", "cot", "coth", "csc", "deg", "det", "dim", "exp",
        "gcd", "hom", "inf", "ker", "lg", "lim", "liminf", "limsup", "ln", "log", "max", "min", "Pr", "sec",
        "sin", "sinh", "sup", "tan", "tanh",
    )
)  # fmt: skip
"""Names that TeX has a command for."""

ACCENTS = {
    "^": "hat", "ˆ": "hat", "¯": "bar", "‾": "overline", "_": "overline", "\\_": "overline", "→": "vec", "\\to": "vec",
    "⃗": "vec", "~": "tilde", "\\sim": "tilde", "˜": "tilde", "˙": "dot", ".": "dot", "¨": "ddot", "⏞": "overbrace",
    "˘": "breve", "ˇ": "check", "´": "acute", "`": "grave", "⏜": "overparen", "-": "bar", "\\rightharpoonup": "vec",
}  # fmt: skip
"""Commands by the TeX of what stands over a base."""

UNDER_ACCENTS = {
    "_": "underline",
    "\\_": "underline",
    "‾": "underline",
    "¯": "underline",
    "⏟": "underbrace",
    "-": "underline",
}
"""Commands by the TeX of what stands under a base."""


def symbol(char: str) -> str:
    """The TeX of one character; a command that letters could follow ends in a space."""
    if char in _SYMBOLS:
        return _SYMBOLS[char]
    if "\U0001d400" <= char <= "\U0001d7ff":
        return _styled(char)
    return char


_ALPHABETS = (
    ("\U0001d400", "mathbf"), ("\U0001d434", ""), ("\U0001d468", "boldsymbol"), ("\U0001d49c", "mathcal"),
    ("\U0001d4d0", "mathcal"), ("\U0001d504", "mathfrak"), ("\U0001d538", "mathbb"), ("\U0001d56c", "mathfrak"),
    ("\U0001d5a0", "mathsf"), ("\U0001d5d4", "mathsf"), ("\U0001d608", "mathsf"), ("\U0001d63c", "mathsf"),
    ("\U0001d670", "mathtt"),
)  # fmt: skip


def _styled(char: str) -> str:
    """A letter of the block of mathematical alphabets: 52 Latin letters in each."""
    for first, font in _ALPHABETS:
        at = ord(char) - ord(first)
        if 0 <= at < 52:
            letter = chr(ord("A") + at) if at < 26 else chr(ord("a") + at - 26)
            return f"\\{font}{{{letter}}}" if font else letter
    import unicodedata

    plain = unicodedata.normalize("NFKC", char)
    return plain if plain == char else symbol(plain)
