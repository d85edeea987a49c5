/** Data of the page, errors, the theme, and images of which only the newest request counts. */

export const pageData = JSON.parse(document.getElementById("page-data").textContent);

/** Identifies this tab: the server replaces older requests of the same tab. */
export const client = Math.random().toString(36).slice(2, 12);

export const $ = (id) => document.getElementById(id);

/** An element with properties and children. */
export function create(tag, properties = {}, children = []) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

const RETRY_MS = 2000;

const alerts = new Map();

/** Shows a message above the page until the same source shows another one; an empty one hides it. */
export function showAlert(message, source = "page") {
  alerts.set(source, message);
  const shown = [...alerts.values()].find((text) => text) ?? "";
  $("alert").textContent = shown;
  $("alert").hidden = !shown;
}

/** The response to a request; null if a newer request replaced it. Errors are thrown with the server's message. */
export async function request(url) {
  const response = await fetch(url);
  if (response.status === 409) return null;
  if (!response.ok) {
    const text = await response.text();
    let message = text.trim();
    try {
      message = JSON.parse(text).error;
    } catch {
      // Errors of the viewer are JSON; a server that stops drops its requests with a 5xx status and plain text.
      if (response.status >= 500) throw new TypeError("the server stops");
    }
    throw new Error(message);
  }
  return response;
}

/** The JSON response to a request. */
export async function requestJson(url) {
  const response = await request(url);
  return response === null ? null : response.json();
}

export const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Whether an error of `request` means that the server does not answer. */
export const isConnectionError = (error) => error instanceof TypeError;

/** Message for the user of an error of `request`. */
export const errorText = (error) =>
  isConnectionError(error) ? "The server does not answer. Is crowdgan view still running?" : error.message;

/**
 * An image element that shows the newest requested image.
 *
 * One request is in flight at a time, also while the previous image is decoded; of those made meanwhile, only the
 * newest is sent. While the server does not answer, the request is repeated. Only errors of the newest are shown.
 */
export class LatestImage {
  constructor(element, onShown = () => {}) {
    this.element = element;
    this.#source = element.id || "strip";
    this.shown = null; // address of the image that is shown, or being decoded
    this.#onShown = onShown;
  }

  /** Requests an image; `details` are passed to `onShown`. */
  request(url, details) {
    this.#newest = this.#waiting = { url, details };
    if (this.#running === null) {
      this.#running = this.#run().finally(() => {
        this.#running = null;
      });
    }
  }

  /** Drops all requests: neither their images nor their errors are shown. */
  cancel() {
    this.#newest = this.#waiting = null;
  }

  /** Resolves when the newest image is shown. */
  async idle() {
    while (this.#running !== null) await this.#running;
  }

  #source; // of its errors
  #newest = null;
  #waiting = null; // the newest request, until it is sent
  #running = null;
  #showing = Promise.resolve();
  #onShown;

  async #run() {
    do {
      while (this.#waiting !== null) {
        const wanted = this.#waiting;
        this.#waiting = null;
        if (wanted.url === this.shown) showAlert("", this.#source);
        else await this.#fetch(wanted);
      }
      await this.#showing; // meanwhile, another image can be requested
    } while (this.#waiting !== null);
  }

  async #fetch(wanted) {
    const isNewest = () => this.#newest === wanted;
    try {
      const started = performance.now();
      const response = await request(wanted.url);
      if (response === null) {
        if (isNewest()) this.#waiting = wanted;
        return;
      }
      const blob = await response.blob();
      const milliseconds = performance.now() - started;
      await this.#showing;
      if (this.#newest !== null) this.#showing = this.#show(blob, wanted, milliseconds);
    } catch (error) {
      if (!isNewest()) return;
      showAlert(errorText(error), this.#source);
      if (isConnectionError(error)) {
        await wait(RETRY_MS);
        if (isNewest()) this.#waiting = wanted;
      }
    }
  }

  async #show(blob, { url, details }, milliseconds) {
    const previous = this.element.src;
    this.element.src = URL.createObjectURL(blob);
    this.shown = url;
    try {
      await this.element.decode();
      showAlert("", this.#source);
      this.#onShown(details, milliseconds);
    } catch {
      this.shown = null;
      showAlert("The browser could not decode the image.", this.#source);
    }
    if (previous.startsWith("blob:")) URL.revokeObjectURL(previous);
  }
}

/** Query of the values that differ from their defaults. */
export function queryOf(values, defaults = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== null && value !== "" && String(value) !== String(defaults[name] ?? "")) query.set(name, value);
  }
  return query.toString();
}

let urlTimer = 0;

/** Puts a query into the address of the page, so that the view can be shared and reloaded. */
export function storeInAddress(query) {
  clearTimeout(urlTimer);
  urlTimer = setTimeout(() => history.replaceState(null, "", query ? `?${query}` : location.pathname), 150);
}

/** At most four significant digits, without exponent for common magnitudes. */
export function formatNumber(value) {
  return String(Number(Number(value).toPrecision(4)));
}

const THEME_KEY = "crowdgan-theme";

function applyTheme(theme) {
  document.documentElement.style.colorScheme = theme;
}

$("theme").value = localStorage.getItem(THEME_KEY) ?? "light dark";
applyTheme($("theme").value);
$("theme").addEventListener("change", () => {
  localStorage.setItem(THEME_KEY, $("theme").value);
  applyTheme($("theme").value);
});
