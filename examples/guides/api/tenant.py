"""Creates a tenant, follows it until it is ACTIVE, reads an error, and archives the tenant."""

import json
import os
import sys
import time
import urllib.error
import urllib.request
import uuid

URL = os.environ["TENANT_API_URL"]
TOKEN = os.environ["TENANT_API_TOKEN"]
CLINIC = {"name": "St. Mary's Clinic", "adminEmail": "ada@st-marys.example", "adminFirstName": "Ada", "adminLastName": "Lovelace"}


class Problem(Exception):
    """An error answer of the API, as RFC 9457 has it."""

    def __init__(self, status, body):
        super().__init__(f"{status}: {body.get('detail')}")
        self.status, self.errors = status, body.get("errors", [])


def request(method, path, body=None, headers=None):
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json", **(headers or {})}
    return urllib.request.Request(URL + path, data, headers, method=method)


def call(method, path, body=None, headers=None):
    """Sends a request that is safe to repeat, and returns the answer's JSON."""
    for remaining in range(4, -1, -1):
        try:
            with urllib.request.urlopen(request(method, path, body, headers), timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code in (408, 429, 500, 502, 503, 504) and remaining:
                time.sleep(int(error.headers.get("Retry-After") or 1))
                continue
            # A proxy's own error page is no problem document.
            is_problem = error.headers.get_content_type() == "application/problem+json"
            raise Problem(error.code, json.load(error) if is_problem else {"detail": error.reason}) from None
        except OSError:  # No answer, or half of one.
            if not remaining:
                raise
            time.sleep(1)


def events(tenant, last):
    """Yields the events of a provisioning behind the one with the id last, with their ids."""
    with urllib.request.urlopen(request("GET", f"/admin/tenants/{tenant}/events", headers={"Last-Event-ID": last}), timeout=60) as stream:
        event = {}
        for line in stream:  # Comments, which keep the connection open, begin with a colon.
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name:
                event[name] = value
            elif "data" in event:
                yield event.get("event"), event.get("id", ""), json.loads(event["data"])
                event = {}
            else:
                event = {}


def follow(tenant):
    """Prints the steps and returns the tenant's status when its provisioning has ended."""
    last = "0"
    while True:
        try:
            for kind, number, data in events(tenant, last):
                last = number or last
                if kind == "step":
                    print(data["step"], data["status"])
        except OSError:
            time.sleep(1)  # The connection broke: go on behind the last event.
        status = call("GET", f"/admin/tenants/{tenant}")["status"]
        if status not in ("PENDING", "PROVISIONING"):
            return status


def main():
    # The key belongs to this creation, not to the request: every repetition has the same one.
    created = call("POST", "/admin/tenants", CLINIC, {"Idempotency-Key": str(uuid.uuid4())})
    tenant = created["tenantId"]
    print("queued", tenant)
    status = follow(tenant)
    print(status)
    if status != "ACTIVE":
        sys.exit(call("GET", f"/admin/tenants/{tenant}")["provisioningError"])
    try:
        call("POST", "/admin/tenants", {**CLINIC, "name": "Other", "adminEmail": "nobody"})
    except Problem as problem:
        print(problem.status, *(f"{e['field']}: {e['message']}" for e in problem.errors))
    print(call("DELETE", f"/admin/tenants/{tenant}")["status"])


if __name__ == "__main__":
    main()
