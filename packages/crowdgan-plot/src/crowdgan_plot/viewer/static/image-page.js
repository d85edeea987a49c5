/**
 * The parts that pages of generated images share: the state in controls and in the address, the image, the strip from
 * sparse to dense, the measured density, and texts about the state.
 */

import { $, client, create, errorText, formatNumber, LatestImage, pageData, queryOf, requestJson, showAlert, storeInAddress, wait }
  from "./common.js";

/** Shorter side from which images are sent as JPEG while a control is dragged. */
const JPEG_MIN_SIDE = 256;

/** Time after the last change until the state counts as at rest. */
const REST_MS = 250;

const MEASUREMENT_POLL_MS = 3000;

/** Converts between the position of the density slider, 0 to 1, and the density. */
export const density = {
  fromSlider(position, { kind, low, high, logarithmic }) {
    if (kind === "class") return Number((low + position * (high - low)).toFixed(2));
    const value = logarithmic ? low * (high / low) ** position : low + position * (high - low);
    return Number(value.toPrecision(3));
  },
  toSlider(value, { low, high, logarithmic }) {
    if (high === low) return 0;
    const bounded = Math.min(high, Math.max(low, value));
    return logarithmic ? Math.log(bounded / low) / Math.log(high / low) : (bounded - low) / (high - low);
  },
};

/** Whether the density has a slider. */
export const hasSlider = ["class", "value"].includes(pageData.density?.kind);

/** Most classes that are named below the slider; of more, only the first and the last are. */
const MAX_NAMED_CLASSES = 6;

/** Positions of the slider from one class to the next. */
const STEPS_PER_CLASS = 50;

/** Shows the density slider with texts below it: the classes, or the range in its unit. */
export function labelDensity() {
  $("density-controls").hidden = !hasSlider;
  if (!hasSlider) return;
  const { kind, classes, low, high, unit } = pageData.density;
  const named = classes?.length > MAX_NAMED_CLASSES ? [classes[0], classes.at(-1)] : classes;
  const texts = kind === "class" ? named : [formatNumber(low.toPrecision(2)), unit ?? "", formatNumber(high.toPrecision(2))];
  for (const text of texts) {
    const element = document.createElement("span");
    element.textContent = text;
    $("density-labels").append(element);
  }
  const number = document.querySelector('[data-parameter="density"]');
  if (kind === "class") {
    [number.min, number.max] = [low, high];
    $("density-slider").step = 1 / (STEPS_PER_CLASS * (high - low));
  }
}

