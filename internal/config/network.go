package config

import (
	"fmt"
	"strings"
	"unicode"
)

type network struct{ name, passphrase, rpcURL string }

// networks are the named networks. The public network has no free RPC server, therefore its
// address must be set.
var networks = []network{
	{"testnet", "Test SDF Network ; September 2015", "https://soroban-testnet.stellar.org"},
	{"public", "Public Global Stellar Network ; September 2015", ""},
	{"futurenet", "Test SDF Future Network ; October 2022", "https://rpc-futurenet.stellar.org"},
	{"local", "Standalone Network ; February 2017", "http://127.0.0.1:8000/rpc"},
}

// networkNamed returns a network by its name, in any case.
func networkNamed(name string) (network, bool) {
	name = strings.ToLower(name)
	if name == "mainnet" {
		name = "public"
	}
	for _, n := range networks {
		if n.name == name {
			return n, true
		}
	}
	return network{}, false
}

// passphrasePrefix begins a passphrase without white space, which would be a name otherwise.
const passphrasePrefix = "passphrase:"

// Passphrase returns the passphrase of a network. A text without white space is a name, and must
// be a known one; any other text, or one after "passphrase:", is a passphrase itself.
func Passphrase(text string) (string, error) {
	if passphrase, isExplicit := strings.CutPrefix(text, passphrasePrefix); isExplicit && passphrase != "" {
		_, _, err := networkOf(passphrase)
		return passphrase, err
	}
	name := strings.TrimSpace(text)
	if n, isKnown := networkNamed(name); isKnown {
		return n.passphrase, nil
	}
	if name == "" {
		return "", fmt.Errorf("is empty; give testnet, public, futurenet, local or a passphrase")
	}
	if !strings.ContainsFunc(name, unicode.IsSpace) {
		return "", fmt.Errorf("is %q, which is no network%s; give testnet, public, futurenet or local, or a passphrase, as %s... if it has no space", text, nearestNetwork(name), passphrasePrefix)
	}
	_, _, err := networkOf(text)
	return text, err
}

// networkOf returns the named network that has a passphrase. It is an error if the passphrase is almost
// that of one: contracts of a network that does not exist have addresses, too.
func networkOf(passphrase string) (n network, found bool, err error) {
	for _, n := range networks {
		switch d := distance(passphrase, n.passphrase); {
		case d == 0:
			return n, true, nil
		case d <= maxDistance:
			return n, false, fmt.Errorf("is %q, which is almost the passphrase of %s, %q; give %s", passphrase, n.name, n.passphrase, n.name)
		}
	}
	return network{}, false, nil
}

// nearestNetwork asks for the known name that a misspelt one may stand for.
func nearestNetwork(name string) string {
	for _, known := range []string{"testnet", "public", "mainnet", "futurenet", "local"} {
		if distance(strings.ToLower(name), known) <= maxDistance {
			return fmt.Sprintf(" (did you mean %q?)", known)
		}
	}
	return ""
}
