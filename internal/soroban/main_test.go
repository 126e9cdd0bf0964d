package soroban_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/pgserver/pgtest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stellarnet/host"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
)

// sharedHost is the real Soroban host: compiled once, used by every network.
var sharedHost host.Host

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	h, err := host.New(context.Background(), host.Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, "start the Soroban host:", err)
		return 1
	}
	defer func() { _ = h.Close(context.Background()) }()
	sharedHost = h
	return pgtest.Main(m, postgrestest.Migrate)
}
