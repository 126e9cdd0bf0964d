"""A tenant's life with the client that openapi-python-client generates."""

import os
import time

from tenant_api_client import AuthenticatedClient
from tenant_api_client.api.blueprints import publish_blueprint  # noqa: F401  The configuration includes it.
from tenant_api_client.api.tenants import archive_tenant, create_tenant, get_tenant
from tenant_api_client.models import Archived, CreateRequest, Problem, Submission, Tenant

client = AuthenticatedClient(base_url=os.environ["BASE_URL"], token=os.environ["TOKEN"])


def clinic(**changes):
    return CreateRequest(**{"name": "Clinic", "admin_email": "ada@clinic.example", "admin_first_name": "Ada", "admin_last_name": "Lovelace", **changes})


created = create_tenant.sync(client=client, body=clinic())
assert isinstance(created, Submission), created
print(created.status.value)

while True:
    got = get_tenant.sync(created.tenant_id, client=client)
    assert isinstance(got, Tenant) and got.status != "FAILED", got
    if got.status == "ACTIVE":
        break
    time.sleep(0.1)  # Between two looks.
print("ACTIVE")

for body in [clinic(name="Other", admin_email="nobody"), clinic()]:
    problem = create_tenant.sync(client=client, body=body)
    assert isinstance(problem, Problem), problem
    print(problem.status, " ".join(e.field for e in problem.errors))

archived = archive_tenant.sync(created.tenant_id, client=client)
assert isinstance(archived, Archived), archived
print(archived.status.value)
