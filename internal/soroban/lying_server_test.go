package soroban_test

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stellar/go-stellar-sdk/xdr"
	"golang.org/x/sync/errgroup"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/stellarstore"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/contract"
)

const (
	lyingSeed = 20261126
	// lyingRound is how many tenants meet one liar.
	lyingRound = 20
	// lyingTime is the deadline of a deployment while the server lies.
	lyingTime = 1500 * time.Millisecond
	// fastTimes is how much faster than the real one the clock of the deployer runs: it waits
	// half a minute for a server that is behind.
	fastTimes = 20
)

// fastClock is a clock that runs fast. Only pauses use it.
type fastClock struct{ began time.Time }

func (c fastClock) Now() time.Time { return c.began.Add(time.Since(c.began) * fastTimes) }

func (c fastClock) Sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d / fastTimes):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// lyingWorld is a network behind a server that lies at times.
type lyingWorld struct {
	*testBundle
	ahead time.Duration // The network's time, from the database's.

	lying atomic.Pointer[liar]
	mu    sync.Mutex
	sent  []sentTx
}

// sentTx is a transaction that was sent.
type sentTx struct {
	envelope string
	at       time.Time
}

// TestDeployer_LyingServer deploys behind a server that lies in any field of any answer.
// Nothing is signed but the own operations, below the ceiling and for five minutes at most; no
// call outlives its deadline; and once the server is honest every tenant gets its contract, at
// the latest at the second try after an error that an operator has to look at.
//
// LYING_DEPLOYMENTS is the number of tenants, LYING_SEED chooses other lies.
func TestDeployer_LyingServer(t *testing.T) {
	deployments, seed := numberFrom(t, "LYING_DEPLOYMENTS", 3*lyingRound), numberFrom(t, "LYING_SEED", lyingSeed)
	w := &lyingWorld{testBundle: setup(t)}
	w.must(w.net.Fund(w.key.Address(), 100*funding))
	var tenants []provisioning.Run
	for round := range (deployments + lyingRound - 1) / lyingRound {
		if t.Failed() {
			break
		}
		tenants = append(tenants, w.round(uint64(seed+round))...)
	}
	w.wantOnlyOwn(tenants)
	t.Logf("%d deployments, %d transactions sent; %v", len(tenants), len(w.sent), w.count())
}

func numberFrom(t *testing.T, variable string, otherwise int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s is %q; give a number", variable, text)
	}
	return n
}

// round deploys for some tenants while the server lies, and again when it is honest.
func (w *lyingWorld) round(seed uint64) []provisioning.Run {
	w.t.Helper()
	w.db.MaxValidity = w.ahead + stellarstore.DefaultMaxValidity
	d := w.deployer(func(o *soroban.Options) {
		o.HTTPClient, o.Clock, o.Channels = w.wire().client(), fastClock{time.Now()}, 4
		o.PollInterval = 100 * time.Millisecond // Five, by the real time.
	})
	runs := make([]provisioning.Run, lyingRound)
	for i := range runs {
		runs[i] = w.begin()
	}
	w.lying.Store(newLiar(seed))
	w.each(runs, lyingRound/2, func(run provisioning.Run) {
		ctx, cancel := context.WithTimeout(w.t.Context(), lyingTime)
		defer cancel()
		_, _ = d.Deploy(ctx, run.Tenant, w.db.TransactionLog(run)) // Whatever it says.
		if late := time.Since(deadlineOf(ctx)); late > 20*time.Second {
			w.t.Errorf("seed %d: a deployment ended %s after its deadline", seed, late)
		}
	})
	w.lying.Store(nil)
	// What was signed expires.
	w.ahead += 2 * stellarstore.DefaultMaxValidity
	w.net.Faults().AdvanceClock(2 * stellarstore.DefaultMaxValidity)
	w.db.MaxValidity = w.ahead + stellarstore.DefaultMaxValidity
	// All at once: a run whose answer was lost may hold an account until it tries again, and no
	// lease ends by itself here.
	w.each(runs, lyingRound, func(run provisioning.Run) { w.deployHonestly(seed, d, run) })
	return runs
}

