/* The web pixel in a sandbox of its own: what it reads, when it tells, and that it keeps silent where it must. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { app } from './doubles.js';

let register;
globalThis.shopify = {
  extend(point, given) {
    assert.equal(point, 'WebPixel::Render');
    register = given;
  },
};
await import('../../extensions/click-pixel/src/index.js');

const NOW = Date.now();
const DAY = 864e5;

/** Starts the pixel; `happen` emits an event, `consent` changes the visitor's mind, `told` lists the bodies that came. */
const pixel = async (t, { cookie = '', local = null, privacy = { marketingAllowed: true }, settings = {} } = {}) => {
  const server = await app();
  t.after(server.close);
  const subscribers = {};
  const blocked = () => Promise.reject(new Error('SecurityError'));
  let changed;
  register({
    analytics: { subscribe: (name, hear) => (subscribers[name] = hear) },
    browser: {
      cookie: { get: cookie === 'blocked' ? blocked : async () => cookie },
      localStorage: { getItem: local === 'blocked' ? blocked : async () => local },
    },
    customerPrivacy: { subscribe: (name, hear) => name === 'visitorConsentCollected' && (changed = hear) },
    init: { data: { shop: { myshopifyDomain: 's.myshopify.com' } }, customerPrivacy: privacy },
    settings: { app_url: server.url, ...settings },
  });
  return {
    subscribers,
    happen: (name, checkout = {}) =>
      subscribers[name]({ name, timestamp: '2026-11-20T10:00:00.000Z', data: { checkout: { token: 'tok', ...checkout } } }),
    consent: (marketingAllowed) => changed({ customerPrivacy: { marketingAllowed } }),
    told: () => server.requests.map(({ text }) => JSON.parse(text)),
    requests: server.requests,
  };
};

test('both events are told, with the order once there is one', async (t) => {
  const { happen, told, requests, subscribers } = await pixel(t, { local: `${NOW}.Qx~7:Ab-9` });
  assert.deepEqual(Object.keys(subscribers), ['checkout_started', 'checkout_completed']);
  await happen('checkout_started', { order: null });
  await happen('checkout_completed', { order: { id: 'gid://shopify/OrderIdentity/6103' } });
  const common = { shop: 's.myshopify.com', checkout_token: 'tok', click: 'Qx~7:Ab-9', consent: 'granted', at: '2026-11-20T10:00:00.000Z' };
  assert.deepEqual(told(), [
    { ...common, order_id: null, event: 'checkout_started' },
    { ...common, order_id: '6103', event: 'checkout_completed' },
  ]);
  assert.deepEqual([...new Set(requests.map(({ url }) => url))], ['/storefront/clicks']);
});

test('the newest copy counts, then what the checkout carries', async (t) => {
  const click = async (held, checkout) => {
    const { happen, told } = await pixel(t, held);
    await happen('checkout_started', checkout);
    return told().map((one) => one.click);
  };
  const cookie = encodeURIComponent(`${NOW}.a%3Ab`);
  assert.deepEqual(await click({ cookie, local: `${NOW - 1000}.older` }), ['a%3Ab']);
  assert.deepEqual(await click({ cookie: 'blocked', local: `${NOW}.local` }), ['local']);
  assert.deepEqual(await click({ cookie, local: 'blocked' }), ['a%3Ab']);
  const attributes = [
    { key: 'gift', value: 'yes' },
    { key: 'irclickid', value: 'second' },
    { key: '__im_ref', value: 'first' },
  ];
  assert.deepEqual(await click({}, { attributes }), ['first']);
  assert.deepEqual(await click({ settings: { parameter_names: 'partner, irclickid' } }, { attributes }), ['second']);
  assert.deepEqual(await click({ local: `${NOW - 31 * DAY}.old` }), []);
  assert.deepEqual(await click({ local: `${NOW - 31 * DAY}.old`, settings: { days_kept: '45' } }), ['old']);
  assert.deepEqual(await click({ cookie: '%zz', local: `${NOW}.${'x'.repeat(65)}` }), []);
});

test('refused consent tells nothing, and consent given later tells what happened', async (t) => {
  const { happen, consent, told } = await pixel(t, { local: `${NOW}.abc`, privacy: { marketingAllowed: false } });
  await happen('checkout_started');
  assert.deepEqual(told(), []);
  consent(false);
  await happen('checkout_completed', { order: { id: '6103' } });
  assert.deepEqual(told(), []);
  consent(true);
  while (told().length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(told().map(({ event }) => event).sort(), ['checkout_completed', 'checkout_started']);
});

test('consent withdrawn while it looks for the click tells nothing', async (t) => {
  const { happen, consent, told } = await pixel(t, { local: `${NOW}.abc` });
  const looking = happen('checkout_started');
  consent(false);
  await looking;
  assert.deepEqual(told(), []);
});

test('where Shopify says nothing of consent, so does the pixel', async (t) => {
  const { happen, told } = await pixel(t, { local: `${NOW}.abc`, privacy: null });
  await happen('checkout_started');
  assert.equal(told()[0].consent, 'unknown');
});

test('an app that is away is no error', async (t) => {
  const { happen } = await pixel(t, { local: `${NOW}.abc`, settings: { app_url: 'http://127.0.0.1:9' } });
  await happen('checkout_started');
});
