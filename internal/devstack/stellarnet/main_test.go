package stellarnet_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stellarnet/host"
)

// sharedHost is the real Soroban host: compiled once, used by every test.
var sharedHost host.Host

func TestMain(m *testing.M) {
	h, err := host.New(context.Background(), host.Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, "start the Soroban host:", err)
		os.Exit(1)
	}
	sharedHost = h
	code := m.Run()
	if err := h.Close(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "close the Soroban host:", err)
		code = 1
	}
	os.Exit(code)
}
