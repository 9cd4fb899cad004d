"""Elements that say by themselves that they hold the text of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jina_components.reader.content.measure import Measures

if TYPE_CHECKING:
    from lxml.html import HtmlElement

import os
WIDEN=float(os.environ.get('WIDEN','2'))
NARROW=float(os.environ.get('NARROW','0.95'))
_BODY = ".//*[@itemprop='articleBody' or @itemprop='text' or @role='article'] | .//article | .//main | .//*[@role='main']"
_CLS="""(entry|post|article|story)[-_]*(content|body|text)"""


def settle(top: HtmlElement, body: HtmlElement, measures: Measures) -> HtmlElement:
    def mass(e): return measures.chars(e) * (1 - min(1,measures.link_density(e)))
    found = body.xpath(_BODY+" | .//*[self::div or self::section][re:test(@class, '"+_CLS+"', 'i')]", namespaces={"re": "http://exslt.org/regular-expressions"})
    found=[f for f in found if f in measures._position]
    m=mass(top)
    share=float(os.environ.get('SHARE','.3')); least=int(os.environ.get('PL','80'))
    anc=set(top.iterancestors())
    V=os.environ.get('V','')
    scope=body
    if 'z' in V:
        around=[f for f in found if f in anc]
        if around: scope=min(around,key=measures.chars)
    if share and top not in found and ('z' in V or not any(f is top or f in anc for f in found)):
        goods=[p for p in scope.iter('p','li','pre','td') if p in measures._position and measures.chars(p)>=least and measures.link_density(p)<.25]
        total=sum(measures.chars(p) for p in goods)
        from collections import Counter
        hold=Counter()
        for p in goods:
            for a in p.iterancestors():
                hold[a]+=measures.chars(p)
                if a is scope: break
        if total and hold[top] < share*total:
            for a in top.iterancestors():
                if hold[a] >= float(os.environ.get('REACH','.7'))*total or a is scope:
                    top=a; break
            m=mass(top)
    if WIDEN and m < float(os.environ.get('SMALL','1500')):
        mains=[f for f in found if f.tag in('main','article') or f.get('role')=='main']
        arts=[f for f in mains if f.tag=='article']
        if len(arts)>1: mains=[f for f in mains if f.tag!='article']
        if 's' in os.environ.get('V','') and m<500:
            big=[f for f in found if mass(f)>=1.3*m and f is not top]
            if big: return max(big,key=mass)
        wide=[f for f in mains if f in set(top.iterancestors()) and mass(f)>=WIDEN*m]
        if wide: return min(wide,key=mass)
        if not any(f is top or f in set(top.iterancestors()) or top in set(f.iterancestors()) for f in mains):
            wide=[f for f in mains if mass(f)>=WIDEN*m]
            if wide: return max(wide,key=mass)
    return top


def narrow(article, measures):
    def mass(e): return measures.chars(e) * (1 - min(1,measures.link_density(e)))
    if not NARROW: return article
    found = article.xpath(_BODY+" | .//*[self::div or self::section][re:test(@class, '"+_CLS+"', 'i')]", namespaces={"re": "http://exslt.org/regular-expressions"})
    m=sum(mass(c) for c in article)
    inside=[f for f in found if f in measures._position and mass(f)>=NARROW*m]
    if inside:
        only=min(inside,key=mass)
        only.tail=None
        new=article.makeelement('div'); new.append(only); return new
    return article
