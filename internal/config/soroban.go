package config

import (
	"net/http"
	"net/url"
	"strings"
	"time"
)

// The variables of the Stellar network.
const (
	SorobanNetwork        = "SOROBAN_NETWORK"
	SorobanPassphrase     = "SOROBAN_NETWORK_PASSPHRASE"
	SorobanRPCURL         = "SOROBAN_RPC_URL"
	SorobanRPCHeaders     = "SOROBAN_RPC_HEADERS"
	SorobanDeployerSecret = "SOROBAN_CONTRACT_DEPLOYER_SECRET"
	SorobanDeployer       = "SOROBAN_DEPLOYER_ACCOUNT"
	SorobanMaxFee         = "SOROBAN_MAX_FEE"
	SorobanMaxUploadFee   = "SOROBAN_MAX_UPLOAD_FEE"
	SorobanChannels       = "SOROBAN_CHANNELS"
	SorobanAnchorInterval = "SOROBAN_ANCHOR_INTERVAL"
	SorobanLowBalance     = "SOROBAN_LOW_BALANCE"
)

// Soroban has the network of the tenant contracts and the account that deploys them.
type Soroban struct {
	Network         string
	Passphrase      string
	RPCURL          string
	RPCHeaders      http.Header   `json:"-"` // Of each call; secrets.
	DeployerSecret  Secret        // S... seed.
	DeployerAccount string        // G...; empty: the seed's own.
	MaxFee          int64         // Stroops: the maximum cost of a tenant's transaction.
	MaxUploadFee    int64         // Stroops: the maximum cost of uploading the contract's code, once per network.
	Channels        int           // Channel accounts that submit tenants' transactions; 0: the deployer submits them.
	AnchorInterval  time.Duration // Interval for anchoring changed audit chains; 0: only on demand.
	LowBalance      int64         // Stroops: a deployer balance below this is logged as a warning.
}

// The default fee limits in stroops. A tenant's contract costs about 0.1 XLM. The code,
// which all tenants share, costs about 30 XLM once. A limit that suits contracts would
// never allow the upload, therefore the upload has a separate one.
const (
	DefaultMaxFee       = 10_000_000
	DefaultMaxUploadFee = 1_000_000_000
)

// DefaultLowBalance is 100 XLM in stroops: enough for a thousand contracts, or for three
// uploads of the code.
const DefaultLowBalance = 1_000_000_000

// MaxChannels is the maximum number of channel accounts of one deployer; a ledger of the
// public network holds fewer contract transactions than that.
const MaxChannels = 1000

// ReadSoroban reads the settings of the Stellar network.
func ReadSoroban(source Source) (Soroban, error) {
	r := &reader{get: source}
	s := Soroban{
		Network:         strings.ToLower(r.required(SorobanNetwork, "choose testnet, public, futurenet or local")),
		DeployerSecret:  Secret(r.required(SorobanDeployerSecret, "give the secret key (S...) of the account that deploys tenant contracts")),
		DeployerAccount: r.text(SorobanDeployer, ""),
		MaxFee:          r.integer(SorobanMaxFee, DefaultMaxFee, 100, 1_000_000_000_000),
		MaxUploadFee:    r.integer(SorobanMaxUploadFee, DefaultMaxUploadFee, 100, 1_000_000_000_000),
		Channels:        int(r.integer(SorobanChannels, 0, 0, MaxChannels)),
		AnchorInterval:  r.duration(SorobanAnchorInterval, 24*time.Hour),
		LowBalance:      r.integer(SorobanLowBalance, DefaultLowBalance, 0, 1_000_000_000_000_000_000),
	}
	preset, isKnown := networkNamed(s.Network)
	if isKnown {
		s.Network = preset.name
	}
	s.Passphrase = r.text(SorobanPassphrase, preset.passphrase)
	s.RPCURL = r.text(SorobanRPCURL, preset.rpcURL)
	r.checkPassphrase(s, preset, isKnown)
	if s.DeployerSecret != "" && !looksLikeSeed(s.DeployerSecret.Reveal()) {
		r.addError(SorobanDeployerSecret, "is not a secret key; give 56 characters that begin with S (G... is the public address)")
	}
	if s.DeployerAccount != "" && (len(s.DeployerAccount) != 56 || s.DeployerAccount[0] != 'G') {
		// Without the value: who confuses both variables has the secret there.
		r.addError(SorobanDeployer, "is not an account's address; give 56 characters that begin with G, and the secret key in %s", SorobanDeployerSecret)
	}
	r.checkRPCURL(s.RPCURL, s.Network)
	s.RPCHeaders = r.rpcHeaders()
	return s, r.err()
}

// checkPassphrase checks that name and passphrase of the network belong together.
func (r *reader) checkPassphrase(s Soroban, preset network, isKnown bool) {
	other, isOther, err := networkOf(s.Passphrase)
	switch {
	case isKnown && s.Passphrase != preset.passphrase:
		r.addError(SorobanPassphrase, "is %q, but %s is %s, whose passphrase is another; remove %s, or give a network of your own another name in %s",
			s.Passphrase, SorobanNetwork, s.Network, SorobanPassphrase, SorobanNetwork)
	case isKnown || s.Network == "":
	case s.Passphrase == "":
		r.addError(SorobanNetwork, "is %q; choose testnet, public, futurenet or local, or set %s for another network", s.Network, SorobanPassphrase)
	case err != nil:
		r.addError(SorobanPassphrase, "%v as %s, and remove %s", err, SorobanNetwork, SorobanPassphrase)
	case isOther:
		r.addError(SorobanNetwork, "is %q, but %s is that of %s; give %s as %s, and remove %s",
			s.Network, SorobanPassphrase, other.name, other.name, SorobanNetwork, SorobanPassphrase)
	}
}

func (r *reader) checkRPCURL(address, networkName string) {
	u, err := url.Parse(address)
	switch {
	case address == "" && networkName != "":
		r.addError(SorobanRPCURL, "is not set; network %q has no default, give the URL of its JSON-RPC server", networkName)
	case address != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == ""):
		r.addError(SorobanRPCURL, "is not a URL; give it as https://host/path")
	}
}

// looksLikeSeed checks only the format; the deployer verifies the checksum.
func looksLikeSeed(seed string) bool {
	return len(seed) == 56 && seed[0] == 'S' && strings.Trim(seed, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}
