// Takes away what lies over the page: dialogs, cookie walls, banners; and lets the page scroll again.
() => {
  const NAMES = /cookie|consent|gdpr|ccpa|onetrust|cmp-|newsletter|subscribe|paywall|popup|pop-up|modal|overlay|backdrop|interstitial/i;
  const area = innerWidth * innerHeight;
  const all = document.body ? document.body.innerText.length : 0;
  const gone = [];
  for (const element of document.querySelectorAll('body *')) {
    const style = getComputedStyle(element);
    if (style.display === 'none') continue;
    const dialog = element.matches('dialog[open], [role=dialog], [role=alertdialog], [aria-modal=true]');
    const floats = style.position === 'fixed' || style.position === 'sticky' || (style.position === 'absolute' && style.zIndex >= 100);
    if (!dialog && !floats) continue;
    const box = element.getBoundingClientRect();
    const covers = style.position !== 'sticky' && box.width * box.height >= 0.3 * area;
    const named = NAMES.test(`${element.id} ${element.getAttribute('class') || ''} ${element.getAttribute('aria-label') || ''}`)
      || (style.position === 'fixed' && /\bcookies?\b/i.test(element.innerText));
    // A page whose own frame is fixed must not be taken for what lies over it.
    const most = dialog || named ? Math.max(2000, 0.5 * all) : 0.5 * all;
    if ((dialog || covers || named) && element.innerText.length <= most) gone.push(element);
  }
  for (const element of gone) element.remove();
  for (const element of [document.documentElement, document.body]) {
    if (!element) continue;
    for (const name of ['overflow', 'overflow-y']) {
      if (getComputedStyle(element).getPropertyValue(name) === 'hidden') element.style.setProperty(name, 'auto', 'important');
    }
    if (getComputedStyle(element).position === 'fixed') element.style.setProperty('position', 'static', 'important');
  }
  return gone.length;
}
