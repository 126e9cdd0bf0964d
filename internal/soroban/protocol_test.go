package soroban_test

import (
	"context"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/rpc"
)

// TestDeployer_Protocol: a network with a newer protocol is told of before anything fails.
func TestDeployer_Protocol(t *testing.T) {
	b := setup(t)
	d := b.deployer()
	ready, err := d.CheckReady(t.Context())
	b.must(err)
	// The local network has the protocol of the SDK's XDR.
	if p := d.Protocol(); p.Network != rpc.KnownProtocol || p.Newer() || ready.NewerProtocol != "" {
		t.Errorf("%+v, %+v", p, ready)
	}
	var upgraded atomic.Bool
	upgraded.Store(true)
	d = b.through(&upgraded, func(method string, answer []byte) []byte {
		if method != network {
			return nil
		}
		return changed(t, answer, func(result map[string]any) { result["protocolVersion"] = rpc.KnownProtocol + 1 })
	})
	if p := d.Protocol(); p.Newer() {
		t.Errorf("not read yet: %+v", p)
	}
	if ready, err = d.CheckReady(t.Context()); err != nil || !strings.Contains(ready.NewerProtocol, "install a newer release") || !d.Protocol().Newer() {
		t.Errorf("%+v, %v", ready, err)
	}
	b.deploy(d, b.begin()) // It is a warning.
}

// TestDeployer_CheckRPC: a server that follows its network works; one that does not answer, is of
// another network, or whose newest ledger is old does not.
func TestDeployer_CheckRPC(t *testing.T) {
	b := setup(t)
	b.must(b.deployer().CheckRPC(t.Context()))
	var lies atomic.Bool
	lies.Store(true)
	old := b.through(&lies, func(_ string, answer []byte) []byte {
		return changed(t, answer, func(result map[string]any) {
			if _, ok := result["latestLedgerCloseTime"]; ok {
				result["latestLedgerCloseTime"] = strconv.FormatInt(time.Now().Add(-6*time.Minute).Unix(), 10)
			}
		})
	})
	if err := old.CheckRPC(t.Context()); errs.KindOf(err) != errs.KindTransient || !strings.Contains(errs.SafeMessage(err), "does not follow the network") {
		t.Errorf("%v", err)
	}
	other := b.deployer(func(o *soroban.Options) { o.Passphrase = "Another Network" })
	if err := other.CheckRPC(t.Context()); errs.KindOf(err) != errs.KindPermanent {
		t.Errorf("%v", err)
	}
	down := b.deployer(func(o *soroban.Options) { o.RPCURL = "http://127.0.0.1:1" })
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := down.CheckRPC(ctx); err == nil {
		t.Error("a server that is down works")
	}
}
