/* A Shopify cart API and a Saleor API over real HTTP, with memory. They answer what the module asks and refuse the rest. */
import { createServer } from 'node:http';

const listen = (answer) =>
  new Promise((resolve) => {
    const requests = [];
    const server = createServer(async (request, response) => {
      let text = '';
      for await (const part of request) text += part;
      requests.push({ url: request.url, headers: request.headers, text });
      const { status = 200, type = 'application/json', body } = answer(text && JSON.parse(text), request);
      response.writeHead(status, { 'content-type': type });
      response.end(typeof body === 'string' ? body : JSON.stringify(body));
    });
    server.listen(0, '127.0.0.1', () => {
      const url = `http://127.0.0.1:${server.address().port}/`;
      resolve({ url, requests, close: () => server.close() });
    });
  });

/** `carts` maps whole ids to lists of attributes; `faults` are answers given before anything is done. */
export const shopify = async (carts, faults = []) => {
  const update = ({ id, attributes }) => {
    if (!carts.has(id)) return { cart: null, userErrors: [{ message: 'The specified cart does not exist.' }] };
    const keys = attributes.map(({ key }) => key);
    if (new Set(keys).size < keys.length || attributes.some(({ value }) => typeof value !== 'string')) {
      return { cart: null, userErrors: [{ message: 'Attributes are invalid.' }] };
    }
    carts.set(id, attributes); // replaced, not merged
    return { cart: { attributes }, userErrors: [] };
  };
  return listen(({ query, variables }) => {
    if (faults.length) return faults.shift();
    if (query.includes('cartAttributesUpdate(')) return { body: { data: { cartAttributesUpdate: update(variables) } } };
    const attributes = carts.get(variables.id);
    return { body: { data: { cart: attributes ? { attributes } : null } } };
  });
};

/** `checkouts` maps ids to objects of public metadata; where `closed`, anonymous calls are refused. */
export const saleor = async (checkouts, { closed = false } = {}) =>
  listen(({ query, variables }, request) => {
    if (closed && !request.headers.authorization) {
      return { status: 401, body: { errors: [{ message: 'Storefront traffic is not allowed.' }] } };
    }
    const held = checkouts.get(variables.id);
    const errors = held ? [] : [{ message: "Couldn't resolve to a node" }];
    if (query.includes('deleteMetadata(')) {
      for (const key of variables.keys) if (held) delete held[key];
      return { body: { data: { deleteMetadata: { errors } } } };
    }
    for (const { key, value } of variables.input) if (held) held[key] = value;
    return { body: { data: { updateMetadata: { errors } } } };
  });

/** An app that takes beacons. */
export const app = async () => listen(() => ({ status: 204, body: '' }));
