package soroban

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/strkey"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/contract"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/txsubmit"
)

const (
	// defaultMaxFee is the ceiling for a tenant's transaction in stroops: 1 XLM.
	defaultMaxFee = 10_000_000
	// defaultMaxUploadFee is the ceiling for the upload of the code: 100 XLM.
	defaultMaxUploadFee = 1_000_000_000
	// defaultPollInterval is the pause between two polls.
	defaultPollInterval = 500 * time.Millisecond
)

// Options configure the network, the deploying account and the fee limits.
type Options struct {
	// Passphrase identifies the network; signatures and addresses depend on it.
	Passphrase string
	// RPCURL is the URL of the network's JSON-RPC. It can hold an access key, so no
	// message contains it.
	RPCURL string `json:"-"`
	// RPCHeaders are sent with each call to it.
	RPCHeaders http.Header `json:"-"`
	// Secrets are replaced in what the server returns as text, which may quote its URL.
	Secrets []string `json:"-"`
	// DeployerSecret is the seed (S...) of the account that owns the contracts.
	DeployerSecret string `json:"-"`
	// DeployerAccount is the address (G...) of that account, if the seed is that of another
	// signer of it. Default: the seed's own.
	DeployerAccount string
	// MaxFee is the most that a tenant's transaction may cost, in stroops, inclusion and
	// resources together; at least txsubmit.MinFee. Default: 1 XLM.
	MaxFee int64
	// MaxUploadFee is the same for uploading the code, once per network, and for
	// restoring it. Default: 100 XLM.
	MaxUploadFee int64
	// Channels is how many channel accounts send tenants' transactions, at most
	// txsubmit.MaxChannels; one ledger can have that many. 0: the deployer's account sends
	// them, one per ledger. The deployer creates and funds the channels on first use.
	Channels int
	// Code is the contract's code. Default: the release in this program.
	Code Code
	// HTTPClient makes the calls. It should have a Timeout: a call without one can hang
	// until ctx ends. Default: one with a timeout of 15 seconds.
	HTTPClient *http.Client
	// Clock is only for pauses; the network's time decides what has expired. Default:
	// clock.System.
	Clock clock.Clock
	// PollInterval is the mean pause between two polls of a transaction. Default:
	// half a second; negative is refused.
	PollInterval time.Duration
}

// Code is a release of the tenant contract.
type Code struct {
	Wasm []byte
	// Predecessors are the hashes of earlier releases. A contract that runs one of them
	// is valid and can be upgraded.
	Predecessors [][32]byte
}

func (o Options) withDefaults() Options {
	if len(o.Code.Wasm) == 0 {
		o.Code = Code{Wasm: contract.Wasm(), Predecessors: contract.Predecessors()}
	}
	if o.MaxFee == 0 {
		o.MaxFee = defaultMaxFee
	}
	if o.MaxUploadFee == 0 {
		o.MaxUploadFee = defaultMaxUploadFee
	}
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	if o.PollInterval == 0 {
		o.PollInterval = defaultPollInterval
	}
	return o
}

// validate names the variable first, then the rule. It never quotes a value: the seed is
// a secret, and the URL may hold one.
func (o Options) validate() (*keypair.Full, error) {
	invalid := func(format string, args ...any) error {
		return errs.Errorf(errs.KindInvalid, "configure soroban", format, args...)
	}
	if o.Passphrase == "" {
		return nil, invalid("SOROBAN_NETWORK_PASSPHRASE is empty; choose a network with SOROBAN_NETWORK or give its passphrase")
	}
	u, err := url.Parse(o.RPCURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, invalid("SOROBAN_RPC_URL is not a URL; give it as https://host/path")
	}
	if o.DeployerSecret == "" {
		return nil, invalid("SOROBAN_CONTRACT_DEPLOYER_SECRET is not set; give the secret key (S...) of the account that deploys tenant contracts")
	}
	signer, err := keypair.ParseFull(o.DeployerSecret)
	if err != nil {
		return nil, invalid("SOROBAN_CONTRACT_DEPLOYER_SECRET is not a secret key; one has 56 characters, begins with S and ends with a checksum")
	}
	if o.DeployerAccount != "" && !strkey.IsValidEd25519PublicKey(o.DeployerAccount) {
		return nil, invalid("SOROBAN_DEPLOYER_ACCOUNT is not an account; one has 56 characters, begins with G and ends with a checksum")
	}
	if o.MaxFee < txsubmit.MinFee {
		return nil, invalid("SOROBAN_MAX_FEE must be at least %d stroops", txsubmit.MinFee)
	}
	if o.MaxUploadFee < txsubmit.MinFee {
		return nil, invalid("SOROBAN_MAX_UPLOAD_FEE must be at least %d stroops", txsubmit.MinFee)
	}
	if o.Channels < 0 || o.Channels > txsubmit.MaxChannels {
		return nil, invalid("SOROBAN_CHANNELS must be between 0 and %d", txsubmit.MaxChannels)
	}
	if o.PollInterval < 0 {
		return nil, invalid("PollInterval must not be negative")
	}
	return signer, nil
}

// Format prints no values: the seed and the URL must not be printed.
func (Options) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("soroban.Options(secret)")) }

// LogValue keeps the values from package slog.
func (Options) LogValue() slog.Value { return slog.StringValue("soroban.Options(secret)") }
