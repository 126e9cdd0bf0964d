package api

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/problem"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/monitoring"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Overviews reads the parts of GET /admin/overview. Each is read on its own and within a time, so that
// one that does not answer holds up no other. app.Overview is one.
type Overviews interface {
	TenantCounts(ctx context.Context) (map[tenant.Status]int64, error)
	// Attention is without tenants that are behind or have drifted, which Behind and Drift return.
	Attention(ctx context.Context) ([]monitoring.Attention, error)
	Behind(ctx context.Context) ([]monitoring.Attention, error)
	Drift(ctx context.Context) ([]monitoring.Attention, error)
	Throughput(ctx context.Context) ([]monitoring.Hour, error)
	Queue(ctx context.Context) (monitoring.Queue, error)
	// Ledger asks no other system than the registry.
	Ledger(ctx context.Context) (monitoring.Ledger, error)
}

// overviewReserve is the part of a check's time that is left to answer.
const overviewReserve = 200 * time.Millisecond

// registerOverviewRoutes registers the state of the whole platform.
func (s *Server) registerOverviewRoutes() {
	registerEndpoint(s, &endpoint{
		id: "get-overview", method: http.MethodGet, path: "/admin/overview", tag: "registry",
		summary: "Show the state of the platform at a glance",
		description: "Tenants by status, what a person should look at, what happened in the last 24 hours, queue, ledger and checks. It answers within two seconds: a part that cannot be read is named in unavailable. " +
			"TENANTS_BEHIND and DRIFTED are some minutes old, all else is read now; DRIFTED has the newest 5,000 ACTIVE tenants, and is there some seconds after the first request.",
		scope: access.ScopeRead, errorStatuses: []int{http.StatusNotImplemented},
	}, s.getOverview)
}

// notConfigured is the problem of an operation for which this server has no part.
func notConfigured(part string) error {
	return problem.New(http.StatusNotImplemented, "this server is set up without "+part+"; send the request to a server of tenant-api serve")
}

// overviewPart is the result of a part; a nil set: it could not be read.
type overviewPart struct {
	name string
	set  func(*overview)
}

// overview is an answer that is being made.
type overview struct {
	dto.Overview

	attention []monitoring.Attention
}

// getOverview returns the overview. Callers at the same time share one.
func (s *Server) getOverview(context.Context, *struct{}) (*bodyOutput[dto.Overview], error) {
	if s.opts.Overview == nil {
		return nil, notConfigured("an overview")
	}
	shared, _, _ := s.overviews.Do("", func() (any, error) { return s.readOverview(), nil })
	view, ok := shared.(dto.Overview)
	if !ok { // Cannot happen: it is what readOverview returned.
		panic("no overview")
	}
	return newBodyOutput(view), nil
}

// readOverview reads all parts at the same time. No caller's context ends it: others share it.
func (s *Server) readOverview() dto.Overview {
	timeout := max(s.timeouts.check-overviewReserve, s.timeouts.check/2)
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	o, source := overview{}, s.opts.Overview
	parts, results := []string{}, make(chan overviewPart, 8) // No sender waits for a reader that has gone on.
	read := func(name string, f func() (func(*overview), error)) {
		parts = append(parts, name)
		go func() { results <- s.readPart(name, f) }()
	}
	read("tenants", part(ctx, source.TenantCounts, func(o *overview, n map[tenant.Status]int64) { o.Tenants = dto.NewTenantCounts(n) }))
	addAttention := func(o *overview, found []monitoring.Attention) { o.attention = append(o.attention, found...) }
	read("attention", part(ctx, source.Attention, addAttention))
	read("behind", part(ctx, source.Behind, addAttention))
	read("drift", part(ctx, source.Drift, addAttention))
	read("throughput", part(ctx, source.Throughput, func(o *overview, hours []monitoring.Hour) { o.Throughput = dto.NewHours(hours) }))
	read("queue", part(ctx, source.Queue, (*overview).setQueue))
	read("ledger", part(ctx, source.Ledger, (*overview).setLedger))
	read("checks", part(ctx, s.shareChecks, func(o *overview, all []monitoring.Check) {
		for _, c := range all {
			o.Checks = append(o.Checks, dto.NewCheck(c))
		}
	}))
	for missing := slices.Clone(parts); len(missing) > 0; {
		select {
		case p := <-results:
			missing = slices.DeleteFunc(missing, func(name string) bool { return name == p.name })
			if p.set == nil {
				o.Unavailable = append(o.Unavailable, p.name)
			} else {
				p.set(&o)
			}
		case <-ctx.Done():
			o.Unavailable, missing = append(o.Unavailable, missing...), nil
		}
	}
	return o.finish(parts, s.opts.Clock.Now())
}

