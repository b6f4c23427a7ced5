/*
 * The web pixel: tells the app which click a checkout belongs to, where cart attributes do not arrive.
 *
 * Registered as Shopify's package @shopify/web-pixels-extension 2.18 does it, in one line, without the package.
 */
import { KEPT, first, newest, read, usable } from '../../../storefront/click.js';

shopify.extend('WebPixel::Render', ({ analytics, browser, customerPrivacy, init, settings }) => {
  const names = (settings.parameter_names || 'im_ref,irclickid').split(/[\s,]+/);
  const lifetime = (settings.days_kept > 0 ? settings.days_kept : 30) * 864e5;
  let allowed = (init.customerPrivacy || {}).marketingAllowed;
  const waiting = [];

  // Asking for what is blocked must not stop the rest.
  const got = (asked) => Promise.resolve().then(asked).catch(() => '');

  const decoded = (text) => {
    try {
      return decodeURIComponent(text);
    } catch {
      return '';
    }
  };

  const clickOf = async (checkout) => {
    const copies = [
      await got(() => browser.localStorage.getItem(KEPT)),
      decoded(await got(() => browser.cookie.get(KEPT))),
    ];
    const kept = newest(copies.map((copy) => read(copy, lifetime)));
    if (kept) return kept.value;
    const attributes = checkout.attributes || [];
    return first(names, (name) => (attributes.find(({ key }) => key.replace(/^_{1,2}/, '') === name) || {}).value);
  };

  const tell = async (event) => {
    // Once refused, an event waits in memory for the visitor to change their mind.
    if (allowed === false) return waiting.push(event);
    const { checkout } = event.data;
    const click = await clickOf(checkout);
    if (!usable(click) || allowed === false) return;
    const order = /\d+$/.exec((checkout.order || {}).id || '');
    await fetch(settings.app_url.replace(/\/*$/, '/storefront/clicks'), {
      method: 'POST',
      keepalive: true,
      // Plain text asks for no preflight, and nothing of the answer is read.
      mode: 'no-cors',
      body: JSON.stringify({
        shop: init.data.shop.myshopifyDomain,
        checkout_token: checkout.token,
        order_id: order && order[0],
        click,
        consent: allowed ? 'granted' : 'unknown',
        event: event.name,
        at: event.timestamp,
      }),
    });
  };

  const hear = (event) => tell(event).catch(() => {});
  analytics.subscribe('checkout_started', hear);
  analytics.subscribe('checkout_completed', hear);
  customerPrivacy.subscribe('visitorConsentCollected', (event) => {
    allowed = event.customerPrivacy.marketingAllowed;
    if (allowed) for (const late of waiting.splice(0)) hear(late);
  });
});
