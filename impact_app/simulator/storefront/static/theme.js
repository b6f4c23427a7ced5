/* The theme's own script: the consent banner, and the list of what this browser has kept. */
(() => {
  const at = (id) => document.getElementById(id);
  const banner = at('consent');

  const decide = (yes) => {
    const consent = { marketing: yes, analytics: yes, preferences: yes, sale_of_data: yes };
    window.Shopify.customerPrivacy.setTrackingConsent(consent, () => {
      banner.hidden = true;
    });
  };
  at('consent-accept').onclick = () => decide(true);
  at('consent-decline').onclick = () => decide(false);
  at('consent-change').onclick = () => {
    banner.hidden = false;
    at('consent-accept').focus();
  };
  window.Shopify.loadFeatures([{ name: 'consent-tracking-api', version: '0.1' }], (error) => {
    if (!error && window.Shopify.customerPrivacy.shouldShowBanner()) banner.hidden = false;
  });

  const form = document.querySelector('form.buy');
  if (form) {
    at('quick-add').onclick = async () => {
      await fetch(window.Shopify.routes.root + 'cart/add.js', { method: 'POST', body: new FormData(form) });
      const cart = await (await fetch(window.Shopify.routes.root + 'cart.js')).json();
      const lines = cart.items.map(({ quantity, title }) => {
        const line = document.createElement('li');
        line.textContent = quantity + ' × ' + title;
        return line;
      });
      at('drawer').querySelector('ul').replaceChildren(...lines);
      at('drawer').showModal();
    };
  }

  const stored = (area) => {
    try {
      return window[area].getItem(area === 'localStorage' ? 'impact_click' : 'impact_click_told') || 'nothing';
    } catch (error) {
      return 'blocked';
    }
  };
  const list = (entries) => {
    const parts = entries.flatMap(([name, value]) => {
      const [term, words] = [document.createElement('dt'), document.createElement('dd')];
      term.textContent = name;
      words.textContent = value;
      return [term, words];
    });
    at('kept').querySelector('dl').replaceChildren(...parts);
  };
  at('kept').ontoggle = async () => {
    if (!at('kept').open) return;
    const cart = await (await fetch(window.Shopify.routes.root + 'cart.js')).json();
    const cookie = (document.cookie.match(/(?:^|; )impact_click=([^;]*)/) || [])[1];
    list([
      ['Cookie', cookie ? decodeURIComponent(cookie) : 'nothing'],
      ['Local storage', stored('localStorage')],
      ['Session storage', stored('sessionStorage')],
      ['Cart attributes', JSON.stringify(cart.attributes)],
    ]);
  };
})();
