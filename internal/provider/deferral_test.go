package provider_test

import (
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
	"github.com/stellar/go-stellar-sdk/keypair"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provider"
)

// TestProvider_Deferral: while a setting is unknown, the plan of a resource is deferred, if
// the CLI can do that. No stable CLI can yet, so this calls the protocol.
func TestProvider_Deferral(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		url     any
		allowed bool
		want    bool
	}{
		"UnknownAndAllowed":    {tftypes.UnknownValue, true, true},
		"UnknownAndNotAllowed": {tftypes.UnknownValue, false, false},
		"KnownAndAllowed":      {"postgres://u@127.0.0.1:1/d?connect_timeout=1", true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			environment := map[string]string{
				"SOROBAN_NETWORK": "local", "SOROBAN_RPC_URL": "http://127.0.0.1:1", "SOROBAN_CONTRACT_DEPLOYER_SECRET": keypair.MustRandom().Seed(),
				"MAIL_HOST": "127.0.0.1", "MAIL_FROM": "no-reply@platform.example", "APP_URL": "https://app.platform.example",
			}
			serve, _ := provider.NewServer("test", func(name string) string { return environment[name] })
			server := serve()
			schemas, err := server.GetProviderSchema(t.Context(), &tfprotov6.GetProviderSchemaRequest{})
			if err != nil {
				t.Fatal(err)
			}
			configured, err := server.ConfigureProvider(t.Context(), &tfprotov6.ConfigureProviderRequest{
				Config:             configOf(t, schemas.Provider, "database", map[string]any{"url": c.url}),
				ClientCapabilities: &tfprotov6.ConfigureProviderClientCapabilities{DeferralAllowed: c.allowed},
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range configured.Diagnostics {
				t.Errorf("%s: %s", d.Summary, d.Detail)
			}
			tenants := schemas.ResourceSchemas["healthcare_tenant"]
			kind := tenants.ValueType()
			proposed := configOf(t, tenants, "", map[string]any{"name": "Clinic", "admin_email": "a@b.example", "admin_first_name": "A", "admin_last_name": "B"})
			none, err := tfprotov6.NewDynamicValue(kind, tftypes.NewValue(kind, nil))
			if err != nil {
				t.Fatal(err)
			}
			planned, err := server.PlanResourceChange(t.Context(), &tfprotov6.PlanResourceChangeRequest{
				TypeName: "healthcare_tenant", PriorState: &none, ProposedNewState: proposed, Config: proposed,
				ClientCapabilities: &tfprotov6.PlanResourceChangeClientCapabilities{DeferralAllowed: c.allowed},
			})
			if err != nil {
				t.Fatal(err)
			}
			if got := planned.Deferred != nil && planned.Deferred.Reason == tfprotov6.DeferredReasonProviderConfigUnknown; got != c.want {
				t.Errorf("deferred %v, want %v: %v", got, c.want, planned.Diagnostics)
			}
		})
	}
}

// configOf builds a configuration: all attributes are null but some strings, of the
// object in an attribute or, without one, of the whole.
func configOf(t *testing.T, schema *tfprotov6.Schema, attribute string, values map[string]any) *tfprotov6.DynamicValue {
	t.Helper()
	object := func(kind tftypes.Type, values map[string]any) tftypes.Value {
		of, ok := kind.(tftypes.Object)
		if !ok {
			t.Fatalf("%T", kind)
		}
		attributes := map[string]tftypes.Value{}
		for name, kind := range of.AttributeTypes {
			if nested, ok := values[name].(tftypes.Value); ok {
				attributes[name] = nested
			} else {
				attributes[name] = tftypes.NewValue(kind, values[name])
			}
		}
		return tftypes.NewValue(of, attributes)
	}
	kind := schema.ValueType()
	if of, ok := kind.(tftypes.Object); ok && attribute != "" {
		values = map[string]any{attribute: object(of.AttributeTypes[attribute], values)}
	}
	encoded, err := tfprotov6.NewDynamicValue(kind, object(kind, values))
	if err != nil {
		t.Fatal(err)
	}
	return &encoded
}
