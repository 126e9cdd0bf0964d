package console

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/problem"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// move is something that a person can do with a tenant: one operation of the API.
type move struct {
	Name        string // In addresses of the console.
	Verb        string // On the button.
	Explanation string // What it does, before it is done.
	Method      string
	Path        string // Below the tenant's.
	Scope       access.Scope
	Reason      bool // It takes a reason.
	TypeName    bool // The tenant's name is typed to confirm it.
	Steps       bool // It takes own steps of the blueprint.
	Destroys    bool
	Many        bool // It can be done with a selection.
	Main        bool // It is what one usually wants in that status.

	// offered reports whether the move makes sense for a tenant. The API decides whether it is possible.
	offered func(dto.Tenant) bool
}

// statusIn offers a move in some statuses.
func statusIn(statuses ...tenant.Status) func(dto.Tenant) bool {
	return func(t dto.Tenant) bool {
		return t.PurgedAt == nil && slices.Contains(statuses, tenant.Status(t.Status))
	}
}

// moves are all moves, in the order of their buttons.
var moves = []move{
	{Name: "retry", Verb: "Retry", Explanation: "Queues another attempt. It continues under the same id; what is on the ledger already is used again.", Method: http.MethodPost, Path: "/retry",
		Scope: access.ScopeWrite, Many: true, Main: true, offered: statusIn(tenant.StatusFailed)},
	{Name: "resume", Verb: "Resume", Explanation: "Puts the tenant back into service: its users can reach its data again.", Method: http.MethodPost, Path: "/resume",
		Scope: access.ScopeWrite, Many: true, Main: true, offered: statusIn(tenant.StatusSuspended)},
	{Name: "unarchive", Verb: "Unarchive", Explanation: "Brings the tenant back into service with its data.", Method: http.MethodPost, Path: "/unarchive",
		Scope: access.ScopeWrite, Many: true, Main: true, offered: func(t dto.Tenant) bool { return statusIn(tenant.StatusArchived)(t) && t.ActivatedAt != nil }},
	{Name: "invite", Verb: "Invite again", Explanation: "Sends the welcome mail once more, with a new invitation. Open invitations end.", Method: http.MethodPost, Path: "/invite",
		Scope: access.ScopeWrite, Many: true, offered: statusIn(tenant.StatusActive)},
	{Name: "repair", Verb: "Repair", Explanation: "Restores privileges and missing objects of the tenant's schema and role. What others added stays.", Method: http.MethodPost, Path: "/repair",
		Scope: access.ScopeWrite, Many: true, offered: statusIn(tenant.StatusActive)},
	{Name: "reconcile-contract", Verb: "Reconcile contract", Explanation: "Reads the contract, and restores, extends or corrects it where that is needed.", Method: http.MethodPost, Path: "/contract/reconcile",
		Scope: access.ScopeWrite, Many: true, offered: func(t dto.Tenant) bool {
			return t.SorobanContractID != nil && statusIn(tenant.StatusActive, tenant.StatusSuspended, tenant.StatusArchived)(t)
		}},
	{Name: "migrate", Verb: "Migrate", Explanation: "Brings the tenant to the active revision of its blueprint: migrations and privileges.", Method: http.MethodPost, Path: "/migrate",
		Scope: access.ScopeAdmin, Many: true, offered: statusIn(tenant.StatusActive, tenant.StatusSuspended)},
	{Name: "suspend", Verb: "Suspend", Explanation: "Takes the tenant out of service for a time: its users cannot reach its data, sessions and invitations end, and the contract says so.", Method: http.MethodPost, Path: "/suspend",
		Scope: access.ScopeWrite, Many: true, offered: statusIn(tenant.StatusActive)},
	{Name: "hold", Verb: "Set legal hold", Explanation: "Nothing deletes the tenant's data while there is a hold.", Method: http.MethodPut, Path: "/hold",
		Scope: access.ScopeWrite, Reason: true, Many: true, offered: func(t dto.Tenant) bool { return t.LegalHold == nil && t.PurgedAt == nil && t.ActivatedAt != nil }},
	{Name: "clear-hold", Verb: "Clear legal hold", Explanation: "Without the hold, the tenant's data can be deleted.", Method: http.MethodPost, Path: "/hold/clear",
		Scope: access.ScopeHold, Reason: true, offered: func(t dto.Tenant) bool { return t.LegalHold != nil }},
	{Name: "skip-undo", Verb: "Skip undo", Explanation: "Records that what own steps left over at the receiver is not undone any more: a person did that, or accepts it.", Method: http.MethodPost, Path: "/skip-undo",
		Scope: access.ScopeWrite, Reason: true, Steps: true, offered: statusIn(tenant.StatusFailed)},
	{Name: "archive", Verb: "Archive", Explanation: "Takes the tenant out of service and keeps its data. A tenant that was never live is rolled back first.", Method: http.MethodPost, Path: "/archive",
		Scope: access.ScopeWrite, Many: true, Destroys: true, offered: statusIn(tenant.StatusPending, tenant.StatusProvisioning, tenant.StatusActive, tenant.StatusSuspended, tenant.StatusFailed)},
	{Name: "purge", Verb: "Purge", Explanation: "Deletes the tenant's data permanently: its schema, its role, and all personal data. This cannot be undone. The record, its log and a certificate stay.", Method: http.MethodPost, Path: "/purge",
		Scope: access.ScopePurge, TypeName: true, Destroys: true, offered: func(t dto.Tenant) bool {
			return statusIn(tenant.StatusArchived)(t) && t.LegalHold == nil && !t.DeletionProtection
		}},
}

