/*
 * The block on the admin's page of an order. Elements are Polaris web components, as extensions have them since 2025-10.
 */
import '@shopify/ui-extensions/preact';
import { h, render } from 'preact';
import { askedFor } from './verdict.js';

const text = (words) => h('s-text', {}, words);

function contents(found, say) {
  if (found.state !== 'told') return text(say(found.state));
  return h('s-stack', { direction: 'block', gap: 'base' }, [
    h('s-badge', { tone: found.tone }, found.title),
    ...found.sentences.map(text),
    ...(found.partner ? [text(say('partner', { name: found.partner }))] : []),
    h('s-link', { href: found.link }, say('more')),
  ]);
}

export default async () => {
  const say = (key, values) => shopify.i18n.translate(key, values);
  const show = (found) => render(h('s-admin-block', { heading: say('title') }, contents(found, say)), document.body);
  show({ state: 'asking' });
  show(await askedFor(shopify.data.selected[0]?.id, say('language')));
};
