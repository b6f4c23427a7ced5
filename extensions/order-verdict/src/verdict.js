/*
 * What the block shows, without how: asks the app, and turns its answer into a tone and sentences.
 */

const TONES = { reported: 'success', waiting: 'info', withheld: 'neutral', attention: 'critical' };

/** The order's own number in "gid://shopify/Order/450789469"; "" where there is none. */
export function orderKey(gid) {
  const found = /^gid:\/\/shopify\/Order\/(\d+)$/.exec(gid || '');
  return found ? found[1] : '';
}

/**
 * What the app says of an order, in `language`. Shopify adds the session token to a call to the app's own address, and takes
 * a path as one of the app's.
 */
export async function askedFor(gid, language, call = fetch) {
  const key = orderKey(gid);
  if (!key) return { state: 'unknown' };
  try {
    const path = `/shopify/orders/${key}/verdict.json?locale=${language}`;
    const answer = await call(path, { headers: { accept: 'application/json' } });
    if (answer.status === 404) return { state: 'unknown' };
    if (!answer.ok) return { state: 'failed' };
    const told = await answer.json();
    return {
      state: 'told',
      title: told.title,
      tone: TONES[told.verdict] || 'neutral',
      sentences: [told.sentence, told.next].filter(Boolean),
      partner: told.partner || '',
      link: `app:${told.path.slice(1)}`,
    };
  } catch {
    return { state: 'failed' };
  }
}
