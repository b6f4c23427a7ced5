/** A partner's click. */
export interface Click {
  /** The click id: opaque, case-sensitive, 1 to 64 characters. */
  readonly value: string;
  /** When it was seen, in milliseconds since 1970. */
  readonly time: number;
  /** "r" for cashback traffic (`im_rewards=1`), whose shopper asked to be tracked. */
  readonly asked: '' | 'r';
}

export interface Options {
  /** Parameters that may carry the click id, in order. Default: im_ref, irclickid. */
  names?: readonly string[];
  /** The contract's referral window. Default: 30. */
  days?: number;
}

/** Sends a GraphQL document and gives its `data`. */
export type Send = (document: string, variables: Record<string, unknown>) => Promise<any>;

/** The click that an address carries, or null. `url` must be absolute. */
export function landedClick(url: string | URL, options?: Options): Click | null;

/** The click in a request's Cookie header, or null. */
export function clickFromCookies(header: string | null | undefined, options?: Options): Click | null;

/**
 * A Set-Cookie value that keeps the click for what is left of its window; without a click, one that ends the cookie.
 * Browsers keep a server's cookie longer than a script's: Safari ends the latter after seven days.
 */
export function clickCookie(click: Click | null, options?: Options): string;

/** The click this browser has kept, or null. */
export function keptClick(options?: Options): Click | null;

/** Keep a click in this browser; null removes what was kept. Blocked storage is no error. */
export function keepClick(click: Click | null, options?: Options): void;

/**
 * The whole duty of a page: call it on each page and again whenever consent changes.
 *
 * @param allowed true: kept, and the newest click returned. false: everything kept is removed, null returned.
 *   undefined (the visitor has not answered): the click stays in this page's memory, null returned.
 * @param options `url` is the page's address, where it is not `location.href`.
 */
export function captureClick(allowed: boolean | undefined, options?: Options & { url?: string }): Click | null;

/** `url` with the click in it, for a link to another domain of the shop. Unchanged without a click or where one is. */
export function handOver(url: string, click: Click | null, options?: Options): string;

/** A `Send` for an API's address. It throws what was refused or failed, with a sentence. */
export function graphql(
  url: string,
  options?: { headers?: Record<string, string>; fetch?: typeof fetch },
): Send;

export const SHOPIFY_CART_ATTRIBUTES: string;
export const SHOPIFY_CART_ATTRIBUTES_UPDATE: string;
export const SALEOR_UPDATE_METADATA: string;
export const SALEOR_DELETE_METADATA: string;

/** What Shopify's `cartCreate` takes as `input.attributes`. */
export function cartAttributes(
  click: Click | null,
  options?: { attribute?: string },
): { key: string; value: string }[];

/**
 * Make a Shopify cart carry this click, or none when it is null. The other attributes stay. Tried twice, then it throws.
 *
 * @param cartId the whole id, with the part after `?key=`.
 * @returns whether it wrote.
 */
export function writeShopifyCart(
  send: Send,
  cartId: string,
  click: Click | null,
  options?: { attribute?: string },
): Promise<boolean>;

/** What Saleor's `checkoutCreate` (3.21 and later) and `checkoutComplete` take as `metadata`. */
export function checkoutMetadata(click: Click | null, options?: { key?: string }): { key: string; value: string }[];

/** Make a Saleor checkout carry this click, or none when it is null. Other metadata stays. Tried twice, then it throws. */
export function writeSaleorCheckout(
  send: Send,
  checkoutId: string,
  click: Click | null,
  options?: { key?: string },
): Promise<void>;

/** Tell the app by which click a checkout came, where nothing can be written to it. Never throws. */
export function sendClick(
  appUrl: string,
  told: {
    /** The store's domain at the app, such as `example.myshopify.com`. */
    shop: string;
    checkoutToken: string;
    orderId?: string | null;
    click: Click | null;
    consent?: 'granted' | 'unknown';
  },
): Promise<void>;
