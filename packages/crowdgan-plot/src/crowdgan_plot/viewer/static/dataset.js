/** The dataset page: filters, a page of thumbnails, and a dialog with one image and its record. */

import { $, client, create, errorText, formatNumber, pageData, queryOf, request, requestJson, showAlert, storeInAddress }
  from "./common.js";

const TYPING_MS = 200;
const MAX_CHECKBOXES = 12;
const PIXELATED_PX = 100;
const HISTOGRAM_SIZE = [400, 90];
const SVG = "http://www.w3.org/2000/svg";

const { classes, session, unit } = pageData;

const RECORD_PARAMETERS = ["classes", "min", "max", "search", "ambiguous", "unknown", "sort", "order", "page"];

const defaults = {
  classes: "", min: "", max: "", search: "", ambiguous: "", unknown: "include", sort: "dataset", order: "ascending",
  page: 1, boxes: "", open: "", people: "", estimate: "",
};

const values = { ...defaults };
for (const [name, value] of new URLSearchParams(location.search)) if (name in defaults) values[name] = value;

let items = []; // records of the shown page
let pages = 1;

/** An SVG element with attributes. */
function createSvg(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

/** Colour of a class, from sparse (blue, near the background) to dense (red, far from it). */
function classColour(index) {
  if (!classes[index]) return "var(--accent)";
  const position = classes.length > 1 ? index / (classes.length - 1) : 0.5;
  const hue = 255 - 225 * position;
  return `light-dark(oklch(${0.74 - 0.2 * position} 0.13 ${hue}), oklch(${0.58 + 0.2 * position} 0.13 ${hue}))`;
}

const storeState = () => storeInAddress(queryOf(values, defaults));

const withUnit = (value) => `${formatNumber(value)}${unit ? ` ${unit}` : ""}`;

/** The error message of an address that gives no image; its response is not stored by the browser. */
async function problemOf(url) {
  try {
    await request(url);
    return "the image could not be displayed";
  } catch (error) {
    return errorText(error);
  }
}

// Filters

/** Removes or disables controls that the dataset has no data for. */
function prepareControls() {
  const has = {
    classes: classes.length > 0, densities: pageData.histogram !== null, unknown: pageData.has_unknown,
    boundaries: pageData.boundaries.length > 0,
  };
  for (const element of document.querySelectorAll("[data-needs]")) if (!has[element.dataset.needs]) element.remove();
  for (const option of document.querySelectorAll('[data-parameter="sort"] option')) {
    if (!pageData.sort_keys.includes(option.value)) option.remove();
  }
  if ($("unit")) $("unit").textContent = unit ? `(${unit})` : "";
  const problems = { boxes: pageData.boxes_problem, estimate: pageData.estimate_problem };
  for (const element of document.querySelectorAll("[data-uses]")) {
    const problem = problems[element.dataset.uses];
    element.disabled = problem !== null;
    if (problem !== null) values[element.dataset.parameter] = "";
    element.parentElement.title = problem ?? "";
  }
  showHint("source-hint", problems.boxes);
  showHint("viewer-hint", problems.boxes ?? problems.estimate);
}

/** Shows why controls are disabled; null hides the hint. */
function showHint(id, text) {
  $(id).textContent = text ?? "";
  $(id).hidden = text === null;
}

/** Indices of the selected classes; empty for all. */
const selectedClasses = () => new Set(values.classes ? values.classes.split(",").map(Number) : []);

/** One checkbox per class, or a list if there are many. */
function createClassControls() {
  if (!$("classes")) return;
  if (classes.length > MAX_CHECKBOXES) {
    const options = classes.map((name, index) => create("option", { value: index, textContent: name }));
    const list = create("select", { ariaLabel: "Class" }, [create("option", { value: "", textContent: "all" }), ...options]);
    list.value = values.classes;
    list.addEventListener("change", () => filter({ classes: list.value }));
    $("classes").append(list);
    return;
  }
  for (const [index, name] of classes.entries()) {
    const box = create("input", { type: "checkbox", value: index });
    const swatch = create("span", { className: "swatch" });
    swatch.style.background = classColour(index);
    $("classes").append(create("label", { className: "check" }, [box, swatch, name]));
  }
  $("classes").addEventListener("change", () => {
    const checked = [...$("classes").querySelectorAll(":checked")].map((box) => box.value);
    filter({ classes: checked.length === classes.length ? "" : checked.join(",") });
  });
}

/** Shows the state in the controls. */
function showControls() {
  for (const element of document.querySelectorAll("[data-parameter]")) {
    const value = values[element.dataset.parameter];
    if (element.type === "checkbox") element.checked = value === "1";
    else if (element !== document.activeElement || value === "") element.value = value;
  }
  const selected = selectedClasses();
  for (const box of document.querySelectorAll("#classes input")) box.checked = selected.has(Number(box.value));
  const list = document.querySelector("#classes select");
  if (list) list.value = values.classes;
  dimHistogram();
}

/** Changes filters, which starts at the first page. */
function filter(changes) {
  Object.assign(values, { page: 1 }, changes);
  showControls();
  return loadRecords();
}

let typingTimer = 0;

/** Applies a control: text after a pause, others at once. */
function applyControl(element) {
  const name = element.dataset.parameter;
  values[name] = element.type === "checkbox" ? (element.checked ? "1" : "") : element.value;
  clearTimeout(typingTimer);
  if (name === "boxes") {
    showGrid();
    storeState();
  } else if (["people", "estimate"].includes(name)) {
    showOpenImage();
    storeState();
  } else {
    typingTimer = setTimeout(() => filter({}), element.matches("input:not([type=checkbox])") ? TYPING_MS : 0);
  }
}

/** Removes all filters and restores the order of the dataset. */
function resetFilters() {
  for (const name of RECORD_PARAMETERS) values[name] = defaults[name];
  filter({});
}

// Histogram

/** Draws the number of images per density and class as stacked bars. */
function drawHistogram() {
  if (pageData.histogram === null) return;
  const [edges, counts] = pageData.histogram;
  const [width, height] = HISTOGRAM_SIZE;
  const totals = edges.slice(1).map((_, bin) => counts.reduce((sum, row) => sum + row[bin], 0));
  const scale = height / Math.max(...totals, 1);
  const step = width / totals.length;
  const range = `${formatNumber(edges[0])} to ${withUnit(edges.at(-1))}`;
  const chart = createSvg("svg", {
    viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img",
    "aria-label": `Histogram of the density of all images, ${range}`,
  });
  for (const [bin, total] of totals.entries()) {
    const column = createSvg("g", { "data-low": edges[bin], "data-high": edges[bin + 1] });
    const title = createSvg("title", {});
    title.textContent = `${formatNumber(edges[bin])} to ${withUnit(edges[bin + 1])}: ${total} images`;
    column.append(title);
    let top = height;
    for (const [row, count] of counts.map((row) => row[bin]).entries()) {
      top -= count * scale;
      const bar = createSvg("rect", { x: bin * step, y: top, width: step * 0.9, height: count * scale, "data-class": row });
      bar.style.fill = classColour(row);
      if (count) column.append(bar);
    }
    chart.append(column);
  }
  drawBoundaries(chart, edges, width, height);
  const labels = [formatNumber(edges[0]), unit ?? "density", formatNumber(edges.at(-1))];
  const axis = create("figcaption", { className: "soft", ariaHidden: "true" });
  axis.append(...labels.map((text) => create("span", { textContent: text })));
  $("histogram").append(chart, axis);
  $("histogram").hidden = false;
}

/** Draws class boundaries as vertical lines. */
function drawBoundaries(chart, edges, width, height) {
  const extent = edges.at(-1) - edges[0];
  for (const boundary of pageData.boundaries) {
    const x = (width * (boundary - edges[0])) / extent;
    if (x > 0 && x < width) chart.append(createSvg("line", { x1: x, x2: x, y1: 0, y2: height }));
  }
}

/** Dims the bars outside the selected range and classes. */
function dimHistogram() {
  const low = values.min === "" ? -Infinity : Number(values.min);
  const high = values.max === "" ? Infinity : Number(values.max);
  const selected = selectedClasses();
  for (const column of $("histogram").querySelectorAll("g")) {
    const isInside = Number(column.dataset.high) >= low && Number(column.dataset.low) <= high;
    for (const bar of column.querySelectorAll("rect")) {
      const isSelected = isInside && (!selected.size || selected.has(Number(bar.dataset.class)));
      bar.classList.toggle("outside", !isSelected);
    }
  }
}

// Grid

let newestRequest = 0;

/** Requests the page of records of the state and shows it; returns whether it is shown. */
async function loadRecords() {
  const number = ++newestRequest;
  const query = Object.fromEntries(RECORD_PARAMETERS.map((name) => [name, values[name]]));
  storeState();
  try {
    const result = await requestJson(`records?${queryOf(query, defaults)}`);
    if (number !== newestRequest) return false;
    ({ items, pages } = result);
    values.page = result.page;
    showAlert("");
    showGrid();
    showCount(result.total);
    storeState();
    return true;
  } catch (error) {
    if (number === newestRequest) showAlert(errorText(error));
    return false;
  }
}

/** Shows the number of selected images and the page. */
function showCount(total) {
  const of = total === pageData.total ? "" : ` of ${pageData.total.toLocaleString("en")}`;
  const noun = pageData.total === 1 ? "image" : "images";
  $("count").textContent = total ? `${total.toLocaleString("en")}${of} ${noun}` : "No image matches the filters.";
  for (const element of document.querySelectorAll(".page-number")) {
    element.textContent = `page ${values.page} of ${pages.toLocaleString("en")}`;
  }
  for (const button of document.querySelectorAll("[data-step]")) {
    const target = Number(values.page) + Number(button.dataset.step);
    button.disabled = target < 1 || target > pages;
  }
  for (const pager of document.querySelectorAll(".pager")) pager.hidden = pages === 1;
}

/** Shows another page of the grid; returns whether it is shown. */
async function turnPage(step) {
  const page = Number(values.page) + step;
  if (page < 1 || page > pages) return false;
  const previous = values.page;
  values.page = page;
  const isLoaded = await loadRecords();
  if (!isLoaded) values.page = previous;
  return isLoaded;
}

const showGrid = () => $("grid").replaceChildren(...items.map(createTile));

/** Short text of a record's density or label. */
function densityText(item) {
  if (item.density !== null) return formatNumber(item.density);
  if (item.label !== null) return item.label.map(formatNumber).join(", ");
  return pageData.histogram ? "unknown" : "";
}

/** A button with the thumbnail of an image. */
function createTile(item) {
  const caption = create("span", { className: "caption" }, [create("span", { textContent: densityText(item) })]);
  if (item.class !== null) {
    const swatch = create("span", { className: "swatch" });
    swatch.style.background = classColour(item.class);
    caption.append(create("span", { className: "class" }, [swatch, classes[item.class]]));
  }
  if (item.is_ambiguous) caption.append(create("span", { className: "mark", textContent: "≈", title: "ambiguous" }));
  const frame = create("span", { className: "thumbnail" }, [createThumbnail(item)]);
  const button = create("button", { type: "button", className: "tile", title: item.name }, [frame, caption]);
  button.dataset.index = item.index;
  button.ariaLabel = tileLabel(item);
  button.addEventListener("click", () => openImage(item.index));
  return create("li", {}, [button]);
}

/** Name of a tile for screen readers. */
function tileLabel(item) {
  const parts = [item.name];
  if (item.density !== null) parts.push(`density ${withUnit(item.density)}`);
  if (item.class !== null) parts.push(`class ${classes[item.class]}`);
  if (item.is_ambiguous) parts.push("ambiguous");
  return parts.join(", ");
}

/** The image of a tile, replaced by a text if it is damaged. */
function createThumbnail(item) {
  const query = queryOf({ index: item.index, boxes: values.boxes, session });
  const image = create("img", { alt: "", loading: "lazy", decoding: "async" });
  if (pageData.size) image.style.aspectRatio = `${pageData.size[1]} / ${pageData.size[0]}`;
  image.addEventListener("load", () => markPixelated(image));
  image.addEventListener("error", async () => {
    const text = create("span", { className: "damaged", textContent: "not loaded" });
    image.replaceWith(text);
    item.problem = await problemOf(`thumbnail?${query}`);
    if (item.problem.includes(item.name)) text.textContent = "damaged";
    document.querySelector(`.tile[data-index="${item.index}"]`)?.setAttribute("title", item.problem);
  });
  image.src = `thumbnail?${query}`;
  return image;
}

/** Shows the pixels of small images sharply. */
function markPixelated(image) {
  image.classList.toggle("pixelated", Math.max(image.naturalWidth, image.naturalHeight) < PIXELATED_PX);
}

// Dialog

const position = () => items.findIndex((item) => item.index === Number(values.open));

/** Opens the dialog with an image of the shown page. */
function openImage(index) {
  values.open = index;
  storeState();
  showOpenImage();
  if (!$("viewer").open) $("viewer").showModal();
}

let isTurning = false;

/** Shows the previous or next image, also of the neighbouring page. */
async function stepImage(step) {
  if (isTurning) return;
  const target = items[position() + step];
  if (target) return openImage(target.index);
  isTurning = true;
  if ((await turnPage(step)) && $("viewer").open) openImage(items.at(step > 0 ? 0 : -1).index);
  isTurning = false;
}

/** Forgets the open image and returns the focus to its tile. */
function closeImage() {
  const tile = document.querySelector(`.tile[data-index="${values.open}"]`);
  values.open = "";
  storeState();
  tile?.focus();
}

/** Shows the record, the image, and what the checkboxes request. */
function showOpenImage() {
  const item = items[position()];
  if (!item) return;
  $("viewer-title").textContent = item.name;
  showRecord(item);
  $("previous").disabled = position() === 0 && Number(values.page) === 1;
  $("next").disabled = position() === items.length - 1 && Number(values.page) === pages;
  $("note").textContent = "";
  showFullImage(item);
  showBoxes(item);
  showEstimate(item);
}

const showRecord = (item) => $("record").replaceChildren(...recordRows(item).flatMap(createRow));

/** Elements of one row of a record. */
function createRow([name, value]) {
  return [create("dt", { textContent: name }), create("dd", { textContent: value })];
}

/** Names and texts of a record. */
function recordRows(item) {
  const rows = [["Name", item.name], ["Source", item.source ?? "not stated"]];
  if (item.label?.length > 1) rows.push(["Label", item.label.map(formatNumber).join(", ")]);
  if (pageData.histogram) rows.push(["Density", item.density === null ? "unknown" : withUnit(item.density)]);
  if (item.class !== null) rows.push(["Class", classes[item.class]]);
  if (item.persons !== null) rows.push(["Person count", item.persons]);
  if (item.distance !== null) {
    rows.push(["Class boundary", `${withUnit(item.distance)} away`], ["Ambiguous", item.is_ambiguous ? "yes" : "no"]);
  }
  if (pageData.region) rows.push(["Measured", pageData.region === "full" ? "full image" : "crop"]);
  if (item.problem) rows.push(["Damaged", item.problem]);
  return rows;
}

const DRAWING = "Drawing the density estimate …";

/** Whether the image of a record is still open. */
const isOpen = (item) => Number(values.open) === item.index && values.open !== "";

/** Whether the image of a record is still open with a checkbox on. */
const isRequested = (item, name) => isOpen(item) && values[name] === "1";

/** Loads the full image of a record, or shows why it cannot be loaded. */
async function showFullImage(item) {
  const image = $("full-image");
  const url = `image?${queryOf({ index: item.index, session })}`;
  if (image.getAttribute("src") === url) return;
  $("damaged").hidden = true;
  image.alt = item.name;
  image.src = url;
  try {
    await image.decode();
  } catch {
    if (image.getAttribute("src") !== url) return; // another image replaced it
    const problem = await problemOf(url);
    if (!isOpen(item)) return;
    item.problem = problem;
    showRecord(item);
  }
  if (image.getAttribute("src") !== url) return;
  $("damaged").hidden = image.naturalWidth > 0;
  markPixelated(image);
  showStage();
}

/** Draws the boxes of a record over its image, if requested. */
async function showBoxes(item) {
  $("boxes").replaceChildren();
  if (values.people !== "1") return;
  try {
    const boxes = await requestJson(`people?index=${item.index}`);
    if (!isRequested(item, "people")) return;
    const [height, width] = boxes.size;
    const clipped = createSvg("svg", { width, height });
    clipped.append(...boxShapes(boxes, width));
    $("boxes").setAttribute("viewBox", `0 0 ${width} ${height}`);
    $("boxes").replaceChildren(clipped);
  } catch (error) {
    if (isOpen(item)) addNote(errorText(error));
  }
}

/** SVG elements of boxes, ignore regions and heads. */
function boxShapes({ people, ignore_regions: regions, heads }, imageWidth) {
  const rectangle = (kind) => ([x, y, width, height]) => createSvg("rect", { class: kind, x, y, width, height });
  const radius = imageWidth / 150;
  return [
    ...regions.map(rectangle("ignored")),
    ...people.map(rectangle("person")),
    ...heads.map(([cx, cy]) => createSvg("circle", { class: "head", cx, cy, r: radius })),
  ];
}

/** Loads the figure of the density estimate of a record, if requested; it replaces the image. */
async function showEstimate(item) {
  $("figure").hidden = true;
  showStage();
  if (values.estimate !== "1") return;
  addNote(DRAWING);
  try {
    const response = await request(`overlay?${queryOf({ index: item.index, client })}`);
    if (response === null || !isRequested(item, "estimate")) return;
    await showBlob($("estimate"), await response.blob());
    $("estimate").alt = `Density estimate of ${item.name}`;
    $("figure").hidden = !isRequested(item, "estimate");
    removeNote(DRAWING);
    showStage();
  } catch (error) {
    if (!isRequested(item, "estimate")) return;
    removeNote(DRAWING);
    addNote(errorText(error));
  }
}

/** Shows the image unless it is damaged or the figure of the density estimate replaces it. */
function showStage() {
  $("frame").hidden = !$("damaged").hidden || !$("figure").hidden;
}

/** Shows an image file in an element. */
async function showBlob(element, blob) {
  URL.revokeObjectURL(element.src);
  element.src = URL.createObjectURL(blob);
  await element.decode().catch(() => {}); // another file replaced it
}

const notes = () => $("note").textContent.split("\n").filter(Boolean);

/** Adds a line below the image. */
function addNote(text) {
  $("note").textContent = [...new Set([...notes(), text])].join("\n");
}

/** Removes a line below the image. */
function removeNote(text) {
  $("note").textContent = notes().filter((note) => note !== text).join("\n");
}

// Events

/** Connects the controls with their functions. */
function connectEvents() {
  $("filters").addEventListener("submit", (event) => event.preventDefault());
  $("reset").addEventListener("click", resetFilters);
  for (const element of document.querySelectorAll("[data-parameter]")) {
    const isTyped = element.matches("input:not([type=checkbox])");
    element.addEventListener(isTyped ? "input" : "change", () => applyControl(element));
  }
  for (const button of document.querySelectorAll("[data-step]")) {
    button.addEventListener("click", () => turnPage(Number(button.dataset.step)));
  }
  $("previous").addEventListener("click", () => stepImage(-1));
  $("next").addEventListener("click", () => stepImage(1));
  $("close").addEventListener("click", () => $("viewer").close());
  $("viewer").addEventListener("close", closeImage);
  document.addEventListener("keydown", (event) => {
    if (!$("viewer").open || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "ArrowLeft") stepImage(-1);
    if (event.key === "ArrowRight") stepImage(1);
  });
}

prepareControls();
createClassControls();
drawHistogram();
showControls();
connectEvents();
await loadRecords();
if (values.open !== "" && position() >= 0) openImage(Number(values.open));
else if (values.open !== "") closeImage();
