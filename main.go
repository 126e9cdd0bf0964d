// Command terraform-provider-healthcare is the Terraform provider "healthcare".
// Terraform starts it; it is of no use by itself.
package main

import (
	"flag"
	"log"
	"os/signal"
	"syscall"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provider"
)

// version is set by the release build.
var version = "dev"

func main() {
	debug := flag.Bool("debug", false, "wait for a debugger and print how Terraform can attach to this process")
	flag.Parse()

	// A supervisor that stops a whole process group sends SIGTERM to the provider
	// too. Terraform then asks for the stop in its own way, which lets a running
	// step end; dying here would leave it half way.
	signal.Ignore(syscall.SIGTERM)
	if !*debug {
		provider.SetRuntimeDefaults()
	}

	var opts []tf6server.ServeOpt
	if *debug {
		opts = append(opts, tf6server.WithManagedDebug())
	}
	if err := tf6server.Serve(provider.Address, provider.NewServer(version, config.Environment), opts...); err != nil {
		log.Fatal(err)
	}
}
