// Says whether the app embed is on, which Shopify's App Bridge knows at once: to the reader, and to the app.
(async () => {
  const place = document.getElementById('embed-status');
  const bridge = window.shopify;
  if (!place || !bridge || !bridge.app || !bridge.app.extensions) return;
  let status;
  try {
    const found = (await bridge.app.extensions())
      .filter(({ type }) => type === 'theme_app_extension')
      .flatMap(({ activations }) => activations)
      .find(({ handle }) => handle === place.dataset.embed);
    status = found ? found.status : 'unavailable';
  } catch {
    // Without an answer the page goes on saying what the app knows.
    return;
  }
  for (const line of place.querySelectorAll('[data-status]')) line.hidden = line.dataset.status !== status;
  const form = document.getElementById('embed-report');
  if (!form || status === place.dataset.known) return;
  const body = new URLSearchParams(new FormData(form));
  body.set('embed', status);
  const answer = await fetch(form.action, { method: 'POST', body }).catch(() => null);
  // Once it is known the page says so.
  if (answer && answer.ok && 'anew' in place.dataset) location.reload();
})();
