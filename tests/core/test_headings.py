from jina_components.core.headings import headings


def test_trails():
    text = "intro\n# Install\nx\n## Linux ##\ny\n### Arch\n## Mac\n# Use\n"
    assert headings(text) == [
        (text.index("# Install"), "Install"),
        (text.index("## Linux"), "Install > Linux"),
        (text.index("### Arch"), "Install > Linux > Arch"),
        (text.index("## Mac"), "Install > Mac"),
        (text.index("# Use"), "Use"),
    ]


def test_code_has_no_headings():
    assert headings("```\n# a comment\n```\n# Heading\n~~~~\n# b\n```\n# c\n") == [(20, "Heading")]
    assert headings("#no heading\n####### nor this\n    # nor that\n") == []


def test_a_long_heading_above_many_takes_little_room():
    found = headings("# " + "a" * 100_000 + "\n" + "## b\n" * 10_000)
    assert len(found) == 10_001
    assert found[-1][1] == "a" * 200 + " > b"
