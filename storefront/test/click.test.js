import assert from 'node:assert/strict';
import { test } from 'node:test';
import { captureClick, clickCookie, clickFromCookies, handOver, landedClick } from '../index.js';

const DAY = 864e5;
const now = () => Date.now();
const value = (query, options) => (landedClick('https://shop.example/?' + query, options) || {}).value;

test('the first usable parameter counts, decoded once', () => {
  assert.equal(value('im_ref=AbC~1:x'), 'AbC~1:x');
  assert.equal(value('im_ref=a%253Ab'), 'a%3Ab');
  assert.equal(value('im_ref=a+b%2Bc'), 'a+b+c');
  assert.equal(value('im_ref=100%'), '100%');
  assert.equal(value('im_ref=one&im_ref=two'), 'one');
  assert.equal(value('irclickid=b&im_ref=a'), 'a');
  assert.equal(value('im_ref=&irclickid=b'), 'b');
  assert.equal(value('partner=p', { names: ['partner'] }), 'p');
});

test('what is no click id is none', () => {
  for (const query of ['', 'im_ref=', 'im_ref=%00', 'im_ref=a%20b', 'im_ref=%E0%A4', 'IM_REF=a', 'im_ref=' + 'x'.repeat(65)]) {
    assert.equal(value(query), undefined, query);
  }
});

test('cashback traffic is told apart', () => {
  assert.equal(landedClick('https://shop.example/?im_ref=a').asked, '');
  assert.equal(landedClick('https://shop.example/?im_ref=a&im_rewards=1').asked, 'r');
  assert.equal(landedClick('https://shop.example/?im_ref=a&im_rewards=0').asked, '');
});

test('a cookie keeps a click for what is left of its window', () => {
  const click = { value: 'a;path=/x', time: now() - 29 * DAY, asked: '' };
  const cookie = clickCookie(click);
  const [pair, ...rest] = cookie.split(';');
  assert.deepEqual(rest.slice(0, 3), ['path=/', 'samesite=lax', 'secure']);
  const seconds = Number(rest[3].replace('max-age=', ''));
  assert.ok(seconds > 86_400 - 60 && seconds <= 86_400, cookie);
  assert.deepEqual(clickFromCookies(`other=1; ${pair}; more=2`), click);
  assert.equal(clickFromCookies(pair, { days: 28 }), null);
  assert.equal(clickFromCookies('not_impact_click=1.a'), null);
  assert.equal(clickFromCookies('impact_click=%zz'), null);
  assert.equal(clickFromCookies(null), null);
  assert.match(clickCookie(null), /^impact_click=;.*max-age=0$/);
});

test('another domain gets the click and its time, and the rest of the address stays', () => {
  const click = { value: 'Q:7', time: now() - 10 * DAY, asked: '' };
  const url = handOver('https://shop.example.fr/p?a=%20b&c#d', click);
  assert.equal(url, `https://shop.example.fr/p?a=%20b&c&im_ref=Q%3A7&impact_click=${click.time}.Q%3A7#d`);
  assert.deepEqual(landedClick(url), click);
  assert.equal(handOver(url, { ...click, value: 'other' }), url);
  assert.equal(handOver('https://shop.example.fr/', null), 'https://shop.example.fr/');
});

test('a time to come is not believed', () => {
  const handed = landedClick(`https://shop.example/?impact_click=${now() + 400 * DAY}.x`);
  assert.ok(handed.time <= now());
});

test('without a browser nothing is kept and nothing fails', () => {
  const url = 'https://shop.example/?im_ref=abc';
  assert.equal(captureClick(undefined, { url }), null);
  assert.equal(captureClick(true, { url: 'https://shop.example/' }).value, 'abc', 'seen on the page before');
  assert.equal(captureClick(false, { url }), null);
});
