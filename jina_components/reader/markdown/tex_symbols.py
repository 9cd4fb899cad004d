"""Characters of mathematics and the TeX commands for them (LaTeX with amsmath and amssymb)."""

from __future__ import annotations

_GREEK = dict(
    zip(
        "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΥΦΨΩϵϑϖϱςϕ",
        """alpha beta gamma delta varepsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon varphi
        chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega epsilon vartheta varpi varrho varsigma
        phi""".split(),
        strict=True,
    )
)
_OPERATORS = dict(
    zip(
        "±∓×÷⋅·∗∘∙⊕⊖⊗⊘⊙≤≥≠≈≡∼≃≅∝≪≫≺≻∈∉∋⊂⊃⊆⊇⊄∪∩∖∅∀∃∄¬∧∨→←↔⇒⇐⇔↦⟶⟵⟹⟺↑↓↗↘∂∇∞∑∏∐∫∬∭∮⋃⋂⋁⋀⨁⨂"
        "…⋯⋮⋱⟨⟩⌊⌋⌈⌉‖∥⊥∠△□◊⋆†‡ℏℓℜℑ℘ℵ∣∤⊢⊨⊤≐≜≔∴∵′″⇀↪↠⊎⊔⊓◦≲≳",
        r"""\pm \mp \times \div \cdot \cdot * \circ \bullet \oplus \ominus \otimes \oslash \odot \leq \geq \neq \approx
        \equiv \sim \simeq \cong \propto \ll \gg \prec \succ \in \notin \ni \subset \supset \subseteq \supseteq
        \not\subset \cup \cap \setminus \emptyset \forall \exists \nexists \neg \wedge \vee \to \leftarrow
        \leftrightarrow \Rightarrow \Leftarrow \Leftrightarrow \mapsto \longrightarrow \longleftarrow \implies \iff
        \uparrow \downarrow \nearrow \searrow \partial \nabla \infty \sum \prod \coprod \int \iint \iiint \oint
        \bigcup \bigcap \bigvee \bigwedge \bigoplus \bigotimes \ldots \cdots \vdots \ddots \langle \rangle \lfloor
        \rfloor \lceil \rceil \| \parallel \perp \angle \triangle \square \diamond \star \dagger \ddagger \hbar \ell
        \Re \Im \wp \aleph \mid \nmid \vdash \models \top \doteq \triangleq := \therefore \because ' ''
        \rightharpoonup \hookrightarrow \twoheadrightarrow \uplus \sqcup \sqcap \circ \lesssim \gtrsim""".split(),
        strict=True,
    )
)
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
    """arccos arcsin arctan arg cos cosh cot coth csc deg det dim exp gcd hom inf ker lg lim liminf limsup ln log max min
    Pr sec sin sinh sup tan tanh""".split()
)
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
