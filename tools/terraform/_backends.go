// Package init registers the backends of the Terraform that tools/terraform.sh
// builds for tests. It takes the place of Terraform's own list, which names parts
// that the released module lacks; such backends are unknown to this CLI.
//
// The file's name has an underscore because it is no part of any module here.
package init

import (
	"github.com/hashicorp/terraform-svchost/disco"

	"github.com/hashicorp/terraform/internal/backend"
	"github.com/hashicorp/terraform/internal/backend/local"
	"github.com/hashicorp/terraform/internal/backend/remote-state/http"
	"github.com/hashicorp/terraform/internal/backend/remote-state/inmem"
)

var backends = map[string]backend.InitFn{
	"local": func() backend.Backend { return local.New() },
	"http":  http.New,
	"inmem": inmem.New,
}

// RemovedBackends is for names that Terraform once had: none matters here.
var RemovedBackends map[string]string

// Init has nothing to ask of the services on the network.
func Init(*disco.Disco) {}

// Backend gives what makes a backend of this name, nil when there is none.
func Backend(name string) backend.InitFn { return backends[name] }

// BackendExists tells whether Backend gives anything.
func BackendExists(name string) bool { return backends[name] != nil }