func deadlineOf(ctx context.Context) time.Time {
	at, _ := ctx.Deadline()
	return at
}

// each calls f for runs, a limited number at a time.
func (w *lyingWorld) each(runs []provisioning.Run, limit int, f func(provisioning.Run)) {
	var group errgroup.Group
	group.SetLimit(limit)
	for _, run := range runs {
		group.Go(func() error {
			f(run)
			return nil
		})
	}
	_ = group.Wait()
}

// deployHonestly deploys with an honest server, as the pipeline does: it repeats a step after
// errors that may go away, and an operator retries once after others.
func (w *lyingWorld) deployHonestly(seed uint64, d *soroban.Deployer, run provisioning.Run) {
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	var failures []error
	for transient, permanent := 0, 0; transient < 6 && permanent < 2; {
		c, err := d.Deploy(ctx, run.Tenant, w.db.TransactionLog(run))
		switch {
		case err == nil:
			w.wantContract(run, c)
			return
		case errs.KindOf(err) == errs.KindTransient:
			transient++
		default:
			permanent++
		}
		failures = append(failures, err)
		// The pipeline pauses, too. What the server said last is believed for two seconds.
		_ = (clock.System{}).Sleep(ctx, time.Second)
	}
	w.t.Errorf("seed %d: %s has no contract once the server is honest: %v", seed, run.Tenant.Name, failures)
}

