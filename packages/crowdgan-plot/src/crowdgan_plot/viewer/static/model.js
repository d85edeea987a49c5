/** The model page: seed, density, truncation, transform, noise, walk and style mixing. */

import { $, errorText, pageData, requestJson, showAlert } from "./common.js";
import { hasSlider, ImagePage, labelDensity } from "./image-page.js";

const MAX_SEED = 2 ** 32 - 1;
const RANDOM_SEEDS = 1_000_000;
const PAN_STEP = 0.02;
const DENSITY_STEP = 0.05;
const WALK_SECONDS = 4;
const LIVE_POLL_MS = 5000;

const { controls, density, strip } = pageData;

const defaults = {
  seed: 0, density: null, label: null, trunc: 1, cutoff: "", mean: "label", x: 0, y: 0, rotate: 0, noise: "const",
  walk_seed: "", walk: 0, mix_seed: "", mix_layers: "",
};

/** Hides controls that the model does not support, and sets the limits of the others. */
function prepareControls() {
  const supported = { transform: controls.transform, latents: controls.num_layers > 0, ...controls };
  for (const element of document.querySelectorAll("[data-needs]")) {
    if (!supported[element.dataset.needs]) element.remove();
  }
  const cutoff = document.querySelector('[data-parameter="cutoff"]');
  if (cutoff) cutoff.max = controls.num_layers;
  if ($("layers-help")) $("layers-help").textContent = `Layers 0 (coarsest) to ${controls.num_layers - 1}, e.g. 0-3 or 2,5`;
  $("label-controls").hidden = density?.kind !== "vector";
  if (density?.kind === "vector") $("label-help").textContent = `${density.size} numbers ${density.unit ?? ""}`;
  $("frame").classList.toggle("movable", controls.transform);
}

function initialDensity() {
  return strip.length ? strip[Math.floor(strip.length / 2)].density : density?.kind === "value" ? 1 : 0;
}

/** Style mixing without layers takes the coarse half; a walk needs a seed. */
function completeState(changed) {
  if (changed.includes("mix_seed") && page.values.mix_seed !== "" && page.values.mix_layers === "") {
    page.values.mix_layers = `0-${Math.max(0, Math.floor(controls.num_layers / 2) - 1)}`;
  }
  const walk = document.querySelector('[data-parameter="walk"]');
  if (walk) walk.disabled = page.values.walk_seed === "";
}

/** Sets parameters of the address that the model does not support to their defaults, and an initial density. */
function adaptToModel({ values }) {
  const isUnused = (name) => document.querySelector(`[data-parameter="${name}"]`) === null;
  for (const name of Object.keys(defaults).filter(isUnused)) values[name] = defaults[name];
  if (density?.kind !== "vector") values.label = null;
  if (!hasSlider) values.density = null;
  else if (values.density === null) values.density = initialDensity();
  else if (density.kind === "class") values.density = Math.min(density.high, Math.max(density.low, values.density));
}

prepareControls();
labelDensity();
const page = new ImagePage(defaults, completeState);
adaptToModel(page);
completeState([]);

const seed = () => Number(page.values.seed) || 0;
const setSeed = (value) => page.update({ seed: Math.min(MAX_SEED, Math.max(0, value)) });
const randomSeed = () => setSeed(Math.floor(Math.random() * RANDOM_SEEDS));

$("previous-seed").addEventListener("click", () => setSeed(seed() - 1));
$("next-seed").addEventListener("click", () => setSeed(seed() + 1));
$("random-seed").addEventListener("click", randomSeed);
$("show-help").addEventListener("click", () => $("help").showModal());
$("centre")?.addEventListener("click", () => page.update({ x: 0, y: 0, rotate: 0 }));

/** Translates by a part of the image width. */
function pan(x, y, options) {
  const limit = (value) => Number(Math.min(2, Math.max(-2, value)).toFixed(4));
  page.update({ x: limit(x), y: limit(y) }, options);
}

function enableDragging() {
  const image = $("image");
  let start = null;
  image.addEventListener("pointerdown", (event) => {
    start = { left: event.clientX, top: event.clientY, x: Number(page.values.x), y: Number(page.values.y) };
    image.setPointerCapture(event.pointerId);
  });
  image.addEventListener("pointermove", (event) => {
    if (start === null) return;
    const width = image.clientWidth;
    pan(start.x + (event.clientX - start.left) / width, start.y + (event.clientY - start.top) / width, { isDragging: true });
  });
  for (const name of ["pointerup", "pointercancel"]) {
    image.addEventListener(name, () => {
      if (start !== null) page.update({});
      start = null;
    });
  }
}

if (controls.transform) enableDragging();

const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || $("help").open) return;
  const isSlider = event.target.matches('input[type="range"]');
  if (event.target.matches("input, select, textarea") && !isSlider) return;
  const arrow = isSlider ? undefined : arrows[event.key];
  const key = event.key.toLowerCase();
  if (arrow && event.target === $("image") && controls.transform) {
    pan(Number(page.values.x) + PAN_STEP * arrow[0], Number(page.values.y) + PAN_STEP * arrow[1]);
  } else if (arrow && arrow[0]) {
    setSeed(seed() + arrow[0]);
  } else if (arrow && !$("density-controls").hidden) {
    page.stepDensity(-DENSITY_STEP * arrow[1]);
  } else if (key === "r") {
    randomSeed();
  } else if (key === "s") {
    $("save").click();
  } else if (key === "c") {
    page.copyCommand();
  } else {
    return;
  }
  event.preventDefault();
});

let walkStart = null;

/** Moves along the walk until its end. */
function playWalk(time) {
  if (walkStart === null) return;
  const position = Math.min(1, (time - walkStart) / (1000 * WALK_SECONDS));
  page.update({ walk: Number(position.toFixed(2)) }, { isDragging: position < 1 });
  if (position < 1) requestAnimationFrame(playWalk);
  else stopWalk();
}

function stopWalk() {
  walkStart = null;
  $("play-walk").textContent = "Play";
}

$("play-walk")?.addEventListener("click", () => {
  if (walkStart !== null) {
    stopWalk();
    return;
  }
  if (page.values.walk_seed === "") page.update({ walk_seed: (seed() + 1) % (MAX_SEED + 1) });
  $("play-walk").textContent = "Stop";
  walkStart = performance.now();
  requestAnimationFrame(playWalk);
});

/** Shows a newer model; one with other controls needs a new page. */
function showNewer(description) {
  const withoutName = (data) => JSON.stringify({ ...data, name: "" });
  if (withoutName(description) !== withoutName(pageData)) {
    location.reload();
    return;
  }
  pageData.name = description.name;
  $("model-name").textContent = description.name;
  page.reload();
}

/** Shows newer models of a run as they appear. */
async function followModel() {
  try {
    const description = await requestJson("description");
    if (description !== null && description.name !== pageData.name) showNewer(description);
    showAlert("", "model");
  } catch (error) {
    showAlert(errorText(error), "model");
  }
  setTimeout(followModel, LIVE_POLL_MS);
}

if (pageData.is_live) setTimeout(followModel, LIVE_POLL_MS);

page.update({});
