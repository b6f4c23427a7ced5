/* The part of window.Shopify that scripts may rely on: features load late, as on a real storefront. */
window.Shopify.loadFeatures = (features, done) => {
  const script = document.createElement('script');
  script.src = '/pretend/consent-tracking-api.js';
  script.onload = () => done && done(null);
  script.onerror = () => done && done(new Error('The feature could not be loaded.'));
  if (features.every((feature) => feature.name === 'consent-tracking-api')) document.head.append(script);
  else if (done) done(new Error('Unknown feature.'));
};
