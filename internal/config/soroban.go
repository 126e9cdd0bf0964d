package config

import (
	"net/url"
	"strings"
	"time"
)

// The variables of the Stellar network.
const (
	SorobanNetwork        = "SOROBAN_NETWORK"
	SorobanPassphrase     = "SOROBAN_NETWORK_PASSPHRASE"
	SorobanRPCURL         = "SOROBAN_RPC_URL"
	SorobanDeployerSecret = "SOROBAN_CONTRACT_DEPLOYER_SECRET"
	SorobanMaxFee         = "SOROBAN_MAX_FEE"
	SorobanMaxUploadFee   = "SOROBAN_MAX_UPLOAD_FEE"
	SorobanChannels       = "SOROBAN_CHANNELS"
	SorobanAnchorInterval = "SOROBAN_ANCHOR_INTERVAL"
	SorobanLowBalance     = "SOROBAN_LOW_BALANCE"
)

// Soroban is the network on which tenant contracts live, and who deploys them.
type Soroban struct {
	Network        string
	Passphrase     string
	RPCURL         string
	DeployerSecret Secret        // S... seed.
	MaxFee         int64         // Stroops: the most that a tenant's transaction may cost.
	MaxUploadFee   int64         // Stroops: the most that the contract's code may cost, once per network.
	Channels       int           // Accounts that carry tenants' transactions; 0: the deployer does.
	AnchorInterval time.Duration // How often a changed audit chain is anchored; 0: on demand alone.
	LowBalance     int64         // Stroops: below that the deployer's balance is worth a warning.
}

// The default fee ceilings in stroops. A tenant's contract costs about 0.1 XLM.
// Its code, which all tenants share, costs some 30 XLM once, and would never be
// uploaded under a ceiling that protects well otherwise; so it has its own.
const (
	DefaultMaxFee       = 10_000_000
	DefaultMaxUploadFee = 1_000_000_000
)

// DefaultLowBalance is 100 XLM in stroops: a thousand contracts, or the code three times.
const DefaultLowBalance = 1_000_000_000

// MaxChannels is the most channel accounts of one deployer; a ledger of the public
// network takes fewer contract transactions than that.
const MaxChannels = 1000

type network struct{ passphrase, rpcURL string }

// networks are those that have a name. The public one has no RPC server for
// everybody, so its address must be given.
var networks = map[string]network{
	"public":    {"Public Global Stellar Network ; September 2015", ""},
	"testnet":   {"Test SDF Network ; September 2015", "https://soroban-testnet.stellar.org"},
	"futurenet": {"Test SDF Future Network ; October 2022", "https://rpc-futurenet.stellar.org"},
	"local":     {"Standalone Network ; February 2017", "http://127.0.0.1:8000/rpc"},
}

// ReadSoroban reads the settings of the Stellar network.
func ReadSoroban(source Source) (Soroban, error) {
	r := &reader{get: source}
	s := Soroban{
		Network:        strings.ToLower(r.required(SorobanNetwork, "choose testnet, public, futurenet or local")),
		DeployerSecret: Secret(r.required(SorobanDeployerSecret, "give the secret key (S...) of the account that deploys tenant contracts")),
		MaxFee:         r.integer(SorobanMaxFee, DefaultMaxFee, 100, 1_000_000_000_000),
		MaxUploadFee:   r.integer(SorobanMaxUploadFee, DefaultMaxUploadFee, 100, 1_000_000_000_000),
		Channels:       int(r.integer(SorobanChannels, 0, 0, MaxChannels)),
		AnchorInterval: r.duration(SorobanAnchorInterval, 24*time.Hour),
		LowBalance:     r.integer(SorobanLowBalance, DefaultLowBalance, 0, 1_000_000_000_000_000_000),
	}
	if s.Network == "mainnet" {
		s.Network = "public"
	}
	preset, isKnown := networks[s.Network]
	s.Passphrase = r.text(SorobanPassphrase, preset.passphrase)
	s.RPCURL = r.text(SorobanRPCURL, preset.rpcURL)
	if s.Network != "" && !isKnown && s.Passphrase == "" {
		r.addError(SorobanNetwork, "is %q, which is none of testnet, public, futurenet and local; give SOROBAN_NETWORK_PASSPHRASE with it", s.Network)
	}
	if s.DeployerSecret != "" && !looksLikeSeed(s.DeployerSecret.Reveal()) {
		r.addError(SorobanDeployerSecret, "is no secret key; give the one of 56 characters that begins with S (G... is the public address)")
	}
	r.checkRPCURL(s.RPCURL, s.Network)
	return s, r.err()
}

func (r *reader) checkRPCURL(address, networkName string) {
	u, err := url.Parse(address)
	switch {
	case address == "" && networkName != "":
		r.addError(SorobanRPCURL, "is not set; network %q has no default, give the URL of its JSON-RPC server", networkName)
	case address != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == ""):
		r.addError(SorobanRPCURL, "is no URL; give it as https://host/path")
	}
}

// looksLikeSeed checks the form alone; the deployer checks the checksum.
func looksLikeSeed(seed string) bool {
	return len(seed) == 56 && seed[0] == 'S' && strings.Trim(seed, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}

// Passphrase gives the passphrase of a network that has a name; anything else is
// taken for a passphrase itself.
func Passphrase(network string) string {
	name := strings.ToLower(network)
	if name == "mainnet" {
		name = "public"
	}
	if preset, isKnown := networks[name]; isKnown {
		return preset.passphrase
	}
	return network
}
