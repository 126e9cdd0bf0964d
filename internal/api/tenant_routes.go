package api

import (
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/openapi"
)

const tenantPath = "/admin/tenants/{id}"

var jsonOnly = []string{"application/json"}

// rollbackTimeout is the timeout of operations that may first have to stop a running
// attempt and then drop a schema. It is shorter than the minute that clients wait for a
// response.
const rollbackTimeout = 50 * time.Second

// registerTenantRoutes registers the operations that read, create and change tenants.
func (s *Server) registerTenantRoutes() {
	s.registerCreationRoutes()
	registerEndpoint(s, &endpoint{
		id: "list-tenants", method: http.MethodGet, path: "/admin/tenants", tag: "tenants", filtered: true,
		summary:     "List tenants",
		description: "Newest first, in pages that cost the same at any depth. name and externalId select one tenant by its exact value; the other filters apply as well.",
		parameters:  []*huma.Param{metadataParam()},
		scope:       access.ScopeRead,
	}, s.listTenants)
	registerEndpoint(s, &endpoint{
		id: "get-tenant", method: http.MethodGet, path: tenantPath, tag: "tenants",
		summary: "Show a tenant", description: "All fields. The ETag is for If-Match of a change; with If-None-Match a tenant that has not changed is 304.", scope: access.ScopeRead, responses: notModifiedResponses,
	}, s.getTenant)
	registerEndpoint(s, &endpoint{
		id: "update-tenant", method: http.MethodPatch, path: tenantPath, tag: "tenants",
		summary: "Change a tenant", description: "Changes only the fields in the body. With If-Match the request changes only that version; without it the last writer wins. Another adminEmail of an ACTIVE tenant gets an invitation, unless the request has a password; the open ones end.",
		scope: access.ScopeWrite, mutating: true, contentTypes: []string{"application/json", "application/merge-patch+json"}, body: openapi.SchemaRef[patchBody], example: patchExample,
		errorStatuses: []int{http.StatusConflict, http.StatusPreconditionFailed, http.StatusNotImplemented},
	}, s.updateTenant)
	registerEndpoint(s, &endpoint{
		id: "get-provisioning-status", method: http.MethodGet, path: tenantPath + "/provisioning-status", tag: "tenants",
		summary: "Show the progress of the provisioning", description: "The tenant's status and the log of its steps, in their order, with results, errors and durations.", scope: access.ScopeRead,
	}, s.getProvisioningStatus)
	registerEndpoint(s, &endpoint{
		id: "stream-tenant-events", method: http.MethodGet, path: tenantPath + "/events", tag: "tenants",
		summary: "Follow the provisioning",
		description: "Server-sent events: the tenant's status first, then each change of a step as it happens. Last-Event-ID continues where an earlier connection broke. " +
			"When the provisioning has ended the stream sends the final status and ends; if nothing is new the response is 204, and an EventSource stops.",
		scope: access.ScopeRead, streaming: true, responses: eventStreamResponses,
	}, s.streamEvents)
}

// registerCreationRoutes registers the operations that create and provision tenants.
func (s *Server) registerCreationRoutes() {
	registerEndpoint(s, &endpoint{
		id: "create-tenant", method: http.MethodPost, path: "/admin/tenants", tag: "tenants", filtered: true,
		summary: "Create a tenant",
		description: "Records the tenant and queues its provisioning, in one transaction. A tenant with this name or external id that failed before it was ever ACTIVE is provisioned again under its id.\n\n" +
			"POST /admin/tenants/provision runs the provisioning inside the request instead.",
		scope: access.ScopeWrite, mutating: true, contentTypes: jsonOnly, body: openapi.SchemaRef[createBody], example: createExample,
		status: http.StatusAccepted, errorStatuses: []int{http.StatusConflict, http.StatusUnprocessableEntity},
		responses: queuedResponses,
	}, s.createTenant)
	registerEndpoint(s, &endpoint{
		id: "check-tenant", method: http.MethodPost, path: "/admin/tenants/check", tag: "tenants", filtered: true,
		summary:     "Check the inputs of a tenant and create nothing",
		description: "The body of create-tenant. The response is 200 if the tenant could be created now, else the problem that create-tenant would return. Whether a name only looks like another one is not checked.",
		scope:       access.ScopeWrite, contentTypes: jsonOnly, body: openapi.SchemaRef[createBody], example: createExample,
		errorStatuses: []int{http.StatusConflict},
	}, s.checkTenant)
	registerEndpoint(s, &endpoint{
		id: "provision-tenant", method: http.MethodPost, path: "/admin/tenants/provision", tag: "tenants", filtered: true,
		summary: "Create a tenant and provision it inside the request",
		description: "Records the tenant as create-tenant does, provisions it and returns server-sent events: each step as it happens, then the outcome or a problem. " +
			"When the connection closes, the run stops after the current step; repeating the request continues it. A tenant that the same managedBy already provisioned is adopted.",
		scope: access.ScopeWrite, mutating: true, streaming: true, contentTypes: jsonOnly, body: openapi.SchemaRef[createBody], example: createExample,
		responses: provisionStreamResponses, workerRemedy: "queue the tenant with POST /admin/tenants, or send the request to a server with a worker",
	}, s.provisionTenant)
	registerEndpoint(s, &endpoint{
		id: "provision-existing-tenant", method: http.MethodPost, path: tenantPath + "/provision", tag: "tenants",
		summary:     "Continue a provisioning inside the request",
		description: "Provisions a tenant that is PENDING, PROVISIONING or FAILED, with the event stream of provision-tenant. retry-tenant queues the same work.",
		scope:       access.ScopeWrite, mutating: true, streaming: true, responses: provisionStreamResponses,
		workerRemedy: "queue another attempt with POST /admin/tenants/{id}/retry, or send the request to a server with a worker",
	}, s.provisionExistingTenant)
}

