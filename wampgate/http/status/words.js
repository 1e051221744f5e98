/** Numbers, times and foreign texts, as a person reads them. */

const WHOLE = new Intl.NumberFormat("en");
const COMPACT = new Intl.NumberFormat("en", { maximumSignificantDigits: 3, notation: "compact" });

/** @param {number} number */
export const whole = (number) => WHOLE.format(number);

/** About three digits of a number that is at least 0. @param {number} number */
export function short(number) {
  if (number >= 99_999.5) return COMPACT.format(number);
  return number >= 99.5 ? whole(Math.round(number)) : String(Number(number.toFixed(number < 9.995 ? 2 : 1)));
}

/** @param {number} number of bytes */
export function bytes(number) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (number >= 1000 && unit < units.length - 1) (number /= 1000), (unit += 1);
  return `${unit ? number.toPrecision(3) : number} ${units[unit]}`;
}

/** A length of time in its two greatest units. @param {number} seconds */
export function duration(seconds) {
  const left = Math.max(0, Math.floor(seconds));
  if (left < 60) return `${left} s`;
  if (left < 3600) return `${Math.floor(left / 60)} min ${left % 60} s`;
  if (left < 86400) return `${Math.floor(left / 3600)} h ${Math.floor((left % 3600) / 60)} min`;
  return `${Math.floor(left / 86400)} d ${Math.floor((left % 86400) / 3600)} h`;
}

/** @param {Date} date */
export const clock = (date) => date.toLocaleTimeString("en-GB");

/** @param {Date} date */
export const dateAndClock = (date) => date.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" });

/** What can't be seen, or changes how other characters are seen: controls, joiners, direction marks, tags. */
const UNSEEN =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\ufff0-\ufffb\u{e0000}-\u{e0fff}]|\p{Cs}/gu;

const LONGEST = 160;

/** @param {string} character */
const escaped = (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;

/**
 * A text that somebody else chose, so that it shows what it is: no longer than there is room, and nothing unseen.
 *
 * @param {unknown} text @param {number} [longest] in characters
 */
export function foreign(text, longest = LONGEST) {
  const characters = Array.from(String(text ?? "").slice(0, 4 * longest));
  const cut = characters.length > longest || String(text ?? "").length > 4 * longest;
  return characters.slice(0, longest).join("").replace(UNSEEN, escaped) + (cut ? "…" : "");
}
