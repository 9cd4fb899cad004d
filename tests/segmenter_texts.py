"""Texts that hold every element and many scripts, for property tests."""

from hypothesis import strategies as st

FRAGMENTS = [
    *("# A\n", "## B\n\n", "text. ", "More text! ", "\n\n", "\r\n", "- item\n", "  1. nested\n"),
    *("> quote\n", "    code\n", "```py\n", "```\n", "~~~\n", "| a | b |\n", "|---|---|\n", "$$", "<pre>", "</pre>"),
    *("---\n", "===\n", "e.g. ", "def f(x):\n", "class A:\n", "{", "}", "(", "fn a() {\n", "/* ", "'", '"""', "\\"),
    *("这是。", "カメラ", "각", "e\u0301", "\u200d", "👍🏽", "🇩🇪", "\ud83d", "\udc4d"),
    *("\x0c", "\x1c", "\x00", "\u2028", "[SEP]", "unbelievable", "<|endoftext|>"),
]
texts = st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=12)), max_size=30).map("".join)
