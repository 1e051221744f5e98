/** Small plots of the last five minutes, as SVG; what they show is said in words beside them. */

import { drawn, element } from "./elements.js";
import { BACK } from "./feed.js";
import { short } from "./words.js";

const WIDTH = 300;
const HEIGHT = 64;

export class Plot {
  /** @param {HTMLElement} place @param {string} title @param {string} [unit] */
  constructor(place, title, unit = "") {
    this.unit = unit;
    this.now = element("strong", { class: "plot-now" }, "–");
    this.most = element("span", { class: "plot-most" });
    this.line = drawn("polyline", { class: "plot-line" });
    this.area = drawn("polygon", { class: "plot-area" });
    const picture = drawn(
      "svg",
      { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true", class: "plot-picture" },
      drawn("path", { class: "plot-ground", d: `M0 ${HEIGHT - 0.5}H${WIDTH}` }),
      this.area,
      this.line,
    );
    const head = element("figcaption", {}, element("span", { class: "plot-title" }, title), this.now, this.most);
    const figure = element("figure", { class: "card plot" }, head);
    figure.append(picture, element("p", { class: "plot-axis" }, element("span", {}, "5 min ago"), element("span", {}, "now")));
    place.append(figure);
  }

  /** @param {{at: number, value: number}[]} points @param {number} now in milliseconds */
  show(points, now) {
    const top = points.reduce((most, { value }) => Math.max(most, value), 0);
    const last = points.at(-1);
    this.now.textContent = last ? `${short(last.value)}${this.unit}` : "–";
    this.most.textContent = last ? `at most ${short(top)}${this.unit}` : "";
    const places = points.map(({ at, value }) => {
      const x = WIDTH - ((now - at) / BACK) * WIDTH;
      const y = HEIGHT - 2 - (top ? value / top : 0) * (HEIGHT - 6);
      return `${x.toFixed(1)},${y.toFixed(1)}`;
    });
    this.line.setAttribute("points", places.join(" "));
    const [from, to] = [places[0], places.at(-1)].map((place) => place?.split(",")[0]);
    this.area.setAttribute("points", places.length > 1 ? `${from},${HEIGHT} ${places.join(" ")} ${to},${HEIGHT}` : "");
  }
}
