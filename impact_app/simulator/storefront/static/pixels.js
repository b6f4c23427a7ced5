/*
 * Shopify's pixel manager, as far as an app pixel sees it: a strict sandbox, which is a worker without page or storage, and
 * the questions it may ask the page. Loaded only where the visitor allows marketing, as the extension's TOML demands.
 */
(() => {
  const { event, pixel } = window.Shopify.pretend;
  const privacy = () => ({
    analyticsProcessingAllowed: window.Shopify.customerPrivacy.analyticsProcessingAllowed(),
    marketingAllowed: window.Shopify.customerPrivacy.marketingAllowed(),
    preferencesProcessingAllowed: window.Shopify.customerPrivacy.preferencesProcessingAllowed(),
    saleOfDataAllowed: window.Shopify.customerPrivacy.saleOfDataAllowed(),
  });
  const answers = {
    cookie: (name) => (document.cookie.match('(?:^|; )' + name + '=([^;]*)') || [])[1] || '',
    localStorage: (name) => localStorage.getItem(name),
  };

  let worker;
  const load = () => {
    worker = new Worker('/pretend/pixel-sandbox.js');
    worker.onmessage = ({ data: { question, name, number } }) => {
      let answer;
      try {
        answer = { value: answers[question](name) };
      } catch (error) {
        answer = { fault: error.name };
      }
      worker.postMessage({ kind: 'answer', number, ...answer });
    };
    worker.postMessage({
      kind: 'start',
      script: '/wpm/click-pixel.js',
      settings: pixel,
      init: { data: { shop: { myshopifyDomain: window.Shopify.shop } }, customerPrivacy: privacy() },
      event,
    });
  };

  document.addEventListener('visitorConsentCollected', () => {
    if (worker) worker.postMessage({ kind: 'consent', customerPrivacy: privacy() });
    else if (privacy().marketingAllowed) load();
  });
  if (privacy().marketingAllowed) load();
})();
