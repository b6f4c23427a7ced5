/* Keeps a partner's click id if the visitor agrees, and writes it to the cart. */
(() => {
  // Storage may be blocked, other scripts may have replaced anything: nothing may throw.
  const attempt = (action) => {
    try {
      return action();
    } catch (error) {}
  };

  attempt(() => {
    const shopify = window.Shopify;
    if (window.impactClickCapture || shopify.designMode) return;
    window.impactClickCapture = true;

    const KEPT = 'impact_click';
    const SENT = 'impact_click_told';
    const REMOVE = '-';
    const { names, days, attribute } = JSON.parse(
      document.getElementById('impact-click-capture').textContent,
    );
    const lifetime = (days > 0 ? days : 30) * 864e5;

    const usable = (value) => value && /^[^\s\0-\x1f\x7f-\x9f\ufffd]{1,64}$/.test(value);

    // A click id holds no blanks, so a plus sign in it is one.
    const query = new URLSearchParams(location.search.replace(/\+/g, '%2B'));
    const value = names.split(',').map((name) => query.get(name.trim())).find(usable);
    const landed = value && { value, time: Date.now() };

    const cookie = (name) =>
      attempt(() => document.cookie.match('(?:^|; )' + name + '=([^;]*)')[1]) || '';

    const save = (area, key, text) =>
      attempt(() => (text ? area().setItem(key, text) : area().removeItem(key)));
    const local = () => localStorage;
    const session = () => sessionStorage;

    const copies = () => [
      attempt(() => decodeURIComponent(cookie(KEPT))),
      attempt(() => local().getItem(KEPT)),
    ];

    // A copy is "<milliseconds since 1970>.<click id>".
    const read = (copy) => {
      const [, time, value] = /^(\d+)\.([^]+)/.exec(copy) || [];
      return usable(value) && Date.now() - time < lifetime && { value, time: +time };
    };

    // An id seen again is a reload, not a new click: its first time stands.
    const newest = () =>
      copies().map(read).reduce(
        (best, kept) =>
          kept && (!best || kept.value === best.value || kept.time > best.time) ? kept : best,
        landed,
      );

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

    let wanted;
    const write = async () => {
      const value = wanted;
      if (value && told && told !== REMOVE) {
        const token = cookie('cart') || (await call('cart.js')).token;
        if (told === token + ' ' + value) return;
      }
      if (!value && !told) return;
      const cart = await call('cart/update.js', {
        method: 'POST',
        keepalive: true,
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ attributes: { [attribute]: value } }),
      });
      // A private attribute, "__", cannot be read back.
      if (!/^__/.test(attribute) && (cart.attributes[attribute] || '') !== value) throw 0;
      tell(value && (cookie('cart') || cart.token) + ' ' + value);
    };

    // One call at a time and one retry; then it is the next page's turn.
    let queue = Promise.resolve();
    const update = (value) => {
      wanted = value;
      queue = queue
        .then(write)
        .catch(() => new Promise((resolve) => setTimeout(resolve, 1500)).then(write))
        .catch(() => {});
    };

    const settle = (allowed) => {
      const click = allowed && newest();
      if (click) {
        keep(click.time + '.' + click.value, Math.ceil((click.time + lifetime - Date.now()) / 1000));
        update(click.value);
      } else if (told || copies().some(Boolean)) {
        keep('', 0);
        tell(REMOVE);
        update('');
      }
    };

    const ask = () => {
      const privacy = shopify.customerPrivacy;
      if (!privacy || !privacy.marketingAllowed) return;
      settle(privacy.marketingAllowed());
      return true;
    };

    document.addEventListener('visitorConsentCollected', ({ detail }) =>
      attempt(() => (detail ? settle(detail.marketingAllowed) : ask())),
    );
    // Without an answer nothing is kept and nothing removed.
    if (!ask())
      shopify.loadFeatures([{ name: 'consent-tracking-api', version: '0.1' }], () => attempt(ask));
  });
})();
