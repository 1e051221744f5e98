// Publishes one piece of news over HTTP, with Node's own fetch: node publish_http.mjs URL TOKEN ORGANIZATION TEXT
import { randomUUID } from "node:crypto";

if (process.argv.length !== 6) {
  console.error("usage: node publish_http.mjs URL TOKEN ORGANIZATION TEXT");
  process.exit(2);
}
const [url, token, organization, text] = process.argv.slice(2);

/** Asks wampgate for something, and asks again if no answer came: the key makes that harmless. */
async function wampgate(route, body) {
  const request = {
    method: "POST",
    headers: {
      Authorization: `Bearer ${token}`,
      "Content-Type": "application/json",
      "Idempotency-Key": randomUUID(),
    },
    body: JSON.stringify(body),
  };
  for (let attempt = 1; ; attempt += 1) {
    try {
      const response = await fetch(url + route, { ...request, signal: AbortSignal.timeout(10_000) });
      const answer = await response.json();
      if (!response.ok) throw new Error(`${response.status} ${answer.title}: ${answer.detail}`, { cause: answer });
      return answer;
    } catch (error) {
      if (error.cause?.status || attempt === 3) throw error;
      await new Promise((resolve) => setTimeout(resolve, 1000 * attempt));
    }
  }
}

const { publication } = await wampgate("/publish", { topic: `organization.${organization}`, args: [text] });
console.log(`published as ${publication}`);
