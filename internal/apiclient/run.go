package apiclient

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// Provision records a tenant and takes it live, in the foreground. It is safe to
// repeat and returns what provisioning.Service.Provision returns.
func (c *Client) Provision(ctx context.Context, in provisioning.Inputs) (provisioning.Outcome, error) {
	return c.run(ctx, request{op: "create tenant", method: http.MethodPost, path: tenantsPath, body: newWish(in)}, true)
}

// Resume continues a tenant that was left PENDING, PROVISIONING or FAILED.
func (c *Client) Resume(ctx context.Context, id uuid.UUID) (provisioning.Outcome, error) {
	return c.run(ctx, request{op: "continue tenant", method: http.MethodPost, path: tenantPath(id, "retry")}, true)
}

// ResendWelcome sends an ACTIVE tenant's admin another invitation.
func (c *Client) ResendWelcome(ctx context.Context, id uuid.UUID) (provisioning.Outcome, error) {
	return c.run(ctx, request{op: "send welcome mail", method: http.MethodPost, path: tenantPath(id, "resend-welcome-email")}, false)
}

// errBroken is a stream that ended before the run's outcome was known.
var errBroken = errors.New("the connection to tenant-api broke before the outcome arrived")

// run follows a run to its end. A stream that breaks leaves the outcome unknown:
// the server stops the run, unless that was about to end. So the tenant is asked
// for: one that is live by now is the outcome, any other is continued. A run that
// is no provisioning is asked for again as it was.
func (c *Client) run(ctx context.Context, r request, provisions bool) (provisioning.Outcome, error) {
	var out provisioning.Outcome
	worthwhile := func(err error) bool {
		// An attempt that has FAILED is over, and had its own tries.
		return transient(err) && out.Tenant.Status != provisioning.StatusFailed
	}
	err := c.repeat(ctx, worthwhile, func() error {
		known := out.Tenant.ID
		latest, err := c.follow(ctx, r)
		if latest.Tenant.ID != uuid.Nil || known == uuid.Nil {
			out = latest
		}
		if known != uuid.Nil && provisioning.KindOf(err) == provisioning.KindConflict {
			if t, gerr := c.Get(ctx, known); gerr == nil && t.Status == provisioning.StatusActive {
				out.Tenant, err = t, nil
			}
		}
		if errors.Is(err, errBroken) && out.Tenant.ID != uuid.Nil && provisions {
			r = request{op: r.op, method: http.MethodPost, path: tenantPath(out.Tenant.ID, "retry")}
		}
		return err
	})
	return out, c.stopped(ctx, err)
}

// stopped says of a run that ended because its caller stopped what the pipeline
// says of it.
func (c *Client) stopped(ctx context.Context, err error) error {
	if kind := provisioning.KindOf(err); ctx.Err() == nil || kind != provisioning.KindCancelled && kind != provisioning.KindTransient {
		return err
	}
	reason := context.Cause(ctx)
	if errors.Is(reason, context.DeadlineExceeded) {
		return provisioning.Wrap(reason, provisioning.KindCancelled, "provision tenant", "the time allowed ran out; the tenant keeps its progress")
	}
	return provisioning.Wrap(reason, provisioning.KindCancelled, "provision tenant", "stopped on request; the tenant keeps its progress")
}

// step is what the stream tells of each step.
type step struct {
	Step       provisioning.Step       `json:"step"`
	Status     provisioning.StepStatus `json:"status"`
	Attempt    int                     `json:"attempt"`
	DurationMs float64                 `json:"durationMs"`
	Message    string                  `json:"message"`
}

type outcome struct {
	Tenant    view     `json:"tenant"`
	Continued bool     `json:"continued"`
	Adopted   bool     `json:"adopted"`
	Warnings  []string `json:"warnings"`
}

// follow asks for a run once and reads its stream to the end.
func (c *Client) follow(ctx context.Context, r request) (provisioning.Outcome, error) {
	r.header = map[string]string{"Accept": "text/event-stream"}
	watched, end := context.WithCancelCause(ctx)
	defer end(nil)
	answer, err := c.send(watched, r)
	if err != nil {
		return provisioning.Outcome{}, err
	}
	defer func() { _ = answer.Body.Close() }()
	quiet := time.AfterFunc(c.silence, func() { end(errBroken) })
	defer quiet.Stop()

	var out provisioning.Outcome
	stream := newStream(answer.Body, func() { quiet.Reset(c.silence) })
	for {
		e, err := stream.next()
		if err != nil {
			if ctx.Err() != nil {
				return out, unanswered(ctx, r.op, err)
			}
			return out, provisioning.Wrap(errors.Join(errBroken, err), provisioning.KindTransient, r.op, "%s", errBroken)
		}
		done, err := c.take(ctx, r.op, e, &out)
		if done || err != nil {
			return out, err
		}
	}
}

// take takes in one event; done is true for the last one.
func (c *Client) take(ctx context.Context, op string, e event, out *provisioning.Outcome) (done bool, err error) {
	unreadable := func(err error) error {
		return provisioning.Wrap(err, provisioning.KindPermanent, op, "tenant-api is of another version than this program: its answer cannot be read")
	}
	switch e.name {
	case "tenant":
		var v view
		if err := json.Unmarshal(e.data, &v); err != nil {
			return true, unreadable(err)
		}
		out.Tenant = v.tenant()
	case "step":
		var s step
		if err := json.Unmarshal(e.data, &s); err != nil {
			return true, unreadable(err)
		}
		c.options.Observer(ctx, provisioning.Event{
			Tenant: out.Tenant, Attempt: s.Attempt, Step: s.Step, Status: s.Status, Message: s.Message,
			Duration: time.Duration(s.DurationMs * float64(time.Millisecond)),
		})
	case "outcome":
		var o outcome
		if err := json.Unmarshal(e.data, &o); err != nil {
			return true, unreadable(err)
		}
		*out = provisioning.Outcome{Tenant: o.Tenant.tenant(), Continued: o.Continued, Adopted: o.Adopted, Warnings: o.Warnings}
		return true, nil
	case "problem":
		var p problem
		if err := json.Unmarshal(e.data, &p); err != nil {
			return true, unreadable(err)
		}
		if p.Tenant != nil {
			out.Tenant = p.Tenant.tenant()
		}
		if p.Standing != nil {
			standing := p.Standing.tenant()
			out.Standing, out.Tenant = &standing, provisioning.Tenant{}
		}
		if p.Kind == provisioning.KindCancelled && ctx.Err() == nil { // Not by us: the server stops.
			return true, provisioning.Wrap(errBroken, provisioning.KindTransient, op, "tenant-api is stopping; the tenant keeps its progress")
		}
		return true, p.error(op)
	}
	return false, nil // Kinds of events that came later are not for us.
}
