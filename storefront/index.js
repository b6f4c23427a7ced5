/*
 * The click on a storefront of your own: read it, store it, hand it over. No dependency; browsers, Node 18 and edge runtimes.
 * README.md has an example for each kind of shop, index.d.ts the types.
 */
import { KEPT, copyOf, first, newest, query, read, usable } from './click.js';

const NAMES = ['im_ref', 'irclickid'];
const DAY = 864e5;
const ATTRIBUTE = 'im_ref';

const attempt = (action) => {
  try {
    return action();
  } catch {
    return undefined;
  }
};

const lifetime = ({ days = 30 }) => days * DAY;

const fresh = (copy, options) => read(copy, lifetime(options)) || null;

const later = (...clicks) => newest(clicks) || null;

/** The click that an address carries, or null. */
export function landedClick(url, options = {}) {
  const { names = NAMES } = options;
  const asked = query(new URL(url).search);
  const value = first(names, (name) => asked.get(name));
  const cashback = asked.get('im_rewards') === '1' ? 'r' : '';
  return later(value && { value, time: Date.now(), asked: cashback }, fresh(asked.get(KEPT), options));
}

/** The click in a Cookie header, or null. */
export function clickFromCookies(header, options = {}) {
  const found = new RegExp(`(?:^|; ?)${KEPT}=([^;]*)`).exec(header || '');
  return found && fresh(attempt(() => decodeURIComponent(found[1])), options);
}

/** A Set-Cookie value that keeps the click; without a click, one that ends the cookie. */
export function clickCookie(click, options = {}) {
  const left = click ? Math.ceil((click.time + lifetime(options) - Date.now()) / 1000) : 0;
  const copy = click ? encodeURIComponent(copyOf(click)) : '';
  return `${KEPT}=${copy};path=/;samesite=lax;secure;max-age=${Math.max(0, left)}`;
}

/** The click this browser has kept, or null. */
export function keptClick(options = {}) {
  return later(
    clickFromCookies(attempt(() => document.cookie), options),
    fresh(attempt(() => localStorage.getItem(KEPT)), options),
  );
}

/** Keep a click in this browser; null removes what was kept. Blocked storage is no error. */
export function keepClick(click, options = {}) {
  attempt(() => {
    document.cookie = clickCookie(click, options);
  });
  attempt(() => (click ? localStorage.setItem(KEPT, copyOf(click)) : localStorage.removeItem(KEPT)));
}

// What this page has seen and may not store yet.
let seen = null;

/** The whole duty of a page: call it on each page and whenever consent changes. The click that may be used, or null. */
export function captureClick(allowed, options = {}) {
  const landed = attempt(() => landedClick(options.url || location.href, options));
  seen = later(landed, seen && fresh(copyOf(seen), options));
  if (allowed === undefined) return null;
  const click = allowed ? later(seen, keptClick(options)) : null;
  keepClick(click, options);
  return click;
}

/** `url` with the click in it, for a link to another domain of the shop. Unchanged without a click or where one is. */
export function handOver(url, click, options = {}) {
  const { names = NAMES } = options;
  const target = new URL(url);
  if (!click || query(target.search).has(KEPT)) return url;
  const pairs = `${encodeURIComponent(names[0])}=${encodeURIComponent(click.value)}&${KEPT}=${encodeURIComponent(copyOf(click))}`;
  target.search += (target.search && '&') + pairs;
  return target.href;
}

/** A function that sends a GraphQL document and gives its `data`; refused or failed calls throw. */
export function graphql(url, { headers = {}, fetch: call = fetch } = {}) {
  return async (document, variables) => {
    const answer = await call(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ query: document, variables }),
    });
    const { data, errors } = await answer.json().catch(() => ({}));
    if (!answer.ok || errors || !data) {
      throw new Error(`The shop's API answered ${answer.status}: ${errors ? errors[0].message : 'no data'}`);
    }
    return data;
  };
}

