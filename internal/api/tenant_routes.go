package api

import (
	"net/http"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
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
		description: "Records the tenant and queues its provisioning, in one transaction. A tenant of that name or external id that ended without ever being live is begun again under its id.\n\n" +
			"With Accept: text/event-stream the provisioning runs inside the request: the answer is 200 and a stream of events. When the connection ends, so does the run, after the step it is at; the same call continues it.",
		scope: access.ScopeWrite, mutating: true, streaming: streamOnAccept, contentTypes: jsonOnly, body: schemaRef[createBody], example: createExample,
		status: http.StatusAccepted, errorStatuses: []int{http.StatusConflict, http.StatusUnprocessableEntity},
		responses: queuedOrStreamResponses,
	}, s.createTenant)
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
		scope: access.ScopeWrite, mutating: true, contentTypes: []string{"application/json", "application/merge-patch+json"}, body: schemaRef[patchBody], example: patchExample,
		errorStatuses: []int{http.StatusConflict, http.StatusPreconditionFailed},
	}, s.updateTenant)
	registerEndpoint(s, &endpoint{
		id: "get-provisioning-status", method: http.MethodGet, path: tenantPath + "/provisioning-status", tag: "tenants",
		summary: "Show how far the provisioning is", scope: access.ScopeRead,
	}, s.getProvisioningStatus)
	registerEndpoint(s, &endpoint{
		id: "follow-tenant", method: http.MethodGet, path: tenantPath + "/events", tag: "tenants",
		summary: "Follow the provisioning",
		description: "Server-sent events: the tenant's status first, then each change of a step as it happens. Last-Event-ID continues where an earlier connection broke. " +
			"When the tenant is at rest the stream says so and ends; if there is nothing new by then the answer is 204, and an EventSource stops.",
		scope: access.ScopeRead, streaming: streamAlways, responses: eventStreamResponses,
	}, s.streamEvents)
	registerEndpoint(s, &endpoint{
		id: "list-audit-events", method: http.MethodGet, path: tenantPath + "/audit", tag: "tenants",
		summary: "Show who did what", description: "Every change of the tenant and every refusal, oldest first. Each event's hash covers the one before it.",
		scope: access.ScopeRead,
	}, s.listAuditEvents)
}

// registerLifecycleRoutes are the calls that move a tenant from one status to another.
func (s *Server) registerLifecycleRoutes() {
	registerEndpoint(s, &endpoint{
		id: "archive-tenant", method: http.MethodDelete, path: tenantPath, tag: "tenants",
		summary: "Archive a tenant", description: "Takes a live tenant out of service; its data stay. One that never went live is rolled back first, also while it is being provisioned. Repeating it is success.",
		scope: access.ScopeWrite, mutating: true, timeout: rollbackTimeout, errorStatuses: []int{http.StatusConflict},
	}, s.archiveTenant)
	registerEndpoint(s, &endpoint{
		id: "retry-tenant", method: http.MethodPost, path: tenantPath + "/retry", tag: "tenants",
		summary: "Try again", description: "Queues another attempt of a failed tenant, or the rest of one that nobody works on. With Accept: text/event-stream the attempt runs inside the request, as for creating.",
		scope: access.ScopeWrite, mutating: true, streaming: streamOnAccept, status: http.StatusAccepted, errorStatuses: []int{http.StatusConflict},
		responses: queuedOrStreamResponses,
	}, s.retryTenant)
	registerEndpoint(s, &endpoint{
		id: "restore-tenant", method: http.MethodPost, path: tenantPath + "/restore", tag: "tenants",
		summary: "Restore an archived tenant", description: "Takes a tenant that was live back into service. Repeating it is success.",
		scope: access.ScopeWrite, mutating: true, errorStatuses: []int{http.StatusConflict},
	}, s.unarchiveTenant)
	registerEndpoint(s, &endpoint{
		id: "resend-welcome-email", method: http.MethodPost, path: tenantPath + "/resend-welcome-email", tag: "tenants",
		summary: "Invite the admin again", description: "Sends the welcome mail once more, with a new invitation. With Accept: text/event-stream the answer is the stream of a run.",
		scope: access.ScopeWrite, mutating: true, streaming: streamOnAccept, timeout: rollbackTimeout, errorStatuses: []int{http.StatusConflict},
		responses: invitedOrStreamResponses,
	}, s.inviteAdmin)
	registerEndpoint(s, &endpoint{
		id: "purge-tenant", method: http.MethodPost, path: tenantPath + "/purge", tag: "tenants",
		summary: "Delete an archived tenant's data for good", description: "Possible once the retention is over. What stays is the tenant's record, its log and the certificate that is the answer; repeating the call gives it again.",
		scope: access.ScopePurge, mutating: true, timeout: rollbackTimeout, contentTypes: jsonOnly, body: schemaRef[purgeBody], example: map[string]any{"confirm": "St. Mary's Clinic"},
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