// Offered reports whether the move makes sense for a tenant.
func (m move) Offered(t dto.Tenant) bool { return m.offered(t) }

// findMove returns a move by its name.
func findMove(name string) (move, bool) {
	i := slices.IndexFunc(moves, func(m move) bool { return m.Name == name })
	if i < 0 {
		return move{}, false
	}
	return moves[i], true
}

// offeredMoves are the moves that make sense for a tenant and that the person has the scopes for.
func (p *page) offeredMoves(t dto.Tenant, ownSteps bool) (offered []move) {
	for _, m := range moves {
		if m.offered(t) && p.may(m.Scope) && (!m.Steps || ownSteps) {
			offered = append(offered, m)
		}
	}
	return offered
}

// call is the request of a move.
func (m move) call(id string, values url.Values) apiCall {
	c := apiCall{method: m.Method, path: "/admin/tenants/" + id + m.Path}
	switch {
	case m.Steps:
		c.body = map[string]any{"steps": values["step"], "reason": values.Get("reason")}
	case m.Reason:
		c.body = map[string]any{"reason": values.Get("reason")}
	case m.TypeName:
		c.body = map[string]any{"confirm": values.Get("confirm")}
	}
	return c
}

// moveView is the data of the page that confirms a move.
type moveView struct {
	Tenant  dto.Tenant
	Move    move
	Values  url.Values
	Steps   []string // Own steps of which something may be left over.
	Problem *problem.Problem
}

func (p *page) confirmMove() error {
	if m, ok := findMove(p.r.PathValue("move")); ok {
		if err := p.needs(m.Scope); err != nil {
			return err
		}
	}
	return p.showMove(http.StatusOK, nil)
}

// showMove shows the form of a move, with what was wrong with it.
func (p *page) showMove(status int, rejected *problem.Problem) error {
	m, ok := findMove(p.r.PathValue("move"))
	if !ok {
		p.fail(http.StatusNotFound, "This page does not exist.")
		return nil
	}
	v := moveView{Move: m, Values: p.r.PostForm, Problem: rejected}
	path := "/admin/tenants/" + url.PathEscape(p.r.PathValue("id"))
	if err := p.api.get(p.ctx(), path, nil, &v.Tenant); err != nil {
		return err
	}
	if m.Steps {
		var progress dto.Progress
		if err := p.api.get(p.ctx(), path+"/provisioning-status", nil, &progress); err != nil {
			return err
		}
		v.Steps = ownSteps(progress.Logs)
	}
	return p.render("move", status, p.view("tenants", m.Verb, v))
}

// ownSteps are the steps of a blueprint in a log.
func ownSteps(log []dto.LogEntry) (own []string) {
	for _, e := range log {
		if tenant.Step(e.Step).Index() < 0 && !slices.Contains(own, e.Step) {
			own = append(own, e.Step)
		}
	}
	return own
}

// runMove does a move and returns to the tenant. A rejected move is told in its form.
func (p *page) runMove() error {
	m, ok := findMove(p.r.PathValue("move"))
	if !ok {
		p.fail(http.StatusNotFound, "This page does not exist.")
		return nil
	}
	id := url.PathEscape(p.r.PathValue("id"))
	var answer movedAnswer
	if err := p.api.do(p.ctx(), m.call(id, p.r.PostForm), &answer); err != nil {
		if rejected := problemOf(err); rejected != nil && rejected.Status != http.StatusUnauthorized && rejected.Status != http.StatusNotFound {
			return p.showMove(rejected.Status, rejected)
		}
		return err
	}
	done := m.Name
	if answer.Queued() && m.Name != "retry" {
		done = "queued"
	}
	return p.redirect(Root+"/tenants/"+id, url.Values{"done": {done}})
}

// movedAnswer has of an answer whether a worker does the move later.
type movedAnswer struct {
	JobID string `json:"jobId"`
}

// Queued reports whether a job does the move.
func (a movedAnswer) Queued() bool { return a.JobID != "" }
