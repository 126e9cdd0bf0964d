package soroban_test

import (
	"context"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban"
)

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
	_, err := d.Deploy(t.Context(), run.Tenant, b.db.TransactionLog(run))
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
			_, err := b.deployer(func(o *soroban.Options) { o.HTTPClient = w.client() }).Deploy(ctx, run.Tenant, b.db.TransactionLog(run))
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
	for name, fee := range map[string]string{"Huge": "9223372036854775807", "WouldOverflow": "8000000000000000000", "AboveUint32": "4294967296"} {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			w := &wire{after: func(method string, answer []byte) []byte {
				if method != simulate {
					return nil
				}
				return regexp.MustCompile(`"minResourceFee":"\d+"`).ReplaceAll(answer, []byte(`"minResourceFee":"`+fee+`"`))
			}}
			d := b.deployer(func(o *soroban.Options) { o.HTTPClient = w.client() })
			b.refused(d, b.begin(), errs.KindTransient, "is faulty", "more than a transaction can offer; nothing was signed")
			b.wantNothingSent()
		})
	}
}
