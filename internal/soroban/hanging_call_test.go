package soroban_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// hangingTransport never answers the first call of one method; the call ends when its
// request is cancelled.
type hangingTransport struct {
	method string
	once   sync.Once
	hangs  chan struct{} // Closed when the call hangs.
}

func (h *hangingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var q struct {
		Method string `json:"method"`
	}
	if err := json.Unmarshal(body, &q); err != nil {
		return nil, err
	}
	first := false
	if q.Method == h.method {
		h.once.Do(func() { first = true; close(h.hangs) })
	}
	if first {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return http.DefaultTransport.RoundTrip(r)
}

// TestDeployer_HangingCall: a call that is never answered delays only its own callers.
func TestDeployer_HangingCall(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, method string
		rescued      bool // The call is repeated in parallel to the one that hangs, for its callers too.
		call         func(ctx context.Context, d *soroban.Deployer) error
	}{
		{"ReadsOfOthersGoOn", entries, false, func(ctx context.Context, d *soroban.Deployer) error {
			_, err := d.ReadContracts(ctx, []tenant.Tenant{{ID: uuid.New()}})
			return err
		}},
		{"ChecksOfTheNetworkGoOn", network, true, func(ctx context.Context, d *soroban.Deployer) error {
			_, err := d.CheckReady(ctx)
			return err
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := setup(t)
			h := &hangingTransport{method: c.method, hangs: make(chan struct{})}
			d := b.deployer(func(o *soroban.Options) { o.HTTPClient = &http.Client{Transport: h} })
			hung, cancel := context.WithCancel(t.Context())
			defer cancel()
			first := make(chan error, 1)
			go func() { first <- c.call(hung, d) }()
			<-h.hangs
			// Far longer than a response takes; a caller that waits for the hanging call
			// never returns.
			ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
			defer stop()
			b.must(c.call(ctx, d))
			if c.rescued {
				b.must(<-first)
				return
			}
			select {
			case err := <-first:
				t.Fatalf("the call that hangs has returned: %v", err)
			default:
			}
			cancel()
			wantKind(t, <-first, errs.KindCancelled)
		})
	}
	t.Run("DeploysWhileFeeCallHangs", func(t *testing.T) {
		b := setup(t)
		h := &hangingTransport{method: feeStats, hangs: make(chan struct{})}
		d := b.deployer(channels(2), func(o *soroban.Options) { o.HTTPClient = &http.Client{Transport: h} })
		b.deploy(b.deployer(), b.begin()) // Uploads the code, which only one caller may do at a time.
		runs := []provisioning.Run{b.begin(), b.begin()}
		// Far longer than a deployment takes.
		ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
		defer stop()
		first := make(chan error, 1)
		go func() {
			_, err := d.Deploy(ctx, runs[0].Tenant, b.db.TransactionLog(runs[0]))
			first <- err
		}()
		<-h.hangs
		_, err := d.Deploy(ctx, runs[1].Tenant, b.db.TransactionLog(runs[1]))
		b.must(err)
		b.must(<-first)
	})
}
