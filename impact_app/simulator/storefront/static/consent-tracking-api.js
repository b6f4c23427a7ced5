/* Shopify.customerPrivacy: remembers what the visitor decided, in a cookie that lists what is allowed. */
(() => {
  if (window.Shopify.customerPrivacy) return;
  const NAMES = { marketing: 'm', analytics: 'a', preferences: 'p', sale_of_data: 's' };
  const required = window.Shopify.pretend.consentRequired;
  const decided = () => (document.cookie.match(/(?:^|; )_consent=([^;]*)/) || [])[1];
  const said = (name) => {
    const text = decided();
    return text === undefined ? '' : text.includes(NAMES[name] + '1') ? 'yes' : 'no';
  };
  const allowed = (name) => (said(name) ? said(name) === 'yes' : !required);

  const api = {
    marketingAllowed: () => allowed('marketing'),
    analyticsProcessingAllowed: () => allowed('analytics'),
    preferencesProcessingAllowed: () => allowed('preferences'),
    saleOfDataAllowed: () => allowed('sale_of_data'),
    shouldShowBanner: () => required && decided() === undefined,
    currentVisitorConsent: () => Object.fromEntries(Object.keys(NAMES).map((name) => [name, said(name)])),
    setTrackingConsent: (consent, done) => {
      const text = Object.keys(NAMES).map((name) => NAMES[name] + (consent[name] ? 1 : 0)).join('');
      document.cookie = '_consent=' + text + ';path=/;samesite=lax;max-age=31536000';
      const detail = {
        marketingAllowed: api.marketingAllowed(),
        analyticsAllowed: api.analyticsProcessingAllowed(),
        preferencesAllowed: api.preferencesProcessingAllowed(),
        saleOfDataAllowed: api.saleOfDataAllowed(),
      };
      document.dispatchEvent(new CustomEvent('visitorConsentCollected', { detail }));
      if (done) done();
    },
  };
  window.Shopify.customerPrivacy = api;
  document.dispatchEvent(new CustomEvent('shopifyCustomerPrivacyApiLoaded'));
})();