// wire is the connection to the server. It records what is sent.
func (w *lyingWorld) wire() *wire {
	return &wire{after: func(method string, answer []byte) []byte {
		if l := w.lying.Load(); l != nil {
			return l.change(method, answer)
		}
		return nil
	}, request: func(method string, body []byte) {
		if method != send {
			return
		}
		var q struct{ Params struct{ Transaction string } }
		if err := json.Unmarshal(body, &q); err != nil {
			w.t.Error(err)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.sent = append(w.sent, sentTx{q.Params.Transaction, time.Now().Add(w.ahead)})
	}}
}

// wantOnlyOwn checks each transaction that was sent.
func (w *lyingWorld) wantOnlyOwn(tenants []provisioning.Run) {
	w.t.Helper()
	own := w.ownOperations(tenants)
	for _, x := range w.sent {
		var env xdr.TransactionEnvelope
		w.must(xdr.SafeUnmarshalBase64(x.envelope, &env))
		if reason := own.fault(env, x.at); reason != "" {
			w.t.Errorf("%s: %s", reason, x.envelope)
		}
	}
	if len(w.sent) < len(tenants) {
		w.t.Errorf("%d transactions were sent for %d tenants", len(w.sent), len(tenants))
	}
}

// ownOperations are what a deployer of these tenants may sign.
type ownOperations struct {
	*lyingWorld
	sources, channels []string
	functions         [][]byte // Uploads and creations.
	keys              [][]byte // Entries that may be restored.
}

func (w *lyingWorld) ownOperations(tenants []provisioning.Run) *ownOperations {
	w.t.Helper()
	own := &ownOperations{lyingWorld: w, sources: []string{w.key.Address()}}
	for i := range 4 {
		own.channels = append(own.channels, w.channelKey(i).Address())
	}
	own.sources = append(own.sources, own.channels...)
	own.functions = append(own.functions, w.binary(upload(contract.Wasm()).InvokeHostFunctionOp.HostFunction))
	own.keys = append(own.keys, w.binary(codeKey()))
	for _, run := range tenants {
		own.functions = append(own.functions, w.binary(w.rightCreation(run).InvokeHostFunctionOp.HostFunction))
		own.keys = append(own.keys, w.binary(instanceKey(w.t, w.contractID(run))))
	}
	return own
}

func (w *lyingWorld) binary(v interface{ MarshalBinary() ([]byte, error) }) []byte {
	w.t.Helper()
	raw, err := v.MarshalBinary()
	w.must(err)
	return raw
}

// fault says what is wrong with a transaction; empty: nothing.
func (own *ownOperations) fault(env xdr.TransactionEnvelope, sent time.Time) string {
	tx, fee := env.V1, int64(0)
	if env.FeeBump != nil {
		tx, fee = env.FeeBump.Tx.InnerTx.V1, int64(env.FeeBump.Tx.Fee)
		if !slices.Contains(own.sources, env.FeeBump.Tx.FeeSource.Address()) {
			return "a fee bump of another account"
		}
	}
	switch {
	case tx == nil || len(tx.Tx.Operations) == 0:
		return "no transaction"
	case !slices.Contains(own.sources, tx.Tx.SourceAccount.Address()):
		return "another source"
	case tx.Tx.Cond.TimeBounds == nil || int64(tx.Tx.Cond.TimeBounds.MaxTime) > sent.Add(stellarstore.DefaultMaxValidity+time.Minute).Unix():
		return "valid for too long"
	}
	ceiling := int64(10_000_000)
	for _, op := range tx.Tx.Operations {
		if op.SourceAccount == nil || op.SourceAccount.Address() != own.key.Address() {
			return "an operation of another account"
		}
		reason, shared := own.operationFault(op.Body, tx.Tx.Ext.SorobanData)
		if reason != "" {
			return reason
		}
		if shared {
			ceiling = 1_000_000_000
		}
	}
	if max(fee, int64(tx.Tx.Fee)) > ceiling {
		return "a fee above the ceiling"
	}
	return ""
}

// operationFault says what is wrong with an operation, and whether it is of the code, which
// all tenants share.
func (own *ownOperations) operationFault(body xdr.OperationBody, data *xdr.SorobanTransactionData) (reason string, shared bool) {
	has := func(all [][]byte, one []byte) bool {
		return slices.ContainsFunc(all, func(b []byte) bool { return string(b) == string(one) })
	}
	switch body.Type {
	case xdr.OperationTypeCreateAccount:
		if o := body.CreateAccountOp; !slices.Contains(own.channels, o.Destination.Address()) || o.StartingBalance > 6*xlm {
			return "the creation of another account", false
		}
	case xdr.OperationTypePayment:
		if o := body.PaymentOp; !slices.Contains(own.channels, o.Destination.Address()) || o.Amount > 6*xlm || o.Asset.Type != xdr.AssetTypeAssetTypeNative {
			return "another payment", false
		}
	case xdr.OperationTypeRestoreFootprint:
		for _, key := range data.Resources.Footprint.ReadWrite {
			shared = shared || key.Type == xdr.LedgerEntryTypeContractCode
			if !has(own.keys, own.binary(key)) {
				return "the restoration of another entry", shared
			}
		}
	case xdr.OperationTypeInvokeHostFunction:
		f := body.InvokeHostFunctionOp
		shared = f.HostFunction.Type == xdr.HostFunctionTypeHostFunctionTypeUploadContractWasm
		if !has(own.functions, own.binary(f.HostFunction)) {
			return "another host function", shared
		}
		return own.authFault(f), shared
	default:
		return "an operation of type " + body.Type.String(), false
	}
	return "", shared
}

// authFault says what is wrong with the authorizations of an operation.
func (own *ownOperations) authFault(f *xdr.InvokeHostFunctionOp) string {
	for _, entry := range f.Auth {
		root := entry.RootInvocation
		same := root.Function.CreateContractV2HostFn != nil && f.HostFunction.CreateContractV2 != nil &&
			string(own.binary(*root.Function.CreateContractV2HostFn)) == string(own.binary(*f.HostFunction.CreateContractV2))
		if entry.Credentials.Type != xdr.SorobanCredentialsTypeSorobanCredentialsSourceAccount || len(root.SubInvocations) > 0 || !same || len(f.Auth) > 1 {
			return "another authorization"
		}
	}
	return ""
}
