package config_test

import (
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
)

func TestReadSoroban_Channels(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in    map[string]string
		want  config.Soroban // Its last three fields alone.
		fault string
	}{
		"Defaults": {want: config.Soroban{AnchorInterval: 24 * time.Hour, LowBalance: 1_000_000_000}},
		"AllSet": {
			in:   map[string]string{"SOROBAN_CHANNELS": "50", "SOROBAN_ANCHOR_INTERVAL": "90m", "SOROBAN_LOW_BALANCE": "20000000000"},
			want: config.Soroban{Channels: 50, AnchorInterval: 90 * time.Minute, LowBalance: 20_000_000_000},
		},
		"AnchorOnlyOnDemand": {in: map[string]string{"SOROBAN_ANCHOR_INTERVAL": "0"}, want: config.Soroban{LowBalance: 1_000_000_000}},
		"NoWarning":          {in: map[string]string{"SOROBAN_LOW_BALANCE": "0"}, want: config.Soroban{AnchorInterval: 24 * time.Hour}},
		"MostChannels": {
			in:   map[string]string{"SOROBAN_CHANNELS": "1000"},
			want: config.Soroban{Channels: 1000, AnchorInterval: 24 * time.Hour, LowBalance: 1_000_000_000},
		},
		"TooManyChannels":  {in: map[string]string{"SOROBAN_CHANNELS": "1001"}, fault: `SOROBAN_CHANNELS is "1001"; give a whole number from 0 to 1000`},
		"NegativeChannels": {in: map[string]string{"SOROBAN_CHANNELS": "-1"}, fault: `SOROBAN_CHANNELS is "-1"`},
		"BadInterval":      {in: map[string]string{"SOROBAN_ANCHOR_INTERVAL": "daily"}, fault: `SOROBAN_ANCHOR_INTERVAL is "daily"; give hours and minutes, such as`},
		"NegativeInterval": {in: map[string]string{"SOROBAN_ANCHOR_INTERVAL": "-1h"}, fault: "SOROBAN_ANCHOR_INTERVAL"},
		"BalanceInXLM":     {in: map[string]string{"SOROBAN_LOW_BALANCE": "100 XLM"}, fault: `SOROBAN_LOW_BALANCE is "100 XLM"; give a whole number`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base := map[string]string{"SOROBAN_NETWORK": "testnet", "SOROBAN_CONTRACT_DEPLOYER_SECRET": seed}
			got, err := config.ReadSoroban(sourceOf(base).WithOverrides(c.in))
			wantError(t, err, c.fault)
			if c.fault == "" && (got.Channels != c.want.Channels || got.AnchorInterval != c.want.AnchorInterval || got.LowBalance != c.want.LowBalance) {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}
