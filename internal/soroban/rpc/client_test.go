package rpc

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// TestClient_ClassifiesServers: the server's response decides whether a call is
// retried.
func TestClient_ClassifiesServers(t *testing.T) {
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
		"NotFound":       {404, "", errs.KindPermanent, "the address has no Stellar RPC server", 1},
		"Limits":         {429, "", errs.KindTransient, "limits requests", 4},
		"Overloaded":     {503, "inner secrets", errs.KindTransient, "HTTP status 503", 4},
		"Website":        {200, "<html>inner secrets</html>", errs.KindTransient, "the response is not from a Stellar RPC server", 4},
		"EmptyResponse":  {200, `{"jsonrpc":"2.0","id":1}`, errs.KindTransient, "the response is not from a Stellar RPC server", 4},
		"OtherShape":     {200, `{"jsonrpc":"2.0","id":1,"result":[]}`, errs.KindTransient, "the response is not from a Stellar RPC server", 4},
		"UnknownMethod":  {200, rpcError("-32601"), errs.KindPermanent, "refuses the call getNetwork", 1},
		"InternalError":  {200, rpcError("-32603"), errs.KindTransient, "reports an internal error", 4},
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
			client := New(Options{
				URL: server.URL + "/access-key", Passphrase: "p", Clock: clock.System{}, PollInterval: time.Millisecond,
			})
			err := client.CheckNetwork(t.Context())
			if errs.KindOf(err) != c.kind {
				t.Errorf("%v is not %v", err, c.kind)
			}
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
		clock := &pauses{}
		client := New(Options{URL: server.URL, Passphrase: "p", Clock: clock, PollInterval: time.Millisecond})
		if err := client.CheckNetwork(t.Context()); errs.KindOf(err) != errs.KindTransient {
			t.Errorf("%v", err)
		}
		if !slices.Equal(clock.all, []time.Duration{7 * time.Second, 7 * time.Second, 7 * time.Second}) {
			t.Errorf("waited %v for three more tries", clock.all)
		}
	})
}

// TestClient_Headers: the headers are sent with each call, and a server that quotes them, or
// the URL, does not get them into a message or the log.
func TestClient_Headers(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%v", r.Header)
		}
		_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"`+r.Header.Get("X-Api-Key")+` may not call `+r.URL.String()+strings.Repeat(" x", 5000)+`"}}`)
	}))
	defer server.Close()
	client := New(Options{
		URL: server.URL + "/4f1d0e7b9a3c8d2e/rpc?token=query-key", Headers: http.Header{"X-Api-Key": {"header-key"}},
		Secrets: []string{"header-key", "query-key", "4f1d0e7b9a3c8d2e"}, Passphrase: "p", Clock: clock.System{}, PollInterval: time.Millisecond,
	})
	err := client.CheckNetwork(t.Context())
	if err == nil || !strings.Contains(err.Error(), "(secret) may not call /(secret)/rpc?token=(secret)") || len(err.Error()) > 2000 {
		t.Errorf("%.3000v", err)
	}
}

// TestClient_SimulationHidesSecrets: the error of a simulation is text of the server, too.
func TestClient_SimulationHidesSecrets(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":1,"result":{"latestLedger":3,"error":"no budget left for header-key"}}`)
	}))
	defer server.Close()
	client := New(Options{URL: server.URL, Secrets: []string{"header-key"}, Passphrase: "p", Clock: clock.System{}, PollInterval: time.Millisecond})
	source := xdr.MustMuxedAddress("GBRPYHIL2CI3FNQ4BXLFMNDLFJUNPU2HY3ZMFSHONUCEOASW7QC7OX2H")
	got, err := client.Simulate(t.Context(), xdr.TransactionEnvelope{Type: xdr.EnvelopeTypeEnvelopeTypeTx, V1: &xdr.TransactionV1Envelope{Tx: xdr.Transaction{SourceAccount: source}}})
	if err != nil || got.Error != "no budget left for (secret)" {
		t.Errorf("%q, %v", got.Error, err)
	}
}
