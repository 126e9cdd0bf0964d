package soroban_test

import (
	"strings"
	"sync/atomic"
	"testing"

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
