package txsubmit

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"
	"github.com/stellar/go-stellar-sdk/keypair"
	"golang.org/x/sync/semaphore"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/rpc"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// channelDomain separates channel keys from everything else that is derived from the
// deployer's seed. It is part of every channel's address and never changes.
const channelDomain = "healthcare-platform/channel-account/v1"

// channelAccounts are the keys of a deployer's channels, and the state of their accounts
// that this process knows.
type channelAccounts struct {
	seed        string              // Of the deployer's key.
	reconciling *semaphore.Weighted // Held by the one caller that creates the channels.
	ready       atomic.Bool         // All channels are known to exist.

	mu   sync.Mutex
	keys map[uuid.UUID][]*keypair.Full // By registry. Created on first use.
}

// ensureChannels creates the missing channels, once per process.
func (s *Submitter) ensureChannels(ctx context.Context, txLog txlog.Log) error {
	if s.channels.ready.Load() {
		return nil
	}
	// One caller at a time: the others find the channels created.
	if err := s.channels.reconciling.Acquire(ctx, 1); err != nil {
		return rpc.ContextError(ctx, "create channel accounts", err)
	}
	defer s.channels.reconciling.Release(1)
	if s.channels.ready.Load() {
		return nil
	}
	known, err := txLog.Channels(ctx, s.networkID, s.Signer())
	if err != nil {
		return err
	}
	ours := 0
	for _, c := range known {
		if c.Index < s.settings.Channels {
			ours++
		}
	}
	if ours < s.settings.Channels {
		_, err := s.ReconcileChannels(ctx, txLog)
		switch {
		case err != nil && ours > 0 && errs.KindOf(err) == errs.KindPermanent:
			return nil // The existing channels are enough until the deployer can pay for more.
		case err != nil:
			return err
		}
	}
	s.channels.ready.Store(true)
	return nil
}

// channelKey returns the key of one of the registry's channels.
func (s *Session) channelKey(ctx context.Context, index int) (*keypair.Full, error) {
	registry, err := s.txLog.RegistryID(ctx)
	if err != nil {
		return nil, err
	}
	return s.channels.key(registry, index)
}

// key derives the key of a channel from the deployer's seed, so no other secret has to be
// stored, and from the registry: two registries with one deployer do not know of each
// other's leases, so they must not share an account's sequence numbers.
func (c *channelAccounts) key(registry uuid.UUID, index int) (*keypair.Full, error) {
	if index < 0 || index >= MaxChannels {
		return nil, brokenField(nil, "stellar_accounts.channel", strconv.Itoa(index), fmt.Sprintf("between 0 and %d", MaxChannels-1))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	keys := c.keys[registry]
	for i := len(keys); i <= index; i++ {
		mac := hmac.New(sha256.New, []byte(c.seed))
		mac.Write([]byte(channelDomain))
		mac.Write(registry[:])
		mac.Write(binary.BigEndian.AppendUint32(nil, uint32(i))) //nolint:gosec // at most MaxChannels
		key, err := keypair.FromRawSeed([32]byte(mac.Sum(nil)))
		if err != nil {
			return nil, errs.Wrap(err, errs.KindPermanent, "derive channel key", "the key of a channel account cannot be derived")
		}
		keys = append(keys, key)
	}
	c.keys[registry] = keys
	return keys[index], nil
}
