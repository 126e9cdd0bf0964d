package stellarnet

import (
	"context"
	"runtime/debug"
	"time"

	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
)

// unhealthyAfter is the age of the latest ledger after which the RPC reports that it is
// unhealthy.
const unhealthyAfter = 30 * time.Second

func (n *Network) getHealth(context.Context, protocol.GetHealthRequest) (protocol.GetHealthResponse, error) {
	oldest, latest := n.window()
	if age := n.now().Sub(time.Unix(latest.closeTime(), 0)); age > unhealthyAfter {
		return protocol.GetHealthResponse{}, internalError(
			"latency (%s) since last known ledger closed is too high (>%s)", age.Round(time.Second), unhealthyAfter)
	}
	return protocol.GetHealthResponse{
		Status:                "healthy",
		LatestLedger:          latest.seq(),
		LatestLedgerCloseTime: latest.closeTime(),
		OldestLedger:          oldest.seq(),
		OldestLedgerCloseTime: oldest.closeTime(),
		LedgerRetentionWindow: n.opts.Retention,
	}, nil
}

func (n *Network) getNetwork(context.Context, protocol.GetNetworkRequest) (protocol.GetNetworkResponse, error) {
	return protocol.GetNetworkResponse{
		FriendbotURL:    n.FriendbotURL(),
		Passphrase:      n.Passphrase(),
		ProtocolVersion: protocolVersion,
	}, nil
}

func (n *Network) getVersionInfo(
	context.Context, protocol.GetVersionInfoRequest,
) (protocol.GetVersionInfoResponse, error) {
	return protocol.GetVersionInfoResponse{
		Version:            "28.0.0-stellarnet",
		CommitHash:         buildSetting("vcs.revision"),
		BuildTimestamp:     buildSetting("vcs.time"),
		CaptiveCoreVersion: "stellarnet (in-process)",
		ProtocolVersion:    protocolVersion,
	}, nil
}

// buildSetting is a value from this program's build information; "unknown" in tests and
// in builds outside of a repository.
func buildSetting(key string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, setting := range info.Settings {
			if setting.Key == key {
				return setting.Value
			}
		}
	}
	return "unknown"
}

func (n *Network) getLatestLedger(
	context.Context, protocol.GetLatestLedgerRequest,
) (protocol.GetLatestLedgerResponse, error) {
	_, latest := n.window()
	return protocol.GetLatestLedgerResponse{
		Hash:            latest.header.Hash.HexString(),
		ProtocolVersion: uint32(latest.header.Header.LedgerVersion),
		Sequence:        latest.seq(),
		LedgerCloseTime: latest.closeTime(),
		LedgerHeader:    encode(latest.header.Header),
		LedgerMetadata:  encode(n.closeMeta(latest)),
	}, nil
}

// window is what the RPC has ingested so far: everything, unless a fault makes it lag.
func (n *Network) window() (oldest, latest *closedLedger) {
	return n.ledger.window(n.faults.currentLag())
}
