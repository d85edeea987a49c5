/** The run page: follows the training of a run. */

import { $, create, errorText, pageData, requestJson, showAlert } from "./common.js";

const POLL_MS = 2000;
const FRAME_MS = 500;
const MAX_SHARP_PX = 400;
const IDLE_S = 600;

let status = null;
let timer = null;

/** Text of a duration since the last change. */
function ageText(seconds) {
  if (seconds === null) return "No statistics yet; the page shows them as soon as training writes them.";
  if (seconds < 90) return `Statistics updated ${Math.round(seconds)} s ago`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `Statistics updated ${minutes} min ago`;
  return `Statistics updated ${Math.round(minutes / 60)} h ago`;
}

function showFacts(facts) {
  $("facts").replaceChildren(
    ...facts.map(([name, value]) => {
      const content = [create("b", { textContent: value }), create("span", { textContent: name })];
      return create("li", {}, content);
    }),
  );
}

function createChart({ title, description }) {
  return create("article", { className: "card" }, [
    create("h3", { textContent: title }),
    create("p", { className: "soft", textContent: description }),
    create("img", { alt: `Chart: ${title}`, loading: "lazy", width: 700, height: 330 }),
  ]);
}

/** Shows the charts of the present statistics; images of older ones stay until the new ones are loaded. */
function showCharts({ charts, lines }) {
  const titles = charts.map(({ title }) => title).join("\n");
  const container = $("charts");
  if (container.dataset.titles !== titles) {
    container.replaceChildren(...charts.map(createChart));
    container.dataset.titles = titles;
  }
  container.querySelectorAll("img").forEach((image, index) => {
    image.src = `chart?index=${index}&lines=${lines}`;
  });
  container.dataset.lines = lines;
}

const lastFrame = () => Number($("time").max);

function showFrame(index) {
  $("time").value = index;
  $("label").textContent = status.grids[index] ?? "";
  $("time").setAttribute("aria-valuetext", $("label").textContent);
  if (status.grids.length) {
    $("fakes").src = `grid?index=${index}`;
    $("fakes").alt = `Generated images, ${status.grids[index]}`;
  }
}

function showGrids(previous) {
  const wasLast = previous === null || Number($("time").value) >= previous.grids.length - 1;
  $("samples").hidden = !status.grids.length && !status.has_reals;
  $("fakes-figure").hidden = !status.grids.length;
  $("time").max = Math.max(0, status.grids.length - 1);
  $("rows").textContent = status.rows.length ? `Rows from top to bottom: ${status.rows.join(", ")}.` : "";
  if (status.has_reals && $("reals-figure").hidden) {
    $("reals-figure").hidden = false;
    $("reals").src = "reals";
  }
  if (wasLast && timer === null) showFrame(lastFrame());
}

function stop() {
  clearInterval(timer);
  timer = null;
  $("play").textContent = "Play";
}

function play() {
  let next = Number($("time").value) >= lastFrame() ? 0 : Number($("time").value);
  showFrame(next);
  $("play").textContent = "Stop";
  timer = setInterval(() => {
    next += 1;
    if (next > lastFrame()) stop();
    else showFrame(next);
  }, FRAME_MS);
}

/** Shows a new status of the run. */
function show(newStatus) {
  const previous = status;
  status = newStatus;
  $("updated").textContent = ageText(status.seconds_since_update);
  $("model-link").hidden = status.snapshot === null;
  $("notes").replaceChildren(
    ...status.notes.map((note) => create("li", { textContent: note })),
  );
  if (previous === null || previous.lines !== status.lines) {
    showFacts(status.facts);
    showCharts(status);
  }
  if (previous === null || previous.grids.length !== status.grids.length || previous.has_reals !== status.has_reals) {
    showGrids(previous);
  }
}

async function poll() {
  if (!document.hidden) {
    try {
      show(await requestJson("status"));
      showAlert("");
    } catch (error) {
      showAlert(errorText(error));
    }
  }
  const isIdle = (status?.seconds_since_update ?? 0) > IDLE_S;
  setTimeout(poll, isIdle ? 5 * POLL_MS : POLL_MS);
}

/** Charts have dark lines on a transparent background; a dark page inverts them. */
function followTheme() {
  const isDark = () => {
    const scheme = document.documentElement.style.colorScheme;
    return scheme === "dark" || (scheme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  };
  const apply = () => document.body.classList.toggle("dark", isDark());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", apply);
  $("theme").addEventListener("change", apply);
  apply();
}

for (const id of ["fakes", "reals"]) {
  $(id).addEventListener("load", () => $(id).classList.toggle("sharp", $(id).naturalWidth < MAX_SHARP_PX));
  $(id).addEventListener("error", () => showAlert("A sample grid could not be read; it may still be being written.", id));
  $(id).addEventListener("load", () => showAlert("", id));
}
$("play").addEventListener("click", () => (timer === null ? play() : stop()));
$("time").addEventListener("input", () => {
  stop();
  showFrame(Number($("time").value));
});
followTheme();
show(pageData);
setTimeout(poll, POLL_MS);