// registerLifecycleRoutes registers the operations that change a tenant's status.
func (s *Server) registerLifecycleRoutes() {
	registerEndpoint(s, &endpoint{
		id: "archive-tenant", method: http.MethodDelete, path: tenantPath, tag: "tenants",
		summary: "Archive a tenant", description: "Takes a live tenant out of service and keeps its data. A tenant that was never live is rolled back first, also during its provisioning. Repeating the request succeeds." + queuedMoveDoc,
		scope: access.ScopeWrite, mutating: true, timeout: rollbackTimeout, errorStatuses: []int{http.StatusConflict},
		responses: moveResponses[archivedView]("Archived."),
	}, s.archiveTenant)
	registerEndpoint(s, &endpoint{
		id: "archive-tenant-by-post", method: http.MethodPost, path: tenantPath + "/archive", tag: "tenants",
		summary: "Archive a tenant (POST)", description: "Same as archive-tenant, for clients that do not send DELETE.",
		scope: access.ScopeWrite, mutating: true, timeout: rollbackTimeout, errorStatuses: []int{http.StatusConflict},
		responses: moveResponses[archivedView]("Archived."),
	}, s.archiveTenant)
	registerEndpoint(s, &endpoint{
		id: "retry-tenant", method: http.MethodPost, path: tenantPath + "/retry", tag: "tenants",
		summary: "Retry the provisioning of a tenant", description: "Queues another attempt for a FAILED tenant, or the remaining steps of a tenant that no worker runs. POST /admin/tenants/{id}/provision runs it inside the request instead.",
		scope: access.ScopeWrite, mutating: true, status: http.StatusAccepted, errorStatuses: []int{http.StatusConflict},
		responses: queuedResponses,
	}, s.retryTenant)
	registerEndpoint(s, &endpoint{
		id: "skip-undo", method: http.MethodPost, path: tenantPath + "/skip-undo", tag: "tenants",
		summary: "Skip the undo of own steps", description: "Records that what own steps of the blueprint left over at the receiver is not undone any more: a person did that, or accepts it. Then a FAILED tenant can be retried, and an ARCHIVED one purged.",
		scope: access.ScopeWrite, mutating: true, contentTypes: jsonOnly, body: openapi.SchemaRef[skipUndoBody],
		example: map[string]any{"steps": []string{"REGISTER_IN_DIRECTORY"}, "reason": "Deleted by hand"}, errorStatuses: []int{http.StatusConflict},
	}, s.skipUndo)
	registerEndpoint(s, &endpoint{
		id: "unarchive-tenant", method: http.MethodPost, path: tenantPath + "/unarchive", tag: "tenants",
		summary: "Unarchive a tenant", description: "Takes an archived tenant that was live back into service. Repeating the request succeeds." + queuedMoveDoc,
		scope: access.ScopeWrite, mutating: true, errorStatuses: []int{http.StatusConflict}, responses: moveResponses[dto.Tenant]("The tenant.", "ETag"),
	}, s.unarchiveTenant)
	registerEndpoint(s, &endpoint{
		id: "invite-admin", method: http.MethodPost, path: tenantPath + "/invite", tag: "tenants",
		summary: "Invite the admin again", description: "Sends the welcome mail once more, with a new invitation.",
		scope: access.ScopeWrite, mutating: true, timeout: rollbackTimeout, errorStatuses: []int{http.StatusConflict},
	}, s.inviteAdmin)
	registerEndpoint(s, &endpoint{
		id: "purge-tenant", method: http.MethodPost, path: tenantPath + "/purge", tag: "tenants",
		summary: "Delete an archived tenant's data permanently", description: "Possible after the retention period. The tenant's record, its log and the purge certificate are kept. The response is the certificate; repeating the request returns it again." + queuedMoveDoc + " Then repeat the request for the certificate.",
		scope: access.ScopePurge, mutating: true, timeout: rollbackTimeout, contentTypes: jsonOnly, body: openapi.SchemaRef[purgeBody], example: map[string]any{"confirm": "St. Mary's Clinic"},
		errorStatuses: []int{http.StatusConflict}, responses: moveResponses[dto.Certificate]("The certificate."),
	}, s.purgeTenant)
	registerEndpoint(s, &endpoint{
		id: "check-purge", method: http.MethodPost, path: tenantPath + "/purge/check", tag: "tenants",
		summary: "Check whether a tenant can be purged", description: "The body of purge-tenant. The response is 200 if the tenant could be purged now, or archived and then purged if it is live; else the problem that purge-tenant would return, as far as it is known before a purge begins. Nothing is changed; a refusal because of a legal hold is recorded.",
		scope: access.ScopePurge, contentTypes: jsonOnly, body: openapi.SchemaRef[purgeBody], example: map[string]any{"confirm": "St. Mary's Clinic"},
		errorStatuses: []int{http.StatusConflict},
	}, s.checkPurge)
}

var (
	createExample = map[string]any{
		"name": "St. Mary's Clinic", "adminEmail": "ada@st-marys.example", "adminFirstName": "Ada", "adminLastName": "Lovelace",
		"externalId": "crm-4711", "metadata": map[string]any{"region": "eu"},
	}
	patchExample = map[string]any{"name": "St. Mary's Hospital", "metadata": map[string]any{"region": "eu"}}
)
