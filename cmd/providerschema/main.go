// Command providerschema writes the provider's schema, as "terraform providers
// schema -json" would, for the generator of docs/.
//
// It calls the provider through the plugin protocol, in this process, so the result
// does not depend on the installed CLI: a CLI without support for actions and list
// resources would omit them, and their pages. A test compares the result with the
// output of real CLIs.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provider"
)

// shortName is the provider name that the generator expects.
const shortName = "healthcare"

func main() {
	if err := writeSchemas(); err != nil {
		fmt.Fprintln(os.Stderr, "providerschema:", err)
		os.Exit(1)
	}
}

func writeSchemas() error {
	all, err := readSchemas(context.Background())
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", "  ")
	return encoder.Encode(map[string]any{"format_version": "1.0", "provider_schemas": map[string]any{shortName: all}})
}

// readSchemas reads all schemas of the provider.
func readSchemas(ctx context.Context) (*schemas, error) {
	server, err := providerserver.NewProtocol6WithError(provider.New("docs", config.Environment)())()
	if err != nil {
		return nil, err
	}
	schema, err := server.GetProviderSchema(ctx, &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		return nil, err
	}
	identities, err := server.GetResourceIdentitySchemas(ctx, &tfprotov6.GetResourceIdentitySchemasRequest{})
	if err != nil {
		return nil, err
	}
	for _, d := range append(schema.Diagnostics, identities.Diagnostics...) {
		return nil, fmt.Errorf("%s: %s", d.Summary, d.Detail)
	}
	return schemasFrom(schema, identities), nil
}
