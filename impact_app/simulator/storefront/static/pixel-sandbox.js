/* The inside of the strict sandbox: the API that `shopify.extend` hands to an app pixel. */
const waiting = new Map();
let subscribers = {};
let consentSubscribers = [];
let started;

const ask = (question) => (name) =>
  new Promise((resolve, reject) => {
    const number = waiting.size;
    waiting.set(number, { resolve, reject });
    postMessage({ question, name, number });
  });

const on = {
  answer({ number, value, fault }) {
    if (fault) waiting.get(number).reject(new Error(fault));
    else waiting.get(number).resolve(value);
  },
  consent({ customerPrivacy }) {
    for (const told of consentSubscribers) told({ customerPrivacy });
  },
  start(message) {
    started = message;
    importScripts(message.script);
    for (const told of subscribers[message.event.name] || []) told(message.event);
  },
};

self.shopify = {
  extend(point, register) {
    if (point !== 'WebPixel::Render') throw new Error('Unknown extension point ' + point);
    register({
      analytics: { subscribe: (name, told) => (subscribers[name] = [...(subscribers[name] || []), told]) },
      browser: { cookie: { get: ask('cookie') }, localStorage: { getItem: ask('localStorage') } },
      customerPrivacy: { subscribe: (name, told) => consentSubscribers.push(told) },
      init: started.init,
      settings: started.settings,
    });
  },
};
self.onmessage = ({ data }) => on[data.kind](data);
