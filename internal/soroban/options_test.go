package soroban_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stellar/go-stellar-sdk/keypair"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban"
)

func TestNew_RejectsInvalidOptions(t *testing.T) {
	t.Parallel()
	key := keypair.MustRandom()
	for name, c := range map[string]struct {
		change func(*soroban.Options)
		word   string
	}{
		"NoPassphrase":     {func(o *soroban.Options) { o.Passphrase = "" }, "SOROBAN_NETWORK_PASSPHRASE"},
		"NoURL":            {func(o *soroban.Options) { o.RPCURL = "" }, "SOROBAN_RPC_URL"},
		"OtherScheme":      {func(o *soroban.Options) { o.RPCURL = "ftp://key:secret@host" }, "SOROBAN_RPC_URL"},
		"NoSecret":         {func(o *soroban.Options) { o.DeployerSecret = "" }, "SOROBAN_CONTRACT_DEPLOYER_SECRET"},
		"Address":          {func(o *soroban.Options) { o.DeployerSecret = key.Address() }, "SOROBAN_CONTRACT_DEPLOYER_SECRET"},
		"WrongChecksum":    {func(o *soroban.Options) { o.DeployerSecret = key.Seed()[:55] + "~" }, "SOROBAN_CONTRACT_DEPLOYER_SECRET"},
		"FeeBelowMinimum":  {func(o *soroban.Options) { o.MaxFee = 99 }, "SOROBAN_MAX_FEE"},
		"NegativeUpload":   {func(o *soroban.Options) { o.MaxUploadFee = -1 }, "SOROBAN_MAX_UPLOAD_FEE"},
		"NegativeInterval": {func(o *soroban.Options) { o.PollInterval = -time.Second }, "PollInterval"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := soroban.Options{Passphrase: "p", RPCURL: "https://rpc.example/key", DeployerSecret: key.Seed()}
			c.change(&o)
			_, err := soroban.New(o)
			wantKind(t, err, errs.KindInvalid)
			if !strings.Contains(errs.SafeMessage(err), c.word) {
				t.Errorf("%v", err)
			}
			if text := fmt.Sprintf("%+v", err); strings.Contains(text, key.Seed()[:55]) || strings.Contains(text, "key:secret") {
				t.Errorf("contains secrets: %s", text)
			}
		})
	}
}

func TestDeployer_HidesSecrets(t *testing.T) {
	t.Parallel()
	key := keypair.MustRandom()
	o := soroban.Options{Passphrase: "p", RPCURL: "https://rpc.example/access-key", DeployerSecret: key.Seed()}
	d, err := soroban.New(o)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, v := range []any{o, &o, d, []any{o, d}, struct {
		O soroban.Options
		D *soroban.Deployer
	}{o, d}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&out, verb, v)
		}
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(raw)
	}
	slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "o", o, "d", d)
	slog.New(slog.NewTextHandler(&out, nil)).Info("m", "o", o, "d", d)
	for _, secret := range []string{key.Seed(), fmt.Sprintf("%x", key.Seed()), "access-key"} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("%q is in %s", secret, out.String())
		}
	}
}

func TestContractID(t *testing.T) {
	t.Parallel()
	// This never changes: otherwise existing contracts could not be found.
	const (
		deployer = "GAAZI4TCR3TY5OJHCTJC2A4QSY6CJWJH5IAJTGKIN2ER7LBNVKOCCWN7"
		want     = "CBQ7A2BFIAZU4JTIWMGV2WVDBMVCWLSBDH6Z4A2S2GTYSFPQIATKJJO6"
	)
	tenant := uuid.MustParse("01890a5d-ac96-774b-bcce-b302099a8057")
	got, err := soroban.ContractID("Test SDF Network ; September 2015", deployer, tenant)
	if err != nil || got != want {
		t.Errorf("%q, %v", got, err)
	}

	t.Run("DependsOnAllInputs", func(t *testing.T) {
		t.Parallel()
		seen := map[string]bool{got: true}
		for _, c := range []struct {
			passphrase, deployer string
			tenant               uuid.UUID
		}{
			{"Public Global Stellar Network ; September 2015", deployer, tenant},
			{"Test SDF Network ; September 2015", keypair.MustRandom().Address(), tenant},
			{"Test SDF Network ; September 2015", deployer, uuid.Nil},
		} {
			id, err := soroban.ContractID(c.passphrase, c.deployer, c.tenant)
			if err != nil || seen[id] {
				t.Errorf("%q, %v", id, err)
			}
			seen[id] = true
		}
	})

	t.Run("RefusesInvalidAccount", func(t *testing.T) {
		t.Parallel()
		_, err := soroban.ContractID("p", "GABC", tenant)
		wantKind(t, err, errs.KindInvalid)
	})

	t.Run("SaltAndTenantHashDiffer", func(t *testing.T) {
		t.Parallel()
		if soroban.Salt(tenant) == soroban.TenantHash(tenant) {
			t.Error("salt and tenant hash are the same")
		}
	})
}
