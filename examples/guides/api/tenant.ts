// Creates a tenant, follows it until it is ACTIVE, reads an error, and archives the tenant. The types
// are those that openapi-typescript generates; openapi-fetch checks each call with them.
import { randomUUID } from "node:crypto";
import createClient from "openapi-fetch";
import type { components, paths } from "./generated/schema";

const baseUrl = process.env.TENANT_API_URL!;
const headers = { Authorization: `Bearer ${process.env.TENANT_API_TOKEN}` };
const client = createClient<paths>({ baseUrl, headers, fetch: fetchAgain });
const clinic = { name: "St. Mary's Clinic", adminEmail: "ada@st-marys.example", adminFirstName: "Ada", adminLastName: "Lovelace" };
const sleep = (seconds: number) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

// fetchAgain sends a request that is safe to repeat until an answer comes that stays.
async function fetchAgain(request: Request): Promise<Response> {
  for (let remaining = 4; ; remaining--) {
    try {
      const answer = await fetch(request.clone(), { signal: AbortSignal.timeout(60_000) });
      if (![408, 429, 500, 502, 503, 504].includes(answer.status) || remaining === 0) return answer;
      await sleep(Number(answer.headers.get("Retry-After") ?? 1));
    } catch (error) {
      if (remaining === 0) throw error; // No answer came.
      await sleep(1);
    }
  }
}

type Problem = components["schemas"]["Problem"];

function orThrow<T>(answer: { data?: T; error?: Problem }): T {
  if (answer.data === undefined) throw new Error(answer.error?.detail ?? "no problem document: the answer is a proxy's");
  return answer.data;
}

// events reads the events of a provisioning behind the one with the id last.
async function* events(id: string, last: string) {
  const answer = await fetch(`${baseUrl}/admin/tenants/${id}/events`, { headers: { ...headers, "Last-Event-ID": last } });
  if (!answer.ok) throw new Error(`events: ${answer.status}`);
  let text = "";
  for await (const bytes of answer.body!.pipeThrough(new TextDecoderStream())) {
    const blocks = (text + bytes).split("\n\n");
    text = blocks.pop()!;
    for (const block of blocks) {
      const value = (name: string) => block.match(new RegExp(`^${name}: (.*)$`, "m"))?.[1];
      yield { kind: value("event"), id: value("id"), data: JSON.parse(value("data") ?? "null") };
    }
  }
}

// follow prints the steps and returns the tenant's status when its provisioning has ended.
async function follow(id: string) {
  for (let last = "0"; ; ) {
    try {
      for await (const event of events(id, last)) {
        last = event.id ?? last;
        if (event.kind === "step") console.log(event.data.step, event.data.status);
      }
    } catch {
      await sleep(1); // The connection broke: go on behind the last event.
    }
    const { status } = orThrow(await client.GET("/admin/tenants/{id}", { params: { path: { id } } }));
    if (status !== "PENDING" && status !== "PROVISIONING") return status;
  }
}

async function main() {
  // The key belongs to this creation, not to the request: every repetition has the same one.
  const header = { "Idempotency-Key": randomUUID() };
  const id = orThrow(await client.POST("/admin/tenants", { params: { header }, body: clinic })).tenantId;
  console.log("queued", id);
  const status = await follow(id);
  console.log(status);
  if (status !== "ACTIVE") throw new Error("the provisioning failed: provisioningError says why");

  const { error } = await client.POST("/admin/tenants", { body: { ...clinic, name: "Other", adminEmail: "nobody" } });
  console.log(error?.status, ...(error?.errors ?? []).map((e) => `${e.field}: ${e.message}`));

  console.log(orThrow(await client.DELETE("/admin/tenants/{id}", { params: { path: { id } } })).status);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
