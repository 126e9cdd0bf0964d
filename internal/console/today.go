package console

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// todayView is the data of the first page. A person who sees only some tenants gets lists in place of the overview.
type todayView struct {
	Overview *overviewView
	Lists    []listView
}

// overviewView is the state of all tenants and of the platform.
type overviewView struct {
	dto.Overview

	Attention       []attentionView
	Statuses        []statusCount
	Bars            []bar
	ThroughputLabel string
}

// statusCount is how many tenants have a status.
type statusCount struct {
	Status string
	Count  int64
}

// attentionView is one group of what needs a person.
type attentionView struct {
	Kind    string
	Count   int64
	Message string
	Tenants []dto.AttentionTenant

	Heading string
	Link    string // Where all of them are listed; empty: nowhere.
	More    int64  // How many are not shown.
}

// listView is a short list of tenants.
type listView struct {
	Heading string
	Tenants []dto.Tenant
}

// attentionTexts are the headings and the lists of the kinds of attention.
var attentionTexts = map[string]struct{ heading, link string }{
	"REGISTRY_RESTORED":     {"The registry was restored from a backup", "/platform"},
	"WORKER_MISSING":        {"No worker runs", "/platform"},
	"FAILED":                {"Provisioning failed", "/tenants?status=FAILED"},
	"STUCK":                 {"Provisioning does not move on", ""},
	"DRIFTED":               {"Schemas or roles have drifted", ""},
	"CONTRACT_ERROR":        {"Contracts have an error", "/contracts"},
	"CONTRACT_EXPIRING":     {"Contracts expire soon", "/contracts?state=EXPIRING"},
	"CHANNEL_DISABLED":      {"Channel accounts are disabled", "/contracts"},
	"LOW_BALANCE":           {"Stellar accounts need funds", "/contracts"},
	"WELCOME_EMAIL_FAILED":  {"Welcome mails were refused", ""},
	"WELCOME_EMAIL_PENDING": {"Welcome mails are not sent yet", ""},
	"INVITATION_EXPIRED":    {"Invitations have expired", "/tenants?invitation=EXPIRED"},
	"LOGINS_OVERDUE":        {"Expired logins are not ended", "/platform"},
	"TENANTS_BEHIND":        {"Tenants are behind their blueprint", "/tenants?behind=true"},
}

// today shows what needs a person first.
func (p *page) today() error {
	var v todayView
	if len(p.who.OnlyMetadata) > 0 {
		if err := p.readLists(&v); err != nil {
			return err
		}
	} else {
		var o dto.Overview
		if err := p.api.get(p.ctx(), "/admin/overview", nil, &o); err != nil {
			return err
		}
		v.Overview = p.newOverviewView(o)
	}
	shown := p.view("today", "Today", v)
	shown.Refresh = 60
	return p.render("today", http.StatusOK, shown)
}

// readLists reads what a person who sees only some tenants is shown.
func (p *page) readLists(v *todayView) error {
	for _, status := range []tenant.Status{tenant.StatusFailed, tenant.StatusProvisioning, tenant.StatusSuspended} {
		var list dto.TenantPage
		if err := p.api.get(p.ctx(), "/admin/tenants", url.Values{"status": {string(status)}, "view": {"full"}, "limit": {"10"}}, &list); err != nil {
			return err
		}
		v.Lists = append(v.Lists, listView{translate(p.language, statusTexts[string(status)]), list.Tenants})
	}
	return nil
}

func (p *page) newOverviewView(o dto.Overview) *overviewView {
	v := &overviewView{Overview: o}
	for _, group := range o.Attention {
		texts := attentionTexts[group.Kind]
		one := attentionView{
			Kind: group.Kind, Count: group.Count, Message: deref(group.Message), Tenants: group.Tenants,
			Heading: translate(p.language, texts.heading), More: max(0, group.Count-int64(len(group.Tenants))),
		}
		if texts.link != "" {
			one.Link = Root + texts.link
		}
		if group.Kind == "STUCK" && len(group.Tenants) > 0 { // Those that wait for a run have another status than those whose run has ended.
			one.Link = Root + "/tenants?status=" + group.Tenants[0].Status
		}
		if group.Blueprint != nil {
			one.Heading, one.Link = one.Heading+": "+*group.Blueprint, Root+"/tenants?behind=true&blueprint="+url.QueryEscape(*group.Blueprint)
		}
		v.Attention = append(v.Attention, one)
	}
	if n := o.Tenants; n != nil {
		v.Statuses = []statusCount{{"PENDING", n.Pending}, {"PROVISIONING", n.Provisioning}, {"ACTIVE", n.Active}, {"SUSPENDED", n.Suspended}, {"FAILED", n.Failed}, {"ARCHIVED", n.Archived}}
	}
	var activated, failed int64
	for _, hour := range o.Throughput {
		activated, failed = activated+hour.Activated, failed+hour.Failed
		label := hour.From.UTC().Format("15:04") + " UTC: " + strconv.FormatInt(hour.Activated, 10) + " / " + strconv.FormatInt(hour.Failed, 10)
		v.Bars = append(v.Bars, bar{hour.Activated, hour.Failed, label})
	}
	v.ThroughputLabel = translate(p.language, "%d became active, %d failed", activated, failed)
	return v
}

// readinessView is the result of the readiness checks.
type readinessView struct {
	Checks []struct {
		Name   string    `json:"name"`
		Status string    `json:"status"`
		Since  time.Time `json:"since"`
	} `json:"checks"`
}
