// Saleor's dashboard tells by message who its user is. This page does nothing but ask, and post the answer once.
// Source: Saleor's dashboard and app-sdk 1.15, seen 2026-11.
'use strict';

const form = document.getElementById('handover');
const origins = form.dataset.origins.split(' ');
let handedOver = false;

addEventListener('message', ({ source, origin, data }) => {
  if (source !== parent || !origins.includes(origin) || !data) return;
  const { type, payload } = data;
  if (type === 'localeChanged' && payload) form.elements.locale.value ||= String(payload.locale);
  // The dashboard says it when the frame has loaded, and again when asked.
  if (type !== 'handshake' || handedOver || !payload || !payload.token) return;
  handedOver = true;
  form.elements.token.value = payload.token;
  // The language may be told right after, in a message of its own; without it the browser's is taken.
  setTimeout(() => form.submit(), form.elements.locale.value ? 0 : 50);
});

// Nothing secret goes out, so that any frame may hear it; only the right one is listened to.
if (parent !== window) {
  parent.postMessage({ type: 'notifyReady', payload: { actionId: String(Date.now()) } }, '*');
}
