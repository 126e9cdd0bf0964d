package apiclient

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Provision records a tenant and provisions it in the foreground. It is safe to
// repeat and returns what provisioning.Service.Provision returns.
func (c *Client) Provision(ctx context.Context, in tenant.Inputs) (provisioning.Outcome, error) {
	return c.provision(ctx, request{op: "create tenant", method: http.MethodPost, path: append(slices.Clone(tenantsPath), "provision"), body: newCreateRequest(in)})
}

// Retry continues the provisioning of a PENDING, PROVISIONING or FAILED tenant.
func (c *Client) Retry(ctx context.Context, id uuid.UUID) (provisioning.Outcome, error) {
	return c.provision(ctx, request{op: "retry tenant", method: http.MethodPost, path: tenantPath(id, "provision")})
}

// Invite sends another invitation to the administrator of an ACTIVE tenant.
func (c *Client) Invite(ctx context.Context, id uuid.UUID) (provisioning.Outcome, error) {
	var v struct {
		Status   string   `json:"status"`
		Warnings []string `json:"warnings"`
	}
	if err := c.call(ctx, request{op: "invite administrator", method: http.MethodPost, path: tenantPath(id, "invite")}, &v); err != nil {
		return provisioning.Outcome{}, err
	}
	t, err := c.Get(ctx, id)
	return provisioning.Outcome{Tenant: t, Warnings: v.Warnings, MailUnderWay: v.Status == "pending"}, err
}

// errStreamTruncated means that a stream ended before its outcome event.
var errStreamTruncated = errors.New("the connection to tenant-api was lost before the outcome arrived")

// provision reads the stream of a run to its end. If the stream breaks, the outcome is
// unknown: the server stops the run, unless it is at its end. The client then reads the
// tenant: an ACTIVE tenant is the outcome, any other is continued.
func (c *Client) provision(ctx context.Context, r request) (provisioning.Outcome, error) {
	var out provisioning.Outcome
	retryable := func(err error) bool {
		// A FAILED attempt has ended, after its own retries.
		return transient(err) && out.Tenant.Status != tenant.StatusFailed
	}
	err := c.withRetry(ctx, retryable, func() error {
		knownID := out.Tenant.ID
		latest, err := c.readEvents(ctx, r)
		if latest.Tenant.ID != uuid.Nil || knownID == uuid.Nil {
			out = latest
		}
		if knownID != uuid.Nil && errs.KindOf(err) == errs.KindConflict {
			if t, getErr := c.Get(ctx, knownID); getErr == nil && t.Status == tenant.StatusActive {
				out.Tenant, err = t, nil
			}
		}
		if errors.Is(err, errStreamTruncated) && out.Tenant.ID != uuid.Nil {
			r = request{op: r.op, method: http.MethodPost, path: tenantPath(out.Tenant.ID, "provision")}
		}
		return err
	})
	return out, c.cancellationError(ctx, err)
}

// cancellationError returns the pipeline's error for a cancelled run.
func (c *Client) cancellationError(ctx context.Context, err error) error {
	if kind := errs.KindOf(err); ctx.Err() == nil || kind != errs.KindCancelled && kind != errs.KindTransient {
		return err
	}
	reason := context.Cause(ctx)
	if errors.Is(reason, context.DeadlineExceeded) {
		return errs.Wrap(reason, errs.KindCancelled, "provision tenant", "the time allowed ran out; the tenant keeps its progress")
	}
	return errs.Wrap(reason, errs.KindCancelled, "provision tenant", "stopped on request; the tenant keeps its progress")
}

// readEvents starts a run once and reads its stream to the end.
func (c *Client) readEvents(ctx context.Context, r request) (provisioning.Outcome, error) {
	r.header = map[string]string{"Accept": "text/event-stream"}
	streamCtx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	response, err := c.send(streamCtx, r)
	if err != nil {
		return provisioning.Outcome{}, err
	}
	defer func() { _ = response.Body.Close() }()
	idleTimer := time.AfterFunc(c.idleTimeout, func() { cancel(errStreamTruncated) })
	defer idleTimer.Stop()

	var out provisioning.Outcome
	stream := newEventReader(response.Body, func() { idleTimer.Reset(c.idleTimeout) })
	for {
		e, err := stream.next()
		if err != nil {
			if ctx.Err() != nil {
				return out, c.transportError(ctx, r.op, err)
			}
			return out, errs.Wrap(errors.Join(errStreamTruncated, err), errs.KindTransient, r.op, "%s", errStreamTruncated)
		}
		done, err := c.applyEvent(ctx, r.op, e, &out)
		if done || err != nil {
			return out, err
		}
	}
}

// applyEvent applies one event to out; done is true for the last one.
func (c *Client) applyEvent(ctx context.Context, op string, e serverEvent, out *provisioning.Outcome) (done bool, err error) {
	decodeError := func(err error) error {
		return errs.Wrap(err, errs.KindPermanent, op, "tenant-api has another version than this program: its response cannot be read; use the same release of both")
	}
	switch e.name {
	case "tenant":
		var v dto.Tenant
		if err := json.Unmarshal(e.data, &v); err != nil {
			return true, decodeError(err)
		}
		out.Tenant = v.Tenant()
	case "step":
		var s dto.StepEvent
		if err := json.Unmarshal(e.data, &s); err != nil {
			return true, decodeError(err)
		}
		c.options.Observer(ctx, s.Event(out.Tenant))
	case "outcome":
		var o dto.OutcomeEvent
		if err := json.Unmarshal(e.data, &o); err != nil {
			return true, decodeError(err)
		}
		*out = o.Outcome()
		return true, nil
	case "problem":
		var p problemDocument
		if err := json.Unmarshal(e.data, &p); err != nil {
			return true, decodeError(err)
		}
		if p.Tenant != nil {
			out.Tenant = p.Tenant.Tenant()
		}
		if p.ConflictingTenant != nil {
			conflicting := p.ConflictingTenant.Tenant()
			out.ConflictingTenant, out.Tenant = &conflicting, tenant.Tenant{}
		}
		if p.Kind == errs.KindCancelled && ctx.Err() == nil { // Not cancelled by the caller: the server is stopping.
			return true, errs.Wrap(errStreamTruncated, errs.KindTransient, op, "tenant-api is stopping; the tenant keeps its progress")
		}
		return true, p.asError(op)
	}
	return false, nil // Ignore events that a newer server adds.
}
