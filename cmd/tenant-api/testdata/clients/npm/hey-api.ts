// A tenant's life with the client that @hey-api/openapi-ts generates.
import { archiveTenant, createTenant, getTenant } from "./generated/client";
import { client } from "./generated/client/client.gen";

client.setConfig({ baseUrl: process.env.BASE_URL, auth: process.env.TOKEN });
const clinic = { name: "Clinic", adminEmail: "ada@clinic.example", adminFirstName: "Ada", adminLastName: "Lovelace" };

async function main() {
  const created = await createTenant({ body: clinic });
  if (!created.data) throw new Error(created.error.detail);
  console.log(created.data.status);
  const id = created.data.tenantId;

  for (;;) {
    const got = await getTenant({ path: { id } });
    if (!got.data) throw new Error(got.error.detail);
    if (got.data.status === "ACTIVE") break;
    if (got.data.status === "FAILED") throw new Error("the tenant failed");
    await new Promise((resolve) => setTimeout(resolve, 100)); // Between two looks.
  }
  console.log("ACTIVE");

  for (const body of [{ ...clinic, name: "Other", adminEmail: "nobody" }, clinic]) {
    const { error } = await createTenant({ body });
    if (!error) throw new Error("a faulty request was accepted");
    console.log(error.status, error.errors.map((e) => e.field).join(" "));
  }

  const archived = await archiveTenant({ path: { id } });
  if (!archived.data) throw new Error(archived.error.detail);
  console.log(archived.data.status);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
