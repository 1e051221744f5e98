/** Tabs by the ARIA pattern: arrows, Home and End move between them, one of them is in the tab order. */

import { by } from "./elements.js";

export class Tabs {
  /** @param {HTMLElement} list @param {(name: string) => void} chosen told of each choice, by the id of the panel */
  constructor(list, chosen) {
    /** @type {HTMLElement[]} */ this.tabs = [...list.querySelectorAll(/** @type {any} */ ("[role=tab]"))];
    this.chosen = chosen;
    this.name = "";
    for (const tab of this.tabs) tab.addEventListener("click", () => this.choose(nameOf(tab)));
    list.addEventListener("keydown", (event) => this.#key(event));
  }

  /** @param {string} name of a panel; another one's leads to the first */
  choose(name) {
    const found = this.tabs.find((tab) => nameOf(tab) === name) ?? this.tabs[0];
    for (const tab of this.tabs) {
      tab.ariaSelected = String(tab === found);
      tab.tabIndex = tab === found ? 0 : -1;
      by(nameOf(tab)).hidden = tab !== found;
    }
    this.name = nameOf(found);
    this.chosen(this.name);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const here = this.tabs.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    const last = this.tabs.length - 1;
    const there = { ArrowRight: here + 1, ArrowLeft: here - 1, Home: 0, End: last }[event.key];
    if (here < 0 || there === undefined) return;
    event.preventDefault();
    const tab = this.tabs[there < 0 ? last : there > last ? 0 : there];
    this.choose(nameOf(tab));
    tab.focus();
  }
}

/** @param {HTMLElement} tab */
const nameOf = (tab) => tab.getAttribute("aria-controls") ?? "";