// One write at a time, so that two of them cannot undo one another; and one retry, never a loop.
let queue = Promise.resolve();
const inTurn = (action) => {
  const result = queue.then(() => action().catch(action));
  queue = result.catch(() => {});
  return result;
};

const refusal = (errors) => {
  if (errors.length) throw new Error(`The shop refused the click: ${errors[0].message}`);
};

export const SHOPIFY_CART_ATTRIBUTES = `query ImpactCartAttributes($id: ID!) {
  cart(id: $id) { attributes { key value } }
}`;

export const SHOPIFY_CART_ATTRIBUTES_UPDATE = `mutation ImpactCartAttributesUpdate($id: ID!, $attributes: [AttributeInput!]!) {
  cartAttributesUpdate(cartId: $id, attributes: $attributes) {
    cart { attributes { key value } }
    userErrors { message }
  }
}`;

/** What `cartCreate` takes as `input.attributes`: one attribute, or none without a click. */
export function cartAttributes(click, { attribute = ATTRIBUTE } = {}) {
  return click ? [{ key: attribute, value: click.value }] : [];
}

/** Make a Shopify cart carry this click, or none when it is null. The other attributes stay. Whether it wrote. */
export function writeShopifyCart(send, cartId, click, { attribute = ATTRIBUTE } = {}) {
  return inTurn(async () => {
    const { cart } = await send(SHOPIFY_CART_ATTRIBUTES, { id: cartId });
    if (!cart) throw new Error('There is no such cart. Keep the whole id, with the part after "?key=".');
    const held = cart.attributes.find(({ key }) => key === attribute);
    if (held ? click && held.value === click.value : !click) return false;
    // The update replaces the whole list.
    const others = cart.attributes.filter(({ key }) => key !== attribute).map(({ key, value }) => ({ key, value: value || '' }));
    const attributes = [...others, ...cartAttributes(click, { attribute })];
    const { cartAttributesUpdate } = await send(SHOPIFY_CART_ATTRIBUTES_UPDATE, { id: cartId, attributes });
    refusal(cartAttributesUpdate.userErrors);
    return true;
  });
}

export const SALEOR_UPDATE_METADATA = `mutation ImpactUpdateMetadata($id: ID!, $input: [MetadataInput!]!) {
  updateMetadata(id: $id, input: $input) { errors { message } }
}`;

export const SALEOR_DELETE_METADATA = `mutation ImpactDeleteMetadata($id: ID!, $keys: [String!]!) {
  deleteMetadata(id: $id, keys: $keys) { errors { message } }
}`;

/** What `checkoutCreate` (3.21 and later) and `checkoutComplete` take as `metadata`: one entry, or none without a click. */
export function checkoutMetadata(click, { key = ATTRIBUTE } = {}) {
  return click ? [{ key, value: click.value }] : [];
}

/** Make a Saleor checkout carry this click, or none when it is null. Other metadata stays. */
export function writeSaleorCheckout(send, checkoutId, click, { key = ATTRIBUTE } = {}) {
  return inTurn(async () => {
    if (click) {
      const input = checkoutMetadata(click, { key });
      refusal((await send(SALEOR_UPDATE_METADATA, { id: checkoutId, input })).updateMetadata.errors);
    } else {
      refusal((await send(SALEOR_DELETE_METADATA, { id: checkoutId, keys: [key] })).deleteMetadata.errors);
    }
  });
}

/** Tell the app by which click a checkout came, where nothing can be written to it. Never throws; the answer is not read. */
export async function sendClick(appUrl, { shop, checkoutToken, orderId = null, click, consent = 'granted' }) {
  if (!click || !usable(click.value)) return;
  const body = {
    shop,
    checkout_token: checkoutToken,
    order_id: orderId,
    click: click.value,
    consent,
    event: orderId ? 'checkout_completed' : 'checkout_started',
    at: new Date().toISOString(),
  };
  const url = `${appUrl.replace(/\/+$/, '')}/storefront/clicks`;
  await attempt(() =>
    fetch(url, { method: 'POST', keepalive: true, mode: 'no-cors', body: JSON.stringify(body) }).catch(() => {}),
  );
}
