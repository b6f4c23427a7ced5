// Says on the settings page whether the app embed is on, which Shopify's App Bridge alone knows.
(async () => {
  const place = document.getElementById('embed-status');
  const bridge = window.shopify;
  if (!place || !bridge || !bridge.app || !bridge.app.extensions) return;
  let status = 'unknown';
  try {
    const found = (await bridge.app.extensions())
      .filter(({ type }) => type === 'theme_app_extension')
      .flatMap(({ activations }) => activations)
      .find(({ handle }) => handle === place.dataset.embed);
    status = found ? found.status : 'unavailable';
  } catch {
    // Without an answer the page goes on saying that it is not known.
  }
  for (const line of place.querySelectorAll('[data-status]')) line.hidden = line.dataset.status !== status;
})();
