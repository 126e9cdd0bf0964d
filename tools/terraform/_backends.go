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

// Init does nothing: these backends need no service discovery.
func Init(*disco.Disco) {}

// Backend returns the constructor of a backend, nil for an unknown name.
func Backend(name string) backend.InitFn { return backends[name] }

// BackendExists reports whether a backend of this name exists.
func BackendExists(name string) bool { return backends[name] != nil }
