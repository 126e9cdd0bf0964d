package host

import (
	_ "embed"
	"fmt"
)

// The response of the host's default_settings. It is stored in a file, so reading it
// cannot fail and needs no running host; a test compares the two, and rewrites the file
// with -update.
//
//go:embed settings.bin
var defaultSettings []byte

// DefaultConfigSettings returns the ConfigSetting LedgerEntries, XDR each, of a network
// modelled on the public one: its lifetimes, the limits and fees of SLP-4, and the host's
// own cost parameters. It has all entries that a LookupFunc must return for
// CONFIG_SETTING keys: for simulation, for fees and for clients that read the settings.
//
// The host reads these of them on every call: compute, ledger cost and its
// extension, historical data, events, bandwidth, both cost parameter lists,
// state archival, and the state size window, from which the price of rent comes.
func DefaultConfigSettings() [][]byte {
	d := &decoder{b: append([]byte(nil), defaultSettings...)}
	entries := d.list()
	if err := d.finish(); err != nil {
		panic(fmt.Sprintf("settings.bin: %v", err))
	}
	return entries
}
