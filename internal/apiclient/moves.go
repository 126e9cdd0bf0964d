package apiclient

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// The pauses between two requests for a job: few requests, because they count for the
// key's rate limit.
const (
	firstJobPause = 250 * time.Millisecond
	maxJobPause   = 3 * time.Second
)

// maxJobWait limits the wait for a job, for callers without a limit of their own.
const maxJobWait = 15 * time.Minute

// move sends the request of a move. A server without a worker queues it; then move waits
// for the end of the job, and reports that it was queued: target is not set.
func (c *Client) move(ctx context.Context, r request, target any) (queued bool, err error) {
	status, text, err := c.exchange(ctx, r)
	if err != nil {
		return false, err
	}
	if status != http.StatusAccepted {
		return false, decode(r.op, text, target)
	}
	var submission struct {
		JobID string `json:"jobId"`
	}
	if err := decode(r.op, text, &submission); err != nil {
		return true, err
	}
	return true, c.waitForJob(ctx, r.op, submission.JobID)
}

// waitForJob waits until a job has ended. KindPermanent with the job's error when it failed.
func (c *Client) waitForJob(ctx context.Context, op, id string) error {
	ctx, cancel := context.WithTimeout(ctx, maxJobWait)
	defer cancel()
	for pause := firstJobPause; ; pause = min(pause*3/2, maxJobPause) {
		var job struct {
			State string `json:"state"`
			Error string `json:"error"`
		}
		err := c.call(ctx, request{op: op, method: http.MethodGet, path: []string{"jobs", id}}, &job)
		switch {
		case ctx.Err() != nil:
			return jobWaitError(ctx, op, id)
		case isForbidden(err):
			return errs.Wrap(err, errs.KindPermanent, op, "tenant-api has queued this as job %s, which cannot be read with this key: it needs the scope tenants:read", id)
		case err != nil:
			return err
		case job.State == string(provisioning.JobCompleted):
			return nil
		case job.State == string(provisioning.JobFailed):
			return errs.Errorf(errs.KindPermanent, op, "%s", job.Error)
		}
		if c.options.Clock.Sleep(ctx, pause) != nil {
			return jobWaitError(ctx, op, id)
		}
	}
}

// jobWaitError is for a wait that ended before the job.
func jobWaitError(ctx context.Context, op, id string) error {
	cause := context.Cause(ctx)
	if !errors.Is(cause, context.DeadlineExceeded) {
		return errs.Wrap(cause, errs.KindCancelled, op, "the operation was cancelled; its job %s is queued", id)
	}
	return errs.Wrap(cause, errs.KindTransient, op, "tenant-api has queued this as job %s, which has not ended in time; check that a worker runs (tenant-api worker)", id)
}

// decode reads a response into target, which may be nil.
func decode(op string, text []byte, target any) error {
	if target == nil {
		return nil
	}
	if err := json.Unmarshal(text, target); err != nil {
		return errs.Wrap(err, errs.KindPermanent, op, "the server at the given address is not tenant-api, or has another version; check the URL")
	}
	return nil
}
