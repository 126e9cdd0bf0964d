package config_test

import (
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
)

func TestPassphrase(t *testing.T) {
	t.Parallel()
	const testnet, public = "Test SDF Network ; September 2015", "Public Global Stellar Network ; September 2015"
	for text, c := range map[string]struct{ want, fault string }{
		"testnet":                           {want: testnet},
		" TestNet\n":                        {want: testnet},
		"public":                            {want: public},
		"mainnet":                           {want: public},
		testnet:                             {want: testnet},
		"Our Network":                       {want: "Our Network"},
		"passphrase:ours":                   {want: "ours"},
		"passphrase:a b":                    {want: "a b"},
		"":                                  {fault: "is empty; give testnet"},
		" ":                                 {fault: "is empty"},
		"passphrase:":                       {fault: `is "passphrase:", which is no network`},
		"testnt":                            {fault: `is "testnt", which is no network (did you mean "testnet"?); give testnet, public, futurenet or local, or a passphrase, as passphrase:... if it has no space`},
		"Mainet":                            {fault: `did you mean "mainnet"?`},
		"locla":                             {fault: `did you mean "local"?`},
		"ours":                              {fault: `is "ours", which is no network; give testnet`},
		testnet[1:]:                         {fault: `is almost the passphrase of testnet, "Test SDF Network ; September 2015"; give testnet`},
		public + " ":                        {fault: "is almost the passphrase of public"},
		"passphrase:" + public[1:]:          {fault: "is almost the passphrase of public"},
		"Standalone Network; February 2017": {fault: "is almost the passphrase of local"},
	} {
		got, err := config.Passphrase(text)
		wantError(t, err, c.fault)
		if c.fault == "" && got != c.want {
			t.Errorf("%q: %q", text, got)
		}
	}
}
