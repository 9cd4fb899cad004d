from __future__ import annotations

import gzip

import pytest
from office_samples import read

from jina_components.errors import ExtractionError
from jina_components.reader.formats import feeds
from jina_components.reader.sources import Source, format_of, unpacked

RSS = """<?xml version="1.0"?><rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:media="http://search.yahoo.com/mrss/"><channel>
<title>Coast &amp; tides&nbsp;daily</title><link>https://h/</link><description>About <b>water</b></description>
<language>en-gb</language><pubDate>Tue, 05 Mar 2024 10:00:00 GMT</pubDate>
<item><title>A &lt;i&gt;storm&lt;/i&gt;</title><link>/storm</link><dc:creator>Ada Marsh</dc:creator>
<pubDate>Tue, 05 Mar 2024 10:00:00 GMT</pubDate><description>short</description><media:content url="x.mp4"/>
<content:encoded><![CDATA[<p>It blew. <a href="more">More</a></p><ul><li>wind</li></ul><script>x</script>]]>
</content:encoded></item>
<item><guid>https://h/guid</guid><description>Plain &amp;amp; simple

second part</description></item></channel></rss>"""


def test_rss() -> None:
    page = read(RSS)
    assert page.content == (
        "# Coast & tides daily\n\n2024-03-05T10:00:00+00:00\n\nAbout **water**\n\n## [A storm](https://h/storm)\n\n"
        "2024-03-05T10:00:00+00:00 · Ada Marsh\n\nIt blew. [More](https://h/d/more)\n\n- wind\n\n"
        "## [https://h/guid](https://h/guid)\n\nPlain & simple second part"
    )
    assert (page.description, page.language, page.published_time) == (
        "About water",
        "en-gb",
        "2024-03-05T10:00:00+00:00",
    )
    assert page.metadata == {"entries": 2}
    assert page.links[0] == ("A storm", "https://h/storm")


def test_atom() -> None:
    page = read(
        '<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="de"><title>Gezeiten</title><link rel="self" href="x"/>'
        '<author><name>Bo</name></author><entry><title type="html">A &amp;lt;b&amp;gt;</title><link href="e1"/>'
        "<updated>2024-01-02T03:04:05Z</updated>"
        '<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>Es <em>ebbt</em></p></div></content>'
        "</entry><entry><title>Kurz</title><summary>nur dies</summary></entry></feed>"
    )
    assert page.content == (
        "# Gezeiten\n\nBo\n\n## [A \\<b>](https://h/d/e1)\n\n2024-01-02T03:04:05+00:00\n\nEs *ebbt*\n\n"
        "## Kurz\n\nnur dies"
    )
    assert page.language == "de"


def test_rdf() -> None:
    page = read(
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/">'
        "<channel><title>Sea</title></channel><item><title>Wave</title><link>https://h/w</link></item></rdf:RDF>"
    )
    assert page.content == "# Sea\n\n## [Wave](https://h/w)"


def test_a_broken_feed_is_read_as_far_as_it_goes() -> None:
    assert "storm" in read(RSS[: RSS.index("<item><guid>") + 30]).content
    with pytest.raises(ExtractionError, match="without title and entries"):
        read("<rss></rss>", "x.rss")


def test_a_long_feed_is_cut_with_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "MAX_ENTRIES", 2)
    items = "".join(f"<item><title>t{number}</title></item>" for number in range(5))
    page = read(f"<rss><channel><title>T</title>{items}</channel></rss>")
    assert "t1" in page.content
    assert "t2" not in page.content
    assert page.warnings == ("3 entries after the first 2 were not read.",)


def test_sitemaps_and_their_index() -> None:
    page = read(
        '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:n="http://www.google.com/schemas/sitemap-news/0.9">'
        "<url><loc>https://h/a</loc><lastmod>2024-01-01</lastmod></url><url><loc>https://h/b?x=1&amp;y=2</loc>"
        "<n:news><n:title>Big wave</n:title></n:news></url><url><lastmod>2024</lastmod></url></urlset>"
    )
    assert page.content == "- [https://h/a](https://h/a) (2024-01-01)\n- [Big wave](https://h/b?x=1&y=2)"
    assert page.links == (("https://h/a", "https://h/a"), ("Big wave", "https://h/b?x=1&y=2"))
    index = read("<sitemapindex><sitemap><loc>https://h/1.xml.gz</loc></sitemap></sitemapindex>")
    assert (index.title, index.metadata) == ("Index of sitemaps", {"urls": 1})
    with pytest.raises(ExtractionError, match="lists no URL"):
        read("<urlset></urlset>")


def test_packed_sitemaps() -> None:
    data = gzip.compress(b"<urlset><url><loc>https://h/a</loc></url></urlset>")
    source = unpacked(Source("https://h/s.xml.gz", data, "", "application/x-gzip"))
    assert (source.name, format_of(source)) == ("https://h/s.xml", "sitemap")


def test_a_broken_feed_is_read_with_a_warning() -> None:
    whole = "<rss><channel><title>T</title><item><title>one</title></item></channel></rss>"
    assert read(whole).warnings == ()
    page = read(whole.replace("</item>", "</itm>"))
    assert "one" in page.content
    assert "The XML is broken" in page.warnings[0]
