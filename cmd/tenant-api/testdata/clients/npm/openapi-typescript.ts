// A tenant's life with openapi-fetch, on the types that openapi-typescript generates.
import createClient from "openapi-fetch";
import type { paths } from "./generated/schema";

const client = createClient<paths>({
  baseUrl: process.env.BASE_URL,
  headers: { Authorization: `Bearer ${process.env.TOKEN}` },
});
const clinic = { name: "Clinic", adminEmail: "ada@clinic.example", adminFirstName: "Ada", adminLastName: "Lovelace" };

async function main() {
  const created = await client.POST("/admin/tenants", { body: clinic });
  if (!created.data) throw new Error(created.error.detail);
  console.log(created.data.status);
  const id = created.data.tenantId;

  for (;;) {
    const got = await client.GET("/admin/tenants/{id}", { params: { path: { id } } });
    if (!got.data) throw new Error(got.error.detail);
    if (got.data.status === "ACTIVE") break;
    if (got.data.status === "FAILED") throw new Error("the tenant failed");
    await new Promise((resolve) => setTimeout(resolve, 100)); // Between two looks.
  }
  console.log("ACTIVE");

  for (const body of [{ ...clinic, name: "Other", adminEmail: "nobody" }, clinic]) {
    const { error } = await client.POST("/admin/tenants", { body });
    if (!error) throw new Error("a faulty request was accepted");
    console.log(error.status, error.errors.map((e) => e.field).join(" "));
  }

  const archived = await client.DELETE("/admin/tenants/{id}", { params: { path: { id } } });
  if (!archived.data || !("message" in archived.data)) throw new Error("not archived");
  console.log(archived.data.status);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
