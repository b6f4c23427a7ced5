import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  cartAttributes,
  checkoutMetadata,
  graphql,
  sendClick,
  writeSaleorCheckout,
  writeShopifyCart,
} from '../index.js';
import { app, saleor, shopify } from './doubles.js';

const CLICK = { value: 'Qx~7:Ab-9', time: 1_700_000_000_000, asked: '' };
const CART = 'gid://shopify/Cart/c1?key=secret';
const GIFT = { key: 'gift', value: 'yes' };
const held = (value) => ({ key: 'im_ref', value });

const serving = async (t, started) => {
  const server = await started;
  t.after(server.close);
  return server;
};

test('a Shopify cart gets the click and keeps its other attributes', async (t) => {
  const carts = new Map([[CART, [GIFT]]]);
  const server = await serving(t, shopify(carts));
  const send = graphql(server.url, { headers: { 'X-Shopify-Storefront-Access-Token': 'public' } });
  assert.equal(await writeShopifyCart(send, CART, CLICK), true);
  assert.deepEqual(carts.get(CART), [GIFT, held('Qx~7:Ab-9')]);
  assert.equal(server.requests[0].headers['x-shopify-storefront-access-token'], 'public');

  assert.equal(await writeShopifyCart(send, CART, CLICK), false, 'it has it already');
  assert.equal(await writeShopifyCart(send, CART, { ...CLICK, value: 'newer' }), true);
  assert.deepEqual(carts.get(CART), [GIFT, held('newer')]);
  assert.equal(await writeShopifyCart(send, CART, null), true);
  assert.deepEqual(carts.get(CART), [GIFT]);
  assert.equal(await writeShopifyCart(send, CART, null), false);
  assert.equal(server.requests.length, 2 + 1 + 2 + 2 + 1);
});

test('two writes at once do not undo one another', async (t) => {
  const carts = new Map([[CART, []]]);
  const send = graphql((await serving(t, shopify(carts))).url);
  await Promise.all([
    writeShopifyCart(send, CART, CLICK),
    writeShopifyCart(send, CART, CLICK, { attribute: '__im_ref' }),
  ]);
  assert.deepEqual(carts.get(CART), [held('Qx~7:Ab-9'), { key: '__im_ref', value: 'Qx~7:Ab-9' }]);
});

for (const [name, fault] of [
  ['429', { status: 429, body: { errors: [{ message: 'Throttled' }] } }],
  ['a bot check', { status: 200, type: 'text/html', body: '<title>Are you human?</title>' }],
]) {
  test(`${name} is met with one retry`, async (t) => {
    const carts = new Map([[CART, []]]);
    const server = await serving(t, shopify(carts, [fault]));
    assert.equal(await writeShopifyCart(graphql(server.url), CART, CLICK), true);
    assert.deepEqual(carts.get(CART), [held('Qx~7:Ab-9')]);
  });

  test(`${name} that stays is thrown after two tries`, async (t) => {
    const carts = new Map([[CART, []]]);
    const server = await serving(t, shopify(carts, [fault, fault, fault]));
    await assert.rejects(writeShopifyCart(graphql(server.url), CART, CLICK), /The shop's API answered/);
    assert.equal(server.requests.length, 2);
    assert.deepEqual(carts.get(CART), []);
  });
}

test('a cart id without its secret is explained', async (t) => {
  const server = await serving(t, shopify(new Map([[CART, []]])));
  await assert.rejects(writeShopifyCart(graphql(server.url), 'gid://shopify/Cart/c1', CLICK), /after "\?key="/);
});

test('a Saleor checkout gets the click and keeps its other metadata', async (t) => {
  const checkouts = new Map([['Q2hlY2tvdXQ6MQ==', { gift: 'yes' }]]);
  const send = graphql((await serving(t, saleor(checkouts))).url);
  await writeSaleorCheckout(send, 'Q2hlY2tvdXQ6MQ==', CLICK);
  assert.deepEqual(checkouts.get('Q2hlY2tvdXQ6MQ=='), { gift: 'yes', im_ref: 'Qx~7:Ab-9' });
  await writeSaleorCheckout(send, 'Q2hlY2tvdXQ6MQ==', null);
  assert.deepEqual(checkouts.get('Q2hlY2tvdXQ6MQ=='), { gift: 'yes' });
  await assert.rejects(writeSaleorCheckout(send, 'nothing', CLICK), /refused the click: Couldn't resolve/);
});

test('a Saleor shop closed to storefronts takes it from a server', async (t) => {
  const checkouts = new Map([['Q2hlY2tvdXQ6MQ==', {}]]);
  const { url } = await serving(t, saleor(checkouts, { closed: true }));
  await assert.rejects(writeSaleorCheckout(graphql(url), 'Q2hlY2tvdXQ6MQ==', CLICK), /401: Storefront traffic/);
  const send = graphql(url, { headers: { authorization: 'Bearer app-token' } });
  await writeSaleorCheckout(send, 'Q2hlY2tvdXQ6MQ==', CLICK);
  assert.deepEqual(checkouts.get('Q2hlY2tvdXQ6MQ=='), { im_ref: 'Qx~7:Ab-9' });
});

test('a cart or checkout may be made with the click', () => {
  assert.deepEqual(cartAttributes(CLICK), [held('Qx~7:Ab-9')]);
  assert.deepEqual(checkoutMetadata(CLICK, { key: 'click' }), [{ key: 'click', value: 'Qx~7:Ab-9' }]);
  assert.deepEqual([cartAttributes(null), checkoutMetadata(null)], [[], []]);
});

test('the app is told by which click a checkout came', async (t) => {
  const server = await serving(t, app());
  await sendClick(server.url, { shop: 's.myshopify.com', checkoutToken: 'tok', click: CLICK });
  await sendClick(server.url, { shop: 's.myshopify.com', checkoutToken: 'tok', orderId: '61', click: CLICK });
  await sendClick(server.url, { shop: 's.myshopify.com', checkoutToken: 'tok', click: null });
  const told = server.requests.map(({ url, headers, text }) => [url, headers['content-type'], JSON.parse(text)]);
  assert.equal(told.length, 2);
  for (const [url, type, body] of told) {
    assert.equal(url, '/storefront/clicks');
    assert.equal(type, 'text/plain;charset=UTF-8');
    assert.ok(Math.abs(Date.parse(body.at) - Date.now()) < 60_000);
    delete body.at;
  }
  const common = { shop: 's.myshopify.com', checkout_token: 'tok', click: 'Qx~7:Ab-9', consent: 'granted' };
  assert.deepEqual(told[0][2], { ...common, order_id: null, event: 'checkout_started' });
  assert.deepEqual(told[1][2], { ...common, order_id: '61', event: 'checkout_completed' });
  await sendClick('http://127.0.0.1:9', { shop: 's', checkoutToken: 't', click: CLICK }); // nobody there: no error
});