export class ImagePage {
  /**
   * @param defaults values of all parameters
   * @param onChange called after each change of the state, with the names of the changed parameters
   */
  constructor(defaults, onChange = () => {}) {
    this.defaults = defaults;
    this.values = { ...defaults };
    for (const [name, value] of new URLSearchParams(location.search)) {
      if (Object.hasOwn(defaults, name)) this.values[name] = value;
    }
    this.#onChange = onChange;
    document.body.style.setProperty("--aspect", String(pageData.size[1] / pageData.size[0]));
    this.addImage($("image"), {}, (milliseconds) => this.#showTiming(milliseconds));
    document.querySelector(".controls").addEventListener("submit", (event) => event.preventDefault());
    for (const element of document.querySelectorAll("[data-parameter]")) this.#bind(element);
    this.#bindDensitySlider();
    this.#createStrip();
    $("copy").addEventListener("click", () => this.copyCommand());
  }

  /** Shows an image of the state with additional parameters; each has its own requests. */
  addImage(element, parameters, onShown = () => {}) {
    const image = new LatestImage(element, ({ query, format }, milliseconds) => {
      Object.assign(element.dataset, { query, format });
      onShown(milliseconds);
    });
    image.parameters = parameters;
    image.client = client + element.id;
    this.images.push(image);
  }

  /** Query of the state, with changes. */
  query(changes = {}) {
    return queryOf({ ...this.values, ...changes }, this.defaults);
  }

  /** Changes the state; `isDragging` defers everything but the image until the state is at rest. */
  update(changes, { isDragging = false } = {}) {
    Object.assign(this.values, changes);
    this.#onChange(Object.keys(changes));
    this.#showValues();
    this.#markPending();
    this.#requestImages(isDragging);
    clearTimeout(this.#restTimer);
    if (isDragging) this.#restTimer = setTimeout(() => this.#rest(), REST_MS);
    else this.#rest();
  }

  /** Requests everything again, for example of a newer model. */
  reload() {
    for (const image of [...this.images, ...this.#tiles.map((tile) => tile.image)]) image.shown = null;
    this.#stripKey = this.#measuredKey = null;
    this.update({});
  }

  /** Moves the density by a fraction of the slider. */
  stepDensity(fraction) {
    const slider = $("density-slider");
    const position = Math.min(1, Math.max(0, Number(slider.value) + fraction));
    this.update({ density: density.fromSlider(position, pageData.density) });
  }

  async copyCommand() {
    const button = $("copy");
    try {
      await navigator.clipboard.writeText($("command").textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren($("command"));
      button.textContent = "Press Ctrl-C";
    }
    await wait(1500);
    button.textContent = "Copy command";
  }

  images = [];
  #tiles = []; // of the strip: button, density and image
  #onChange;
  #restTimer = 0;
  #restNumber = 0;
  #stripKey = null;
  #measuredKey = null;

  #bind(element) {
    const read = (isDragging) => {
      if (!element.checkValidity()) return;
      const isNumber = element.type === "number" && element.value !== "";
      const value = isNumber ? Number(element.value) : element.value;
      this.update({ [element.dataset.parameter]: value }, { isDragging });
    };
    element.addEventListener("input", () => read(element.type === "range"));
    element.addEventListener("change", () => {
      if (element.value !== "") element.reportValidity();
      read(false);
    });
    element.addEventListener("blur", () => {
      if (element.value === "") this.#showValues();
    });
  }

  #bindDensitySlider() {
    if (!hasSlider) return;
    const slider = $("density-slider");
    const read = (isDragging) =>
      this.update({ density: density.fromSlider(Number(slider.value), pageData.density) }, { isDragging });
    slider.addEventListener("input", () => read(true));
    slider.addEventListener("change", () => read(false));
  }

  #showValues() {
    for (const element of document.querySelectorAll("[data-parameter]")) {
      const value = this.values[element.dataset.parameter];
      if (element !== document.activeElement || element.type === "range") element.value = value ?? "";
    }
    if (!hasSlider) return;
    const slider = $("density-slider");
    const position = density.toSlider(Number(this.values.density), pageData.density);
    if (Math.abs(position - Number(slider.value)) > 0.002) slider.value = position;
    slider.setAttribute("aria-valuetext", String(this.values.density));
    for (const { button, density } of this.#tiles) {
      button.setAttribute("aria-pressed", String(density === Number(this.values.density)));
    }
  }

  /** Marks texts and the strip as those of the previous state, and lets files be saved in the new one. */
  #markPending() {
    document.body.classList.add("pending");
    $("strip").classList.toggle("pending", this.query({ density: null }) !== this.#stripKey);
    $("measured").textContent = "";
    const query = this.query();
    for (const [id, path] of [["save", "save"], ["save-latents", "latents"]]) {
      if ($(id)) $(id).href = `${path}?${query}`;
    }
  }

  #requestImages(isDragging) {
    const format = isDragging && Math.min(...pageData.size) >= JPEG_MIN_SIDE ? "jpeg" : "png";
    for (const image of this.images) {
      const query = this.query(image.parameters);
      image.request(`image?client=${image.client}&format=${format}&${query}`, { query, format });
    }
  }

  /** Shows everything that belongs to a state at rest, one request after the other, until the state changes. */
  async #rest() {
    clearTimeout(this.#restTimer);
    const number = ++this.#restNumber;
    const isCurrent = () => number === this.#restNumber;
    for (const { image } of this.#tiles) image.cancel();
    for (const source of ["rest", "strip"]) showAlert("", source); // of the previous state
    this.#requestImages(false);
    storeInAddress(this.query());
    const query = this.query();
    for (const image of this.images) await image.idle();
    for (const step of [() => this.#showDetails(query), () => this.#fillStrip(isCurrent), () => this.#measure(isCurrent)]) {
      if (!isCurrent()) return;
      try {
        await step();
      } catch (error) {
        if (isCurrent()) showAlert(errorText(error), "rest");
        return;
      }
    }
  }

  async #showDetails(query) {
    const details = await requestJson(`details?client=${client}&${query}`);
    if (details === null || query !== this.query()) return;
    document.body.classList.remove("pending");
    $("command").textContent = details.command;
    $("requested").textContent = details.requested ?? "";
    $("warning").textContent = details.warning ?? "";
    $("warning").hidden = !details.warning;
  }

  #showTiming(milliseconds) {
    $("timing").textContent = `${Math.round(milliseconds)} ms`;
  }

  #createStrip() {
    this.#tiles = pageData.strip.map(({ density, caption }) => {
      const picture = create("img", { alt: "" });
      const content = [picture, create("span", { textContent: caption })];
      const button = create("button", { type: "button", className: "tile", ariaLabel: `Density ${caption}` }, content);
      button.addEventListener("click", () => this.update({ density }));
      return { button, density, image: new LatestImage(picture) };
    });
    $("strip").append(...this.#tiles.map(({ button }) => button));
    $("strip").hidden = !this.#tiles.length;
  }

  /** Requests the images of the strip singly, unless they are those of the state already. */
  async #fillStrip(isCurrent) {
    const key = this.query({ density: null });
    if (key === this.#stripKey) return;
    for (const { button, density, image } of this.#tiles) {
      const query = this.query({ density });
      const url = `image?client=${client}&purpose=strip&${query}`;
      image.request(url);
      await image.idle();
      if (!isCurrent() || image.shown !== url) return;
      button.dataset.query = query;
      button.querySelector(".measured")?.remove();
    }
    this.#stripKey = key;
    $("strip").classList.remove("pending");
  }

  /** Shows the measured density of the image, and then of each image of the strip. */
  async #measure(isCurrent) {
    if (!pageData.is_measured) return;
    const measurement = await this.#measurement(this.query(), isCurrent);
    if (measurement === null || !isCurrent()) return;
    $("measured").textContent =
      measurement.status === "ready" ? `measured: ${measuredText(measurement)}` : measurement.error;
    const key = this.query({ density: null });
    if (measurement.status !== "ready" || key === this.#measuredKey) return;
    for (const { button, density } of this.#tiles) {
      const result = await this.#measurement(this.query({ density }), isCurrent);
      if (result === null || !isCurrent()) return;
      let text = button.querySelector(".measured");
      if (text === null) {
        text = create("span", { className: "measured soft" });
        button.append(text);
      }
      text.textContent = result.status === "ready" ? `measured ${meanOf(result.values).toPrecision(2)}` : "not measured";
    }
    this.#measuredKey = key;
  }

  /** The measured density of a state; waits while the predictors are fitted. */
  async #measurement(query, isCurrent) {
    for (;;) {
      const measurement = await requestJson(`measurement?client=${client}&${query}`);
      if (measurement === null || measurement.status !== "fitting") return measurement;
      $("measured").textContent = "measured: the density predictors are being fitted to the dataset …";
      await wait(MEASUREMENT_POLL_MS);
      if (!isCurrent()) return null;
    }
  }
}

function meanOf(values) {
  const numbers = Object.values(values);
  return numbers.reduce((sum, value) => sum + value, 0) / numbers.length;
}

function measuredText({ values, unit }) {
  const each = Object.entries(values).map(([name, value]) => `${name} ${value.toPrecision(3)}`);
  return `${meanOf(values).toPrecision(3)} ${unit ?? ""} (${each.join(", ")})`;
}
