package soroban_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stellar/go-stellar-sdk/keypair"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// TestDeployer_ClassifiesServers: the server's response decides whether a call is
// retried.
func TestDeployer_ClassifiesServers(t *testing.T) {
	t.Parallel()
	rpcError := func(code string) string {
		return `{"jsonrpc":"2.0","id":1,"error":{"code":` + code + `,"message":"inner secrets"}}`
	}
	for name, c := range map[string]struct {
		status int
		body   string
		kind   errs.Kind
		word   string
		calls  int
	}{
		"Unauthorized":   {401, "", errs.KindPermanent, "check the key in SOROBAN_RPC_URL", 1},
		"NotThere":       {404, "", errs.KindPermanent, "no Stellar RPC server at that address", 1},
		"Limits":         {429, "", errs.KindTransient, "limits requests", 4},
		"Overloaded":     {503, "inner secrets", errs.KindTransient, "HTTP status 503", 4},
		"AWebsite":       {200, "<html>inner secrets</html>", errs.KindTransient, "not one of a Stellar RPC server", 4},
		"EmptyAnswer":    {200, `{"jsonrpc":"2.0","id":1}`, errs.KindTransient, "not one of a Stellar RPC server", 4},
		"OtherShape":     {200, `{"jsonrpc":"2.0","id":1,"result":[]}`, errs.KindTransient, "not one of a Stellar RPC server", 4},
		"UnknownMethod":  {200, rpcError("-32601"), errs.KindPermanent, "refuses the call getNetwork", 1},
		"ItsOwnFault":    {200, rpcError("-32603"), errs.KindTransient, "reports an internal error", 4},
		"AnotherNetwork": {200, `{"jsonrpc":"2.0","id":1,"result":{"passphrase":"q"}}`, errs.KindPermanent, `"q"`, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			calls := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				calls++
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			}))
			defer server.Close()
			d, err := soroban.New(soroban.Options{
				Passphrase: "p", RPCURL: server.URL + "/access-key", DeployerSecret: keypair.MustRandom().Seed(), PollInterval: time.Millisecond,
			})
			if err != nil {
				t.Fatal(err)
			}
			_, err = d.Deploy(t.Context(), tenant.Tenant{ID: uuid.New()}, nil)
			wantKind(t, err, c.kind)
			message := errs.SafeMessage(err)
			if !strings.Contains(message, c.word) || strings.Contains(message, "inner secrets") || calls != c.calls {
				t.Errorf("%q after %d calls", message, calls)
			}
			if strings.Contains(err.Error(), "access-key") {
				t.Errorf("contains the key: %v", err)
			}
		})
	}

	t.Run("HonoursRetryAfter", func(t *testing.T) {
		t.Parallel()
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusTooManyRequests)
		}))
		defer server.Close()
		clock := &counting{}
		d, err := soroban.New(soroban.Options{
			Passphrase: "p", RPCURL: server.URL, DeployerSecret: keypair.MustRandom().Seed(), Clock: clock,
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = d.Deploy(t.Context(), tenant.Tenant{ID: uuid.New()}, nil)
		wantKind(t, err, errs.KindTransient)
		if clock.slept != 3*7*time.Second {
			t.Errorf("waited %s for three more tries", clock.slept)
		}
	})
}

func TestDeployer_FailedSimulation(t *testing.T) {
	b := setup(t)
	w := &wire{after: func(method string, _ []byte) []byte {
		if method != simulate {
			return nil
		}
		return []byte(`{"jsonrpc":"2.0","id":1,"result":{"error":"HostError: Error(Budget, ExceededLimit)\n\nEvent log (newest first): AAAA inner","latestLedger":3}}`)
	}}
	d := b.deployer(func(o *soroban.Options) { o.HTTPClient = w.client() })
	run := b.begin()
	b.refused(d, run, errs.KindPermanent, "the simulation of the upload", "Budget, ExceededLimit")
	_, err := d.Deploy(t.Context(), run.Tenant, b.db.Journal(run))
	if strings.Contains(errs.SafeMessage(err), "inner") || !strings.Contains(err.Error(), "Event log") {
		t.Errorf("%v", err)
	}
	b.wantNothingSent()
}

// TestDeployer_HonoursCancellation: ctx ends every call.
func TestDeployer_HonoursCancellation(t *testing.T) {
	t.Parallel()
	for _, method := range []string{network, entries, simulate, feeStats, send, ask} {
		t.Run(method, func(t *testing.T) {
			b := setup(t)
			b.net.Faults().Delay(method, time.Hour, 100)
			run := b.begin()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			w := &wire{before: on(method, func() { time.AfterFunc(20*time.Millisecond, cancel) })}
			began := time.Now()
			_, err := b.deployer(func(o *soroban.Options) { o.HTTPClient = w.client() }).Deploy(ctx, run.Tenant, b.db.Journal(run))
			wantKind(t, err, errs.KindCancelled)
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

func wantWords(t *testing.T, message string, words ...string) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(message, word) {
			t.Errorf("%q does not contain %q", message, word)
		}
	}
}

// TestDeployer_FeesOutOfRange: whatever fee a server returns, a transaction never pays
// more than the ceiling.
func TestDeployer_FeesOutOfRange(t *testing.T) {
	t.Parallel()
	for name, fee := range map[string]string{"Huge": "9223372036854775807", "WouldOverflow": "8000000000000000000", "AboveWhatCanBeWritten": "4294967296"} {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			w := &wire{after: func(method string, answer []byte) []byte {
				if method != simulate {
					return nil
				}
				return regexp.MustCompile(`"minResourceFee":"\d+"`).ReplaceAll(answer, []byte(`"minResourceFee":"`+fee+`"`))
			}}
			d := b.deployer(func(o *soroban.Options) { o.HTTPClient = w.client() })
			b.refused(d, b.begin(), errs.KindPermanent, "above the ceiling of 100 XLM", "SOROBAN_MAX_UPLOAD_FEE")
			b.wantNothingSent()
		})
	}
}
