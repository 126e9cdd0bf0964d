package provider_test

import (
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
)

// ephemeralServer calls the provider as a CLI with a long run does: it renews a login,
// which a CLI does only after minutes.
type ephemeralServer struct {
	t      *testing.T
	server tfprotov6.ProviderServer
	schema *tfprotov6.Schema
}

func (w *testEnv) ephemeralServer(typeName string) *ephemeralServer {
	w.t.Helper()
	server, err := w.factories()["healthcare"]()
	if err != nil {
		w.t.Fatal(err)
	}
	schemas, err := server.GetProviderSchema(w.t.Context(), &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		w.t.Fatal(err)
	}
	s := &ephemeralServer{w.t, server, schemas.EphemeralResourceSchemas[typeName]}
	configured, err := server.ConfigureProvider(w.t.Context(), &tfprotov6.ConfigureProviderRequest{Config: configOf(w.t, schemas.Provider, "", nil)})
	if err != nil {
		w.t.Fatal(err)
	}
	s.assertNoErrors(configured.Diagnostics)
	return s
}

func (s *ephemeralServer) assertNoErrors(diags []*tfprotov6.Diagnostic) {
	s.t.Helper()
	for _, d := range diags {
		s.t.Fatalf("%s: %s", d.Summary, d.Detail)
	}
}
