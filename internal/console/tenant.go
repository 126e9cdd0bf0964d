package console

import (
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/problem"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// timelineView is the progress of a tenant's newest attempt.
type timelineView struct {
	Tenant      dto.Tenant
	Steps       []stepView
	Running     bool
	Live        bool // More can happen by itself.
	CompletedAt *time.Time
	TraceID     string
	Cause       string // Why the newest attempt failed; empty: it did not.
	CauseStep   string
}

// stepView is a step on the timeline. A step that has no row yet is WAITING.
type stepView struct {
	Step, Status string
	DurationMs   *int64
	Error        *string
	Tries        int
}

// tenantView is the data of the page of one tenant.
type tenantView struct {
	timelineView
	trailView

	Moves    []move
	Editable bool
	Logins   []dto.Login // That are not ended.

	LoginsProblem *problem.Problem // Why they could not be read; nil: they could.
}

// trailView is a part of an audit log, newest first.
type trailView struct {
	Events     []auditEvent
	MoreEvents string // The address with the older ones; empty: there are none.
}

// auditEvent is an event of an audit log.
type auditEvent struct{ dto.AuditEvent }

// By names the caller.
func (e auditEvent) By() string {
	c := e.Caller
	if name := deref(c.Name); name != "" {
		return name
	}
	if id := deref(c.ID); id != "" {
		return id
	}
	return c.Kind
}

// tenantPath is the API's path of the tenant of the page.
func (p *page) tenantPath() string { return "/admin/tenants/" + url.PathEscape(p.r.PathValue("id")) }

// tenant shows one tenant.
func (p *page) tenant() error {
	timeline, log, err := p.readTimeline()
	if err != nil {
		return err
	}
	v := tenantView{timelineView: timeline, Moves: p.offeredMoves(timeline.Tenant, len(ownSteps(log)) > 0), Editable: timeline.Tenant.PurgedAt == nil && p.may(access.ScopeWrite)}
	if v.trailView, err = p.readTrail(p.tenantPath() + "/audit"); err != nil {
		return err
	}
	var logins dto.LoginList
	err = p.api.get(p.ctx(), p.tenantPath()+"/database-credentials", nil, &logins)
	if v.LoginsProblem = problemOf(err); err != nil && v.LoginsProblem == nil {
		return err
	}
	v.Logins = logins.Logins
	shown := p.view("tenants", "", v)
	shown.Title = v.Tenant.Name
	if v.Live {
		shown.Refresh = 3
	}
	return p.render("tenant", http.StatusOK, shown)
}

// readTimeline reads the tenant and the log of its newest attempt.
func (p *page) readTimeline() (v timelineView, log []dto.LogEntry, err error) {
	if err = p.api.get(p.ctx(), p.tenantPath(), nil, &v.Tenant); err != nil {
		return v, nil, err
	}
	var progress dto.Progress
	if err = p.api.get(p.ctx(), p.tenantPath()+"/provisioning-status", nil, &progress); err != nil {
		return v, nil, err
	}
	v.Steps, v.CompletedAt = stepsOf(progress.Logs), progress.CompletedAt
	status := tenant.Status(progress.OverallStatus)
	v.Running, v.Live = status == tenant.StatusProvisioning, !status.Terminal() || v.Tenant.Queued
	for _, e := range progress.Logs {
		if e.TraceID != nil {
			v.TraceID = *e.TraceID
		}
		if e.Status == string(tenant.StepFailed) {
			v.CauseStep = e.Step
		}
	}
	if status == tenant.StatusFailed && v.Tenant.ProvisioningError != nil {
		v.Cause = *v.Tenant.ProvisioningError
	}
	return v, progress.Logs, nil
}

// stepsOf has each step once, by its newest row; the seven that have none yet wait.
func stepsOf(log []dto.LogEntry) (steps []stepView) {
	for _, e := range log {
		one := stepView{Step: e.Step, Status: e.Status, DurationMs: e.DurationMs, Error: e.Error, Tries: 1}
		if i := slices.IndexFunc(steps, func(s stepView) bool { return s.Step == e.Step }); i >= 0 {
			one.Tries = steps[i].Tries + 1
			steps[i] = one
			continue
		}
		steps = append(steps, one)
	}
	for _, step := range tenant.Steps() {
		if !slices.ContainsFunc(steps, func(s stepView) bool { return s.Step == string(step) }) {
			steps = append(steps, stepView{Step: string(step), Status: "WAITING"})
		}
	}
	return steps
}

// trailLength is how many events of a trail a page shows.
const trailLength = "25"

// readTrail reads the newest events of a trail, or those before the cursor of the page.
func (p *page) readTrail(path string) (v trailView, err error) {
	query := url.Values{"order": {"newest"}, "limit": {trailLength}}
	if before := p.r.URL.Query().Get("events"); before != "" {
		query.Set("cursor", before)
	}
	var found dto.AuditPage
	if err = p.api.get(p.ctx(), path, query, &found); err != nil {
		return v, err
	}
	for _, e := range found.Events {
		v.Events = append(v.Events, auditEvent{e})
	}
	if found.NextCursor != "" {
		v.MoreEvents = p.r.URL.Path + "?" + url.Values{"events": {found.NextCursor}}.Encode() + "#trail"
	}
	return v, nil
}

// closeLogin ends a login of the tenant with its sessions.
func (p *page) closeLogin() error {
	path := p.tenantPath() + "/database-credentials/" + url.PathEscape(p.r.PathValue("login"))
	if err := p.api.do(p.ctx(), apiCall{method: http.MethodDelete, path: path}, nil); err != nil {
		return err
	}
	return p.redirect(Root+"/tenants/"+url.PathEscape(p.r.PathValue("id")), url.Values{"done": {"close-login"}})
}

// healthView is the state of a tenant in database and ledger.
type healthView struct {
	Health   dto.TenantHealth
	Contract *dto.ContractNow // Nil: none, or the ledger did not answer.
	Problem  *problem.Problem

	LedgersLeft, DaysLeft int64
}

// Deref is the number behind a pointer, for templates.
func (healthView) Deref(n *int64) int64 { return toInt(n) }

// ledgersPerDay is how many ledgers a public network closes in a day, of five seconds each.
const ledgersPerDay = 24 * 60 * 60 / 5

// tenantHealth reads database and ledger now.
func (p *page) tenantHealth() error {
	var found struct {
		Tenants []dto.TenantHealth `json:"tenants"`
	}
	id, err := uuid.Parse(p.r.PathValue("id"))
	if err != nil {
		return problem.New(http.StatusNotFound, translate(p.language, "This tenant does not exist."))
	}
	var v healthView
	err = p.api.get(p.ctx(), "/admin/tenants/health", url.Values{"tenantId": {id.String()}}, &found)
	switch {
	case err != nil && problemOf(err) == nil:
		return err
	case err != nil:
		v.Problem = problemOf(err)
	case len(found.Tenants) == 0:
		return problem.New(http.StatusNotFound, translate(p.language, "This tenant does not exist."))
	default:
		v.Health = found.Tenants[0]
	}
	if v.Health.ContractLiveUntil != nil && v.Health.ContractLedger != nil {
		v.LedgersLeft = max(0, *v.Health.ContractLiveUntil-*v.Health.ContractLedger)
		v.DaysLeft = v.LedgersLeft / ledgersPerDay
	}
	if v.Health.Tenant.SorobanContractID != nil {
		var now dto.ContractNow
		switch err := p.api.get(p.ctx(), p.tenantPath()+"/contract", nil, &now); {
		case err == nil:
			v.Contract = &now
		case problemOf(err) == nil:
			return err
		case v.Problem == nil:
			v.Problem = problemOf(err)
		}
	}
	return p.renderPart("tenant_health", "health", p.view("tenants", "Database and contract", v))
}

// tenantVerification verifies chain, schema, privileges and contract now.
func (p *page) tenantVerification() error {
	var report dto.Verification
	if err := p.api.get(p.ctx(), p.tenantPath()+"/verify", nil, &report); err != nil {
		return err
	}
	return p.renderPart("tenant_verification", "verification", p.view("tenants", "Verification", report))
}
