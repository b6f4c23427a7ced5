/*
 * What a click is and how it is written down. The theme embed, the web pixel and the module share this file.
 *
 * A kept copy is "<milliseconds since 1970>.<click id>". An "r" after the time marks cashback traffic, whose
 * shopper asked to be tracked.
 */

/** The name of the cookie, of the localStorage entry, and of the parameter that hands a copy to another domain. */
export const KEPT = 'impact_click';

/** Whether impact.com could have issued this: opaque, case-sensitive, at most 64 characters, none of them blank. */
export const usable = (value) => value && /^[^\s\0-\x1f\x7f-\x9f\ufffd]{1,64}$/.test(value);

/** A query string, decoded once. A click id holds no blanks, so a plus sign in it is one. */
export const query = (search) => new URLSearchParams(search.replace(/\+/g, '%2B'));

/** The first usable result of asking each name in turn. */
export const first = (names, ask) => names.map(ask).find(usable);

/** The click of a copy, or something falsy when it is none or older than `lifetime` (milliseconds). */
export const read = (copy, lifetime) => {
  const [, time, asked, value] = /^(\d+)(r?)\.([^]+)/.exec(copy) || [];
  const now = Date.now();
  // A time to come would outlive its window.
  return usable(value) && now - time < lifetime && { value, time: Math.min(time, now), asked };
};

/** The copy of a click. */
export const copyOf = (click) => click.time + click.asked + '.' + click.value;

/** The newest of several clicks, falsy ones left out. The same id seen again is a reload: its first time stands. */
export const newest = (clicks) =>
  clicks.reduce((best, click) =>
    click && (!best || click.value === best.value || click.time > best.time) ? click : best,
  );
