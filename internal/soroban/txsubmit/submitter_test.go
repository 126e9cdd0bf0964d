package txsubmit_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/ledger"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/rpc"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/txsubmit"
)

func TestSubmitter_HidesSecrets(t *testing.T) {
	t.Parallel()
	key := keypair.MustRandom()
	client := rpc.New(rpc.Options{URL: "https://rpc.example/access-key", Passphrase: "p", Clock: clock.System{}, PollInterval: time.Second})
	s, err := txsubmit.New(txsubmit.Settings{Passphrase: "p"}, key, client, ledger.NewReader(client, clock.System{}), clock.System{})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, v := range []any{client, s, s.NewSession(nil, "")} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&out, verb, v)
		}
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(raw)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "v", v)
		slog.New(slog.NewTextHandler(&out, nil)).Info("m", "v", v)
	}
	for _, secret := range []string{key.Seed(), fmt.Sprintf("%x", key.Seed()), "access-key"} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("%q is in %s", secret, out.String())
		}
	}
}