// part is a part that read reads and set stores.
func part[T any](ctx context.Context, read func(context.Context) (T, error), set func(*overview, T)) func() (func(*overview), error) {
	return func() (func(*overview), error) {
		v, err := read(ctx)
		return func(o *overview) { set(o, v) }, err
	}
}

// readPart reads a part. An error, or a panic, is only logged.
func (s *Server) readPart(name string, f func() (func(*overview), error)) (p overviewPart) {
	p.name = name
	log := func(cause any) {
		s.opts.Logger.Warn("a part of the overview could not be read", slog.String("part", name), slog.Any("error", cause))
	}
	defer func() {
		if cause := recover(); cause != nil {
			log(cause)
		}
	}()
	set, err := f()
	if err != nil {
		log(err)
		return p
	}
	p.set = set
	return p
}

// shareChecks returns the results of the readiness checks.
func (s *Server) shareChecks(context.Context) ([]monitoring.Check, error) {
	return s.sharedChecks(), nil
}

// add adds a group that is not about tenants.
func (o *overview) add(kind monitoring.AttentionKind, count int, format string, args ...any) {
	o.attention = append(o.attention, monitoring.Attention{Kind: kind, Count: int64(count), Message: fmt.Sprintf(format, args...)})
}

func (o *overview) setQueue(q monitoring.Queue) {
	o.Queue = dto.NewQueue(q)
	switch {
	case q.WorkerAlive:
	case q.WorkerSeen:
		o.add(monitoring.AttentionWorkerMissing, 1, "No worker was seen for %v, and what it does waits. Run tenant-api worker, or serve without --worker=false.", q.LastSeen.Round(time.Second))
	default:
		o.add(monitoring.AttentionWorkerMissing, 1, "No worker was ever seen, and what it does waits. Run tenant-api worker, or serve without --worker=false.")
	}
}

func (o *overview) setLedger(l monitoring.Ledger) {
	o.Ledger = dto.NewLedger(l)
	if l.ChannelsDisabled > 0 {
		o.add(monitoring.AttentionChannelDisabled, l.ChannelsDisabled, "Channel accounts are disabled, so that fewer contracts are deployed at a time. GET /admin/channels has the reasons.")
	}
	if l.Balance != nil && *l.Balance < l.LowBalance {
		o.add(monitoring.AttentionLowBalance, 1, "The deployer %s has %s. Send lumens before deployments fail: the limit is %s.", l.Deployer, contracts.FormatXLM(*l.Balance), contracts.FormatXLM(l.LowBalance))
	}
}

// finish sorts what came in any order.
func (o *overview) finish(parts []string, now time.Time) dto.Overview {
	kinds := monitoring.AttentionKinds()
	slices.SortStableFunc(o.attention, func(a, b monitoring.Attention) int {
		if n := slices.Index(kinds, a.Kind) - slices.Index(kinds, b.Kind); n != 0 {
			return n
		}
		return strings.Compare(a.Blueprint, b.Blueprint)
	})
	o.Attention = make([]dto.Attention, len(o.attention))
	for i, a := range o.attention {
		o.Attention[i] = dto.NewAttention(a)
	}
	slices.SortFunc(o.Unavailable, func(a, b string) int { return slices.Index(parts, a) - slices.Index(parts, b) })
	o.GeneratedAt = now.UTC()
	o.Throughput, o.Checks, o.Unavailable = dto.List(o.Throughput), dto.List(o.Checks), dto.List(o.Unavailable)
	return o.Overview
}
