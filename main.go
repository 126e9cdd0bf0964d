// Command terraform-provider-healthcare is the Terraform provider "healthcare".
// Terraform starts it; it does nothing when started by hand.
package main

import (
	"context"
	"flag"
	"log"
	"os/signal"
	"syscall"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provider"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tracing/export"
)

// version is set by the release build.
var version = "dev"

// startTraces sets up traces. An error in their settings stops no apply.
func startTraces() (end func()) {
	settings, err := config.ReadTracing(config.Environment)
	if err == nil {
		end, err = export.Start(context.Background(), export.Options{Tracing: settings, Program: "terraform-provider-healthcare", Version: version})
	}
	if err != nil {
		log.Print("[WARN] there are no traces: ", err)
		return func() {}
	}
	return end
}

func main() {
	debug := flag.Bool("debug", false, "wait for a debugger and print how Terraform can attach to this process")
	flag.Parse()

	// A supervisor that stops a whole process group sends SIGTERM to the provider
	// too. Terraform then stops the provider by RPC, so that a running step ends;
	// exiting on the signal would interrupt the step.
	signal.Ignore(syscall.SIGTERM)
	endTraces := startTraces()
	server, stop := provider.NewServer(version, config.Environment)
	if !*debug {
		provider.SetRuntimeDefaults()
		server = provider.EndWithParent(server)
	}

	var opts []tf6server.ServeOpt
	if *debug {
		opts = append(opts, tf6server.WithManagedDebug())
	}
	err := tf6server.Serve(provider.Address, server, opts...)
	stop()
	endTraces()
	if err != nil {
		log.Fatal(err)
	}
}
