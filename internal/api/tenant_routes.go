package api

import (
	"net/http"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/openapi"
)

const tenantPath = "/admin/tenants/{id}"

var jsonOnly = []string{"application/json"}

// rollbackTimeout is for calls that may have to end somebody's run first and
// then drop a schema. It is under the minute that clients wait for an answer.
const rollbackTimeout = 50 * time.Second

// registerTenantRoutes are the calls that show tenants and change what is said of them.
func (s *Server) registerTenantRoutes() {
	registerEndpoint(s, &endpoint{
		id: "create-tenant", method: http.MethodPost, path: "/admin/tenants", tag: "tenants",
		summary: "Create a tenant",
		description: "Records the tenant and queues its provisioning, in one transaction. A tenant with this name or external id that failed before it was ever ACTIVE is provisioned again under its id.\n\n" +
			"POST /admin/tenants/provision runs the provisioning inside the request instead.",
		scope: access.ScopeWrite, mutating: true, contentTypes: jsonOnly, body: openapi.SchemaRef[createBody], example: createExample,
		status: http.StatusAccepted, errorStatuses: []int{http.StatusConflict, http.StatusUnprocessableEntity},
		responses: queuedResponses,
	}, s.createTenant)
	registerEndpoint(s, &endpoint{
		id: "provision-tenant", method: http.MethodPost, path: "/admin/tenants/provision", tag: "tenants",
		summary: "Create a tenant and provision it inside the request",
		description: "Records the tenant as create-tenant does, provisions it and answers with server-sent events: each step as it happens, the outcome or a problem last. " +
			"When the connection closes, the run stops after the current step; the same request continues it. A tenant that the same managedBy already provisioned is adopted.",
		scope: access.ScopeWrite, mutating: true, streaming: true, contentTypes: jsonOnly, body: openapi.SchemaRef[createBody], example: createExample,
		responses: provisionStreamResponses,
	}, s.provisionTenant)
	registerEndpoint(s, &endpoint{
		id: "provision-existing-tenant", method: http.MethodPost, path: tenantPath + "/provision", tag: "tenants",
		summary:     "Continue a provisioning inside the request",
		description: "Provisions a tenant that is PENDING, PROVISIONING or FAILED, with the event stream of provision-tenant. retry-tenant queues the same work.",
		scope:       access.ScopeWrite, mutating: true, streaming: true, responses: provisionStreamResponses,
	}, s.provisionExistingTenant)
	registerEndpoint(s, &endpoint{
		id: "list-tenants", method: http.MethodGet, path: "/admin/tenants", tag: "tenants",
		summary:     "List tenants",
		description: "Newest first, in pages that cost the same at any depth. name and externalId look for one tenant, exactly; the others narrow down further.",
		scope:       access.ScopeRead,
	}, s.listTenants)
	registerEndpoint(s, &endpoint{
		id: "get-tenant", method: http.MethodGet, path: tenantPath, tag: "tenants",
		summary: "Show a tenant", scope: access.ScopeRead, responses: notModifiedResponses,
	}, s.getTenant)
	registerEndpoint(s, &endpoint{
		id: "update-tenant", method: http.MethodPatch, path: tenantPath, tag: "tenants",
		summary: "Change a tenant", description: "Changes the fields that are given. With If-Match only the version that was read is changed; without it the last writer wins.",
		scope: access.ScopeWrite, mutating: true, contentTypes: []string{"application/json", "application/merge-patch+json"}, body: openapi.SchemaRef[patchBody], example: patchExample,
		errorStatuses: []int{http.StatusConflict, http.StatusPreconditionFailed},
	}, s.updateTenant)
	registerEndpoint(s, &endpoint{
		id: "get-provisioning-status", method: http.MethodGet, path: tenantPath + "/provisioning-status", tag: "tenants",
		summary: "Show how far the provisioning is", scope: access.ScopeRead,
	}, s.getProvisioningStatus)
	registerEndpoint(s, &endpoint{
		id: "stream-tenant-events", method: http.MethodGet, path: tenantPath + "/events", tag: "tenants",
		summary: "Follow the provisioning",
		description: "Server-sent events: the tenant's status first, then each change of a step as it happens. Last-Event-ID continues where an earlier connection broke. " +
			"When the tenant is at rest the stream says so and ends; if there is nothing new by then the answer is 204, and an EventSource stops.",
		scope: access.ScopeRead, streaming: true, responses: eventStreamResponses,
	}, s.streamEvents)
}

