/** What the router's error and close URIs mean, in words for the person in front of the page. */

/** @typedef {{title: string, text: string}} Reason */

/** @type {Record<string, (organization: string, message: string) => Reason>} */
const REASONS = {
  "wamp.error.authentication_required": () => ({
    title: "No token",
    text: "This router lets nobody in without a token. Enter one and connect again.",
  }),
  "wamp.error.authentication_denied": () => ({
    title: "Token not accepted",
    text: "It is unknown or has expired. Get a new one and connect again.",
  }),
  "wampgate.error.organization_required": () => ({
    title: "No organization",
    text: "This router asks for the organization before it lets anyone in. Enter one and connect again.",
  }),
  "wamp.error.not_authorized": (organization) => ({
    title: "Not a member",
    text: organization
      ? `This user does not belong to organization ${organization}.`
      : "This user is not allowed to do that.",
  }),
  "wamp.error.authentication_failed": () => ({
    title: "Can't check the token now",
    text: "The router's database does not answer, so nobody is let in until it does.",
  }),
  "wamp.error.authorization_failed": () => ({
    title: "Can't check the membership now",
    text: "The router's database does not answer. Try again in a moment.",
  }),
  "wamp.error.invalid_uri": () => ({
    title: "Not an organization",
    text: "The router does not accept this organization id as part of a topic.",
  }),
  "wamp.error.no_such_realm": () => ({
    title: "No such realm",
    text: "This router serves another realm. Check the link that you were given.",
  }),
  "wamp.error.no_matching_auth_method": () => ({
    title: "No way in by token",
    text: "This router does not take tokens in this realm.",
  }),
  "wampgate.error.limit_exceeded": (_, message) => ({ title: "Limit reached", text: message }),
  "wampgate.close.token_expired": () => ({
    title: "Token expired",
    text: "It was good until a moment ago. Get a new one and connect again.",
  }),
  "wamp.close.killed": () => ({ title: "Ended by the router", text: "Someone in charge ended this session." }),
  "wamp.close.system_shutdown": () => ({ title: "Router restarting", text: "It will be back in a moment." }),
  "wamp.close.close_realm": () => ({ title: "Realm closed", text: "The router closed this realm." }),
  "wamp.close.normal": () => ({ title: "Disconnected", text: "You left." }),
  "wamp.error.protocol_violation": (_, message) => ({ title: "Misunderstanding", text: message }),
  "wampgate.client.connection_lost": () => ({
    title: "Connection lost",
    text: "Trying again. What is published meanwhile will be missing here.",
  }),
  "wampgate.client.unreachable": () => ({
    title: "Router not reached",
    text: "It is down, or it does not accept this page's address (the hosts and origins of its configuration).",
  }),
  "wampgate.client.no_answer": () => ({ title: "No answer", text: "The router did not answer in time." }),
};

/**
 * @param {{reason: string, message?: string}} end an error's URI, and what the router said beside it
 * @param {string} [organization] the one that was asked for
 * @returns {Reason}
 */
export function explain({ reason, message = "" }, organization = "") {
  const known = Object.hasOwn(REASONS, reason) ? REASONS[reason] : null;
  return known ? known(organization, message) : { title: "Refused", text: message || reason };
}
