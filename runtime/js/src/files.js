/** The files of a folder that `lrc export --target web` wrote: fetched once, verified, and kept for when there is no network. */

import { BundleError } from "./errors.js";

const FORMAT = "lrc-web";
const FORMAT_VERSION = 1;
const MANIFEST = "web.json";

/**
 * Called with the bytes that have come and those that there are.
 * @callback Progress
 * @param {number} loaded
 * @param {number} total
 */

export class Files {
  /**
   * @param {URL} base Address of the folder, with a slash at its end.
   * @param {any} manifest What `web.json` says.
   * @param {Cache | undefined} cache Where files stay, where the browser has such a place.
   */
  constructor(base, manifest, cache) {
    this._base = base;
    this.manifest = manifest;
    this._cache = cache;
  }

  /**
   * @param {URL} base Address of the folder, with a slash at its end.
   * @returns {Promise<Files>}
   * @throws {BundleError} If there is no such folder, or it is of a newer format.
   */
  static async open(base) {
    const manifest = await (await get(new URL(MANIFEST, base))).json().catch(() => undefined);
    if (manifest?.format !== FORMAT) throw new BundleError(`${base}: not a folder that lrc export --target web wrote`);
    if (manifest.format_version !== FORMAT_VERSION) {
      throw new BundleError(`${base}: format version ${manifest.format_version} is not ${FORMAT_VERSION}; load its own lrc/index.js`);
    }
    // The service worker looks here too; a browser has no such place for addresses that are not secure.
    const cache = await globalThis.caches?.open(`lrc-web ${base.href} ${manifest.version}`).catch(() => undefined);
    return new Files(base, manifest, cache);
  }

  /**
   * @param {string} name A file that the manifest lists.
   * @param {(bytes: number) => void} [came] Called with the bytes that have come since the call before.
   * @returns {Promise<Uint8Array<ArrayBuffer>>} Its content.
   * @throws {BundleError} If it is missing or changed.
   */
  async read(name, came = () => {}) {
    const url = new URL(name, this._base);
    const expected = this.manifest.files[name];
    const kept = await this._cache?.match(url);
    const response = kept ?? (await get(url));
    const content = await receive(response, expected.bytes, came);
    if (content === undefined || ((await digest(content)) ?? expected.sha256) !== expected.sha256) {
      await this._cache?.delete(url);
      throw new BundleError(`${url}: does not match its SHA-256 in ${MANIFEST}; reload the page, or copy the folder again`);
    }
    // Of the headers, length and encoding tell of what was sent, not of this content.
    const headers = { "content-type": response.headers.get("content-type") ?? "application/octet-stream" };
    // A full disk is no reason not to answer.
    if (!kept) await this._cache?.put(url, new Response(content, { headers })).catch(() => undefined);
    return content;
  }
}

/**
 * @param {URL} url
 * @returns {Promise<Response>}
 */
async function get(url) {
  const response = await fetch(url, { cache: "no-cache" }).catch((error) => {
    throw new BundleError(`${url}: cannot be fetched: ${error.message}`);
  });
  if (!response.ok) throw new BundleError(`${url}: the server answers ${response.status}`);
  return response;
}

/**
 * @param {Response} response
 * @param {number} size Bytes that it must have.
 * @param {(bytes: number) => void} came
 * @returns {Promise<Uint8Array<ArrayBuffer> | undefined>} The content, or nothing where it is of another size.
 */
async function receive(response, size, came) {
  const content = new Uint8Array(size);
  let at = 0;
  const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    if (at + part.value.length > size) return undefined;
    content.set(part.value, at);
    at += part.value.length;
    came(part.value.length);
  }
  return at === size ? content : undefined;
}

/**
 * @param {Uint8Array<ArrayBuffer>} content
 * @returns {Promise<string | undefined>} Its SHA-256, where the browser tells it: it does not for addresses that are not secure.
 */
async function digest(content) {
  if (!globalThis.crypto?.subtle) return undefined;
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", content));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
