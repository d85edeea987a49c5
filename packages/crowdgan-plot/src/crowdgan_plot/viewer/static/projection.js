/** The projection page: target, reconstruction, density edits of the projected latent, and differences. */

import { $, pageData } from "./common.js";
import { hasSlider, ImagePage, labelDensity } from "./image-page.js";

const { source_density: sourceDensity } = pageData;

const page = new ImagePage({ density: sourceDensity, strength: 1, layers: "" });
page.addImage($("difference"), { show: "difference" });

$("reconstruction").src = "reconstruction";
$("target").parentElement.hidden = !pageData.has_target;
const similarity = pageData.psnr_db === null ? "" : `, ${pageData.psnr_db.toFixed(1)} dB`;
$("reconstruction-caption").textContent = `Reconstruction${pageData.source ? ` (${pageData.source})` : ""}${similarity}`;
$("difference-caption").textContent = `Difference from the ${pageData.has_target ? "target" : "reconstruction"}; white: equal`;
$("edit-controls").hidden = !hasSlider;
$("note").hidden = hasSlider;
$("layers-help").textContent = `0 (coarsest) to ${pageData.num_layers - 1}`;
labelDensity();

$("reset").addEventListener("click", () => page.update({ density: sourceDensity, strength: 1, layers: "" }));
page.update({});
