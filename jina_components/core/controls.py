"""Characters that rule what shows a text, rather than being shown."""

from __future__ import annotations

import re

RULING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What moves a terminal's cursor, changes its colours or the direction of the characters around it; tabs and line feeds
are none of these."""
