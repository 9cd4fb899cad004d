// The document as it stands, written out. Iterative: scripts can nest elements deeper than the stack.
// given: {shadow, frameMark, absolute, bodyOnly, maxLength}
(given) => {
  const VOID = new Set('area base br col embed hr img input link meta source track wbr'.split(' '));
  const RAW = new Set('style script xmp iframe noembed noframes plaintext noscript'.split(' '));
  const OUT = new Set('canvas template'.split(' '));
  const UNDISPLAYED = new Set('head title meta link script style base noscript template'.split(' '));
  const DATA_SCRIPT = /ld\+json|^math\//i;
  const URLS = { a: 'href', area: 'href', img: 'src', iframe: 'src', video: 'src', audio: 'src', source: 'src' };
  const text = (s) => s.replace(/&/g, '&amp;').replace(/\u00a0/g, '&nbsp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
  const quoted = (s) => s.replace(/&/g, '&amp;').replace(/\u00a0/g, '&nbsp;').replace(/"/g, '&quot;');
  const out = [];
  let length = 0, shadows = 0, frames = 0;
  const put = (s) => { out.push(s); length += s.length; };

  const shown = (img) => img.complete && img.naturalWidth > 1 && img.currentSrc;

  const attributes = (element, name, hidden) => {
    const loaded = name === 'img' && shown(element);
    for (const { name: key, value } of element.attributes) {
      if (key === 'hidden' || key === given.frameMark || (!/^[^\s"'<>\/=]+$/.test(key))) continue;
      if (loaded && (key === 'src' || key === 'srcset' || key === 'sizes' || key === 'loading')) continue;
      if (key.startsWith('on')) continue;
      const resolved = given.absolute && URLS[name] === key && value ? element[key] : value;
      put(` ${key}="${quoted(typeof resolved === 'string' ? resolved : value)}"`);
    }
    if (loaded) put(` src="${quoted(element.currentSrc)}"`);
    if (hidden) put(' hidden=""');
  };

  const children = (element) => {
    if (given.shadow && element.shadowRoot) return element.shadowRoot.childNodes;
    if (given.shadow && element.localName === 'slot' && element.assignedNodes) {
      const assigned = element.assignedNodes();
      if (assigned.length) return assigned;
    }
    return element.childNodes;
  };

  const stack = [];
  const descend = (nodes, veiled, inHidden) => {
    for (let i = nodes.length - 1; i >= 0; i--) stack.push([nodes[i], veiled, inHidden]);
  };

  const open = (element, veiled, inHidden) => {
    const name = element.localName;
    if (OUT.has(name)) return;
    if (name === 'script' && !DATA_SCRIPT.test(element.type)) return;
    if (name === 'style' && element.getRootNode() !== document) return;
    if (name === 'noscript' && !/<img/i.test(element.textContent)) return;
    if (name === 'source' && element.parentNode.localName === 'picture') {
      const img = element.parentNode.querySelector('img');
      if (img && shown(img)) return;
    }
    if (name === 'slot' && given.shadow) { descend(children(element), veiled, inHidden); return; }
    if (element.shadowRoot && !given.shadow && /\S/.test(element.shadowRoot.textContent)) shadows++;
    let hidden = false;
    if (!inHidden && !UNDISPLAYED.has(name)) {
      const style = getComputedStyle(element);
      hidden = style.display === 'none';
      veiled = style.visibility !== 'visible' && style.visibility !== '';
    }
    if (name === 'iframe' || name === 'frame') {
      if (!hidden) frames++;
      const mark = element.getAttribute(given.frameMark);
      if (mark !== null) { put(`<!--${given.frameMark}:${mark}-->`); return; }
    }
    put(`<${name}`);
    attributes(element, name, hidden || (veiled && !inHidden && !element.firstElementChild));
    put('>');
    if (VOID.has(name) && element.namespaceURI === 'http://www.w3.org/1999/xhtml') return;
    if (RAW.has(name)) { put(`${element.textContent}</${name}>`); return; }
    stack.push(`</${name}>`);
    if (name === 'pre' || name === 'textarea') {
      const first = element.firstChild;
      if (first && first.nodeType === 3 && first.data.startsWith('\n')) put('\n');
    }
    descend(children(element), veiled, inHidden || hidden);
  };

  const root = given.bodyOnly ? document.body : document.documentElement;
  if (root) stack.push(...(given.bodyOnly ? [] : [[root, false, false]]));
  if (root && given.bodyOnly) descend(root.childNodes, false, false);
  while (stack.length && length <= given.maxLength) {
    const next = stack.pop();
    if (typeof next === 'string') { put(next); continue; }
    const [node, veiled, inHidden] = next;
    if (node.nodeType === 1) open(node, veiled, inHidden);
    else if (node.nodeType === 3) {
      const siblings = node.parentNode && node.parentNode.firstElementChild;
      put(veiled && !inHidden && siblings && /\S/.test(node.data) ? `<span hidden="">${text(node.data)}</span>` : text(node.data));
    }
  }
  const whole = !stack.length && length <= given.maxLength;
  const title = String(document.title).slice(0, 1000);
  return { html: whole ? out.join('') : '', title, url: document.URL, shadows, frames, whole };
}