// registerLifecycleRoutes are the calls that move a tenant from one status to another.
func (s *Server) registerLifecycleRoutes() {
	registerEndpoint(s, &endpoint{
		id: "archive-tenant", method: http.MethodDelete, path: tenantPath, tag: "tenants",
		summary: "Archive a tenant", description: "Takes a live tenant out of service; its data stay. One that never went live is rolled back first, also while it is being provisioned. Repeating it is success.",
		scope: access.ScopeWrite, mutating: true, timeout: rollbackTimeout, errorStatuses: []int{http.StatusConflict},
	}, s.archiveTenant)
	registerEndpoint(s, &endpoint{
		id: "archive-tenant-by-post", method: http.MethodPost, path: tenantPath + "/archive", tag: "tenants",
		summary: "Archive a tenant (POST)", description: "The same as archive-tenant, for clients that do not send DELETE.",
		scope: access.ScopeWrite, mutating: true, timeout: rollbackTimeout, errorStatuses: []int{http.StatusConflict},
	}, s.archiveTenant)
	registerEndpoint(s, &endpoint{
		id: "retry-tenant", method: http.MethodPost, path: tenantPath + "/retry", tag: "tenants",
		summary: "Retry the provisioning of a tenant", description: "Queues another attempt for a FAILED tenant, or the remaining steps of a tenant that no worker runs. POST /admin/tenants/{id}/provision runs it inside the request instead.",
		scope: access.ScopeWrite, mutating: true, status: http.StatusAccepted, errorStatuses: []int{http.StatusConflict},
		responses: queuedResponses,
	}, s.retryTenant)
	registerEndpoint(s, &endpoint{
		id: "unarchive-tenant", method: http.MethodPost, path: tenantPath + "/unarchive", tag: "tenants",
		summary: "Restore an archived tenant", description: "Takes a tenant that was live back into service. Repeating it is success.",
		scope: access.ScopeWrite, mutating: true, errorStatuses: []int{http.StatusConflict},
	}, s.unarchiveTenant)
	registerEndpoint(s, &endpoint{
		id: "invite-admin", method: http.MethodPost, path: tenantPath + "/invite", tag: "tenants",
		summary: "Invite the admin again", description: "Sends the welcome mail once more, with a new invitation.",
		scope: access.ScopeWrite, mutating: true, timeout: rollbackTimeout, errorStatuses: []int{http.StatusConflict},
	}, s.inviteAdmin)
	registerEndpoint(s, &endpoint{
		id: "purge-tenant", method: http.MethodPost, path: tenantPath + "/purge", tag: "tenants",
		summary: "Delete an archived tenant's data for good", description: "Possible once the retention is over. What stays is the tenant's record, its log and the certificate that is the answer; repeating the call gives it again.",
		scope: access.ScopePurge, mutating: true, timeout: rollbackTimeout, contentTypes: jsonOnly, body: openapi.SchemaRef[purgeBody], example: map[string]any{"confirm": "St. Mary's Clinic"},
		errorStatuses: []int{http.StatusConflict},
	}, s.purgeTenant)
}

var (
	createExample = map[string]any{
		"name": "St. Mary's Clinic", "adminEmail": "ada@st-marys.example", "adminFirstName": "Ada", "adminLastName": "Lovelace",
		"externalId": "crm-4711", "metadata": map[string]any{"region": "eu"},
	}
	patchExample = map[string]any{"name": "St. Mary's Hospital", "metadata": map[string]any{"region": "eu"}}
)
