/** Makes elements of the page; text becomes text nodes, never markup. */

/**
 * @typedef {string | number | Node | null | undefined} Child
 * @param {string} tag @param {Record<string, string | number | boolean | null>} [attributes] names and texts that this page chose
 * @param {...Child} children @returns {HTMLElement}
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) made.setAttribute(name, value === true ? "" : String(value));
  }
  append(made, children);
  return made;
}

/** @param {Element} parent @param {Child[]} children */
export function append(parent, children) {
  for (const child of children) {
    if (child !== null && child !== undefined) parent.append(child instanceof Node ? child : String(child));
  }
}

const SVG = "http://www.w3.org/2000/svg";

/** @param {string} tag @param {Record<string, string | number>} attributes @param {...Element} children */
export function drawn(tag, attributes, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  made.append(...children);
  return made;
}

/** An element of the page, by its id. @param {string} id @returns {any} */
export function by(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found;
}

/** What is announced to those who don't see the page. @param {string} text */
export function announce(text) {
  by("news").textContent = text;
}
