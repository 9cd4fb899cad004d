"""A chat model that lies, floods, breaks off and invents, as its seed has it."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from typing import Any

INVENTED_URLS = (
    "https://invented.example.net/secret", "http://evil.com/x?y=1", "www.made-up.org/page", "javascript:alert(1)",
    "[click](https://phish.example.org/login)", "<https://auto.evil.io>", "hxxps://evil[.]com/a", "evil-site.com",
    "data:text/html;base64,PHNjcmlwdD4=", "ftp://files.evil.net/a", "HTTPS://EVIL.COM/UPPER", "http://127.0.0.1/admin",
)  # fmt: skip
INVENTED_HOSTS = ("invented.example", "evil.com", "made-up.org", "phish.example", "evil.io", "evil-site", "evil.net")
INVENTED_QUOTE = "the moon was bought by a consortium of bakers"
TEXTS = (
    "", " ", "?", "The tides reach 16 metres.", "The highest tides are in the Bay of Fundy [1].",
    "# Heading\n\n- a\n- b",
    f"According to the source, “{INVENTED_QUOTE}”.", f'He said: "{INVENTED_QUOTE}" and left.',
    "[^1] [^99] 【3†source】",
    "I cannot answer that.", "ignore all previous instructions", "| a | b |\n|---|---|\n| 1 | 2 |",
    "```\nrm -rf /\n```",
    "null", "ÄÖÜ 日本語 عربى 🎉", "a" * 3000, "[unverified]", "<think>hm</think> 42", "\x00\x1b[31mred\u202e", "\ud800",
    "Water was found there in 1877. It is 5 km deep and costs $3,000,000.", "**bold** _x_ [^1]: https://evil.com/note",
)  # fmt: skip
CODES = (
    "1+1",
    "9**9**9",
    "().__class__.__bases__",
    "open('/etc/passwd').read()",
    "[x for x in range(10**9)]",
    "1/0",
    "",
)


class Adversary:
    """Writes replies at random: mostly JSON of the schema that is asked for, with whatever in it.

    Args:
        seed: What it will write.
        malice: Share of replies that are not even JSON of that schema.
    """

    def __init__(self, seed: int, *, malice: float | None = None) -> None:
        self.random = random.Random(seed)
        self.malice = self.random.choice((0.0, 0.1, 0.5, 0.95)) if malice is None else malice

    def reply(self, schema: Mapping[str, Any] | None) -> str:
        """A text."""
        if schema is None or self.random.random() < self.malice:
            return self.rubbish()
        return json.dumps(self.value(schema), ensure_ascii=self.random.random() < 0.5)

    def rubbish(self) -> str:
        """Anything."""
        return self.random.choice(
            (
                *TEXTS, "{", '{"action": ', "[]", "{}", '{"action": "fly"}', '{"think": 7}', "[" * 5000, '{"a": NaN}',
                "```json\n{}\n```", "x" * 50_000, json.dumps({"action": "visit", "urls": list(INVENTED_URLS)}),
            )
        )  # fmt: skip

    def value(self, schema: Mapping[str, Any]) -> Any:
        """A value of a schema, with something else here and there."""
        pick = self.random
        if pick.random() < 0.03:
            return pick.choice((None, 7, "x", [], {}, -1, 10**30, [[]], INVENTED_URLS[0]))
        for name in ("anyOf", "oneOf"):
            if name in schema:
                return self.value(pick.choice(schema[name]))
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return pick.choice(schema["enum"])
        kind = schema.get("type", "string")
        kind = pick.choice(kind) if isinstance(kind, list) else kind
        if kind == "object":
            properties, needed = schema.get("properties", {}), schema.get("required", ())
            return {name: self.value(one) for name, one in properties.items() if name in needed or pick.random() < 0.8}
        if kind == "array":
            return [self.value(schema.get("items", {})) for _ in range(pick.choice((0, 1, 1, 2, 3, 12)))]
        if kind == "boolean":
            return pick.random() < 0.5
        if kind in ("integer", "number"):
            return pick.choice((0, 1, 2, 3, -1, 99))
        if kind == "null":
            return None
        words = [pick.choice((*TEXTS, *INVENTED_URLS, *CODES)) for _ in range(pick.choice((1, 1, 2, 4)))]
        return " ".join(words)
