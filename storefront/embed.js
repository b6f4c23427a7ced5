/* The theme app extension: keeps a partner's click if the visitor agrees, and writes it to the cart. */
import { KEPT, copyOf, first, newest, query, read } from './click.js';

// Storage may be blocked, other scripts may have replaced anything: nothing may throw.
const attempt = (action) => {
  try {
    return action();
  } catch {}
};

// No function around it all: a browser would read it twice, once to skip it and once to run it.
capture: try {
  const shopify = window.Shopify;
  if (window.impactClickCapture || shopify.designMode) break capture;
  window.impactClickCapture = true;

  const SENT = 'impact_click_told';
  const REMOVE = '-';
  const { names, days, attribute, domains, line, rewards } = JSON.parse(
    document.getElementById('impact-click-capture').textContent,
  );
  const words = (text) => text.match(/[^\s,]+/g) || [];
  const parameters = words(names);
  const lifetime = (days > 0 ? days : 30) * 864e5;

  const asked = query(location.search);
  const value = first(parameters, (name) => asked.get(name));
  const landed = value && {
    value,
    time: Date.now(),
    asked: asked.get('im_rewards') === '1' ? 'r' : '',
  };

  const cookie = (name) =>
    attempt(() => decodeURIComponent(document.cookie.match('(?:^|; )' + name + '=([^;]*)')[1])) || '';

  const save = (area, key, text) =>
    attempt(() => (text ? area().setItem(key, text) : area().removeItem(key)));
  const local = () => localStorage;
  const session = () => sessionStorage;

  const copies = () => [cookie(KEPT), attempt(() => local().getItem(KEPT))];

  // The app that was here before left its own cookie, which says nothing of its age.
  const left = () => {
    const value = first(parameters, cookie);
    return value && { value, time: Date.now(), asked: '' };
  };

  const find = () =>
    newest([landed, ...[...copies(), asked.get(KEPT)].map((copy) => read(copy, lifetime))]) || left();

  const keep = (copy, seconds) => {
    attempt(() => {
      document.cookie =
        KEPT + '=' + encodeURIComponent(copy) + ';path=/;samesite=lax;secure;max-age=' + seconds;
    });
    save(local, KEPT, copy);
  };

  // What the cart was last told: "<cart token> <click id>", or that a removal is due.
  let told = attempt(() => session().getItem(SENT));
  const tell = (text) => save(session, SENT, (told = text));

  const call = async (path, options) => {
    const answer = await fetch(shopify.routes.root + path, options);
    if (!answer.ok) throw 0;
    return answer.json(); // fails, as it should, on a bot check's HTML
  };

  const post = (path, body) =>
    call(path, {
      method: 'POST',
      keepalive: true,
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    });

  let click;
  const write = async () => {
    const value = click ? click.value : '';
    if (value && told && told !== REMOVE) {
      // After the back button a browser would answer from its cache, with the cart that was sold.
      const token = cookie('cart') || (await call('cart.js', { cache: 'no-store' })).token;
      if (told === token + ' ' + value) return;
    }
    if (!value && !told) return;
    const cart = await post('cart/update.js', {
      attributes: { ...(!value && { irclickid: '' }), [attribute]: value },
    });
    for (const { key, quantity, properties } of value ? [] : cart.items)
      if (properties && properties[line])
        await post('cart/change.js', { id: key, quantity, properties: { ...properties, [line]: undefined } });
    // A private attribute, "__", cannot be read back.
    if (!/^__/.test(attribute) && (cart.attributes[attribute] || '') !== value) throw 0;
    tell(value && (cookie('cart') || cart.token) + ' ' + value);
  };

  // One call at a time and one retry; then it is the next page's turn.
  let queue = Promise.resolve();
  const update = () => {
    queue = queue
      .then(write)
      .catch(() => new Promise((resolve) => setTimeout(resolve, 1500)).then(write))
      .catch(() => {});
  };

  const field = (form, name, value) => {
    let input = form.elements[name];
    if (!value) return input && input.remove();
    if (!input) {
      input = document.createElement('input');
      input.type = 'hidden';
      input.name = name;
      form.append(input);
    }
    input.value = value;
  };

  // "Buy it now" leaves the cart's attributes behind and takes a line's properties along.
  const mark = () =>
    line &&
    document
      .querySelectorAll('form[action*="/cart/add"]')
      .forEach((form) => field(form, 'properties[' + line + ']', click && click.value));

  // Other domains of the shop and carts made by a link start without the click, so the link carries it.
  const carried = ({ host, pathname }) =>
    host !== location.host
      ? words(domains).includes(host) && [
          [parameters[0], click && click.value],
          [KEPT, click && copyOf(click)],
        ]
      : /\/cart\/\d+:/.test(pathname) && [['attributes[' + attribute + ']', click && click.value]];

  const hand = ({ target }) =>
    attempt(() => {
      mark();
      const spot = target.closest('a[href],form');
      const name = spot.href ? 'href' : 'action';
      const url = new URL(spot[name]);
      const pairs = carried(url);
      if (!pairs) return;
      if (spot.method === 'get') return pairs.forEach((pair) => field(spot, ...pair));
      if (!click || query(url.search).has(pairs[0][0])) return;
      const before = spot.getAttribute(name);
      // Appended as text, since the rest of the query is not ours to spell anew.
      url.search += (url.search && '&') + pairs.map((pair) => pair.map(encodeURIComponent).join('=')).join('&');
      spot[name] = url;
      setTimeout(() => spot.setAttribute(name, before));
    });

  const settle = (allowed, refused) => {
    click = find();
    if (!allowed && (refused || !rewards || !click || !click.asked)) click = '';
    if (click) {
      keep(copyOf(click), Math.ceil((click.time + lifetime - Date.now()) / 1000));
      update();
    } else if (told || copies().some(Boolean)) {
      keep('', 0);
      tell(REMOVE);
      update();
    }
    attempt(mark);
  };

  const ask = () => {
    const privacy = shopify.customerPrivacy;
    if (!privacy || !privacy.marketingAllowed) return;
    settle(privacy.marketingAllowed(), rewards && privacy.currentVisitorConsent().marketing === 'no');
    return true;
  };

  document.addEventListener('visitorConsentCollected', ({ detail }) =>
    attempt(() => (detail ? settle(detail.marketingAllowed, true) : ask())),
  );
  // A page from the back button's cache runs no script anew, and the cart may have been sold meanwhile.
  addEventListener('pageshow', ({ persisted }) => persisted && attempt(ask));
  for (const type of ['click', 'auxclick', 'submit']) addEventListener(type, hand, true);
  // Without an answer nothing is kept and nothing removed.
  if (!ask())
    shopify.loadFeatures([{ name: 'consent-tracking-api', version: '0.1' }], () => attempt(ask));
} catch {}
