/** Which rule of router.json a role lacks, said where something was refused. */

import { element } from "./elements.js";
import { foreign } from "./words.js";

/**
 * @param {HTMLElement} notice where to say it @param {string} role of this session
 * @param {{uri: string, message: string} | null} error what the router answered; null for nothing
 * @param {{actions: string[], uri: string, match?: string}} rule what would allow it
 */
export function showRefused(notice, role, error, rule) {
  notice.hidden = error === null;
  if (error === null) return notice.replaceChildren();
  const missing = error.uri === "wamp.error.not_authorized";
  notice.className = missing ? "notice info" : "notice bad";
  notice.replaceChildren(
    element("strong", {}, missing ? "This is not allowed to you" : "The router can't tell this now"),
    element("span", {}, `${foreign(error.message, 300)} (${foreign(error.uri)})`),
    ...(missing ? advice(role, error, rule) : []),
  );
}

/** @param {string} role @param {{message: string}} error @param {{actions: string[], uri: string, match?: string}} rule */
function advice(role, error, rule) {
  // Who may call it but sees too little is told by the router itself what is missing.
  const sight = error.message.includes("meta_api.sights");
  const told = sight ? { role, sees: "all" } : { role, ...rule };
  const where = sight ? "meta_api.sights" : "authorization.rules";
  return [
    element("span", {}, `What would allow it, in ${where} of this realm in router.json:`),
    element("code", {}, foreign(JSON.stringify(told).replaceAll(":", ": ").replaceAll(",", ", "), 400)),
  ];
}
