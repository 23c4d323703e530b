// The gateway's jobs: start one, follow it, fetch its result. A refusal becomes a Problem with the server's sentence.

const RECONNECTS = 5;
const RECONNECT_MS = 1000;
const TOKEN_KEY = "unflat-token";
const OVER = new Set(["done", "failed", "cancelled"]);

/** What the server said (RFC 9457), or why it could not be asked. */
export class Problem extends Error {
  constructor({ detail, code = "", status = 0 }) {
    super(detail);
    this.code = code;
    this.status = status;
  }
}

export function setToken(token) {
  sessionStorage.setItem(TOKEN_KEY, token);
}

/** Return the new job. */
export async function startJob(kind, form, signal) {
  const answer = await ask(`jobs/${kind}`, { method: "POST", body: form, signal });
  return answer.json();
}

/** Yield the job at every change, until it is over. A dropped connection is taken up again: the job lives on. */
export async function* followJob(id, signal) {
  for (let dropped = 0; dropped <= RECONNECTS; dropped += 1) {
    try {
      const answer = await ask(`jobs/${id}/events`, { headers: { Accept: "text/event-stream" }, signal });
      for await (const job of jobsOf(answer.body)) {
        yield job;
        if (OVER.has(job.state)) return;
        dropped = 0;
      }
    } catch (error) {
      const mayPass = error instanceof Problem ? error.status === 0 : error.name !== "AbortError";
      if (!mayPass) throw error;
    }
    await new Promise((resume) => setTimeout(resume, RECONNECT_MS));
    signal.throwIfAborted();
  }
  throw new Problem({ detail: "The connection to the server was lost while it worked.", code: "LOST" });
}

export async function fetchArtifact(id, name, signal) {
  return (await ask(`jobs/${id}/artifacts/${name}`, { signal })).blob();
}

export async function fetchResult(id, signal) {
  return (await ask(`jobs/${id}/result`, { signal })).blob();
}

/** Stop the job on all stages and let the server forget it. Nobody waits for the answer. */
export function dropJob(id) {
  ask(`jobs/${id}`, { method: "DELETE", keepalive: true }).catch(() => {});
}

async function ask(path, init = {}) {
  const headers = new Headers(init.headers);
  const token = sessionStorage.getItem(TOKEN_KEY);
  if (token) headers.set("Authorization", `Bearer ${token}`);
  let answer;
  try {
    answer = await fetch(path, { ...init, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({ detail: "The server cannot be reached.", code: "UNREACHABLE" });
  }
  if (answer.ok) return answer;
  const said = await answer.json().catch(() => ({}));
  throw new Problem({ detail: said.detail ?? `The server answered ${answer.status}.`, code: said.code, status: answer.status });
}

// Server-sent events by hand: EventSource cannot send a token.
async function* jobsOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      held += value.replaceAll("\r\n", "\n");
      const events = held.split("\n\n");
      held = events.pop();
      for (const event of events) {
        const data = event.split("\n").filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trimStart());
        if (data.length) yield JSON.parse(data.join("\n"));
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
