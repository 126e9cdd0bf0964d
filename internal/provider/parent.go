package provider

import (
	"context"
	"os"
	"time"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
)

const (
	// parentInterval is how often the provider looks whether Terraform is still there.
	parentInterval = 500 * time.Millisecond
	// parentGrace is how long changes may take to end, once Terraform is gone.
	parentGrace = 5 * time.Second
)

// EndWithParent makes the provider end when Terraform was killed: nobody closes the connection
// then, and the provider would go on with the change, hold its lease and its connections. Changes
// end as after Ctrl-C, in five seconds at most. On Windows the parent of a process never changes,
// and nothing is done.
func EndWithParent(newServer func() tfprotov6.ProviderServer) func() tfprotov6.ProviderServer {
	return func() tfprotov6.ProviderServer {
		s := newServer()
		if parent := os.Getppid(); parent > 1 { // The first process of a container takes all with it.
			go endWithParent(s, parent)
		}
		return s
	}
}

func endWithParent(s tfprotov6.ProviderServer, parent int) {
	for os.Getppid() == parent {
		time.Sleep(parentInterval)
	}
	// The framework cancels the contexts of all calls.
	_, _ = s.StopProvider(context.Background(), &tfprotov6.StopProviderRequest{}) // The process ends.
	deadline := time.Now().Add(parentGrace)
	for time.Now().Before(deadline) {
		if own, ok := s.(*server); ok && own.changes.Load() == 0 {
			break
		}
		time.Sleep(parentInterval / 10)
	}
	os.Exit(1)
}
