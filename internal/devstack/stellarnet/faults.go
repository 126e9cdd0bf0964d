package stellarnet

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/stellar/go-stellar-sdk/strkey"
	"github.com/stellar/go-stellar-sdk/xdr"
)

// FriendbotMethod is the method name of the friendbot in faults and Calls.
const FriendbotMethod = "friendbot"

// Faults makes a network misbehave on demand, for tests. Faults of the RPC are counted:
// n is how many calls of a method fail, in the order in which the faults were set; an
// empty method means any. A zero count is no fault.
type Faults struct {
	network *Network

	mu             sync.Mutex
	rpcFaults      []*rpcFault
	calls          map[string]int
	tryAgainLater  int
	lagLedgers     uint32
	maxContractTxs uint64
}

func newFaults(n *Network) *Faults { return &Faults{network: n, calls: map[string]int{}} }

// DropBefore closes the connection of the next n calls before the server reads them:
// nothing is accepted, and the client cannot know.
func (f *Faults) DropBefore(method string, n int) {
	f.add(&rpcFault{method: method, remaining: n, kind: dropBefore})
}

// DropAfter closes the connection of the next n calls after they are done: a sent
// transaction is accepted, and the client cannot know.
func (f *Faults) DropAfter(method string, n int) {
	f.add(&rpcFault{method: method, remaining: n, kind: dropAfter})
}

// Fail answers the next n calls with an HTTP status without handling them.
func (f *Faults) Fail(method string, status, n int) {
	f.add(&rpcFault{method: method, remaining: n, kind: failBefore, status: status})
}

// FailAfter answers the next n calls with an HTTP status after they are done, like a
// gateway after a timeout: a sent transaction is accepted.
func (f *Faults) FailAfter(method string, status, n int) {
	f.add(&rpcFault{method: method, remaining: n, kind: failAfter, status: status})
}

// Delay delays the next n calls by that time, or until the client disconnects.
func (f *Faults) Delay(method string, d time.Duration, n int) {
	f.add(&rpcFault{method: method, remaining: n, kind: delay, delay: d})
}

// TryAgainLater answers the next n well-formed sendTransaction calls with that status,
// and accepts nothing.
func (f *Faults) TryAgainLater(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tryAgainLater = n
}

// Capacity allows at most n contract transactions in each ledger, those with the best
// inclusion fees, and twice as many in the queue. In a ledger without room for all,
// every transaction pays the lowest included bid. 0 restores the network's settings.
func (f *Faults) Capacity(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.maxContractTxs = uint64(max(0, n))
}

// HoldQueue keeps accepted transactions out of the ledgers that close. Those that expire
// meanwhile are dropped; the others are applied after the release, because ledgers
// closed meanwhile do not count as having left them out.
func (f *Faults) HoldQueue(hold bool) { f.network.queue.setHold(hold) }

// QueueSize is the number of queued transactions.
func (f *Faults) QueueSize() int { return f.network.queue.size() }

// AdvanceClock moves the network's clock forward: later ledgers close that much later.
// With HoldQueue it expires transactions without waiting for their maxTime. Later
// transactions of clients with an unchanged clock may be too late.
func (f *Faults) AdvanceClock(d time.Duration) { f.network.clockOffset.Add(int64(d)) }

// Lag makes the RPC that many ledgers older than the network, limited by its history
// (256 ledgers at most). Sent transactions are accepted all the same.
func (f *Faults) Lag(ledgers uint32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lagLedgers = min(ledgers, maxVersions-1)
}

// ForgetHistory reduces the retention window to the latest ledger, as after a restart of
// an RPC. Earlier transactions are NOT_FOUND.
func (f *Faults) ForgetHistory() { f.network.ledger.dropHistory() }

// ExpireContract archives a contract's instance (C...): its TTL has ended. The code
// stays live; see ExpireEntry.
func (f *Faults) ExpireContract(contract string) error {
	raw, err := strkey.Decode(strkey.VersionByteContract, contract)
	if err != nil {
		return fmt.Errorf("expire contract %q: %w", contract, err)
	}
	if err := f.ExpireEntry(instanceKey(xdr.ContractId(raw))); err != nil {
		return fmt.Errorf("expire contract %q: %w", contract, err)
	}
	return nil
}

// ExpireEntry ends the lifetime of one contract data or code entry: a persistent one is
// archived, a temporary one is deleted.
func (f *Faults) ExpireEntry(key xdr.LedgerKey) error {
	if !hasTTL(key) {
		return fmt.Errorf("entries of type %s have no TTL", key.Type)
	}
	if !f.network.ledger.modifyEntry(keyOf(key), func(r entryState, seq uint32) entryState {
		r.liveUntil, r.ttlSetAt = seq-1, seq
		return r
	}) {
		return errors.New("there is no such entry")
	}
	return nil
}

// Down refuses connections and closes existing ones. The network keeps running.
func (f *Faults) Down() error { return f.network.server.shutdown() }

// Up ends Down on the same port, or fails if another process uses it for a second: one that this
// process starts has a copy of the closed socket until it executes its program.
func (f *Faults) Up() (err error) {
	for range 100 {
		if err = f.network.server.open(f.network.server.addr); !errors.Is(err, syscall.EADDRINUSE) {
			return err
		}
		time.Sleep(10 * time.Millisecond) // Nothing tells when the other process executes its program.
	}
	return err
}

// Calls returns the number of HTTP calls of a method so far, failed ones included.
func (f *Faults) Calls(method string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[method]
}

// Reset removes all pending faults, ends HoldQueue, Capacity and Lag, and resets the
// counts. Effects of earlier faults stay.
func (f *Faults) Reset() {
	f.mu.Lock()
	f.rpcFaults, f.tryAgainLater, f.lagLedgers, f.maxContractTxs = nil, 0, 0, 0
	f.calls = map[string]int{}
	f.mu.Unlock()
	f.HoldQueue(false)
}

func (f *Faults) add(fault *rpcFault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if fault.status == 0 {
		fault.status = http.StatusServiceUnavailable
	}
	f.rpcFaults = append(f.rpcFaults, fault)
}

func (f *Faults) consumeTryAgainLater() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.tryAgainLater <= 0 {
		return false
	}
	f.tryAgainLater--
	return true
}

func (f *Faults) capacity() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.maxContractTxs
}

func (f *Faults) currentLag() uint32 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lagLedgers
}

// consume counts a call and returns its faults: any delay, and the first of the others.
func (f *Faults) consume(methods []string) (wait time.Duration, struck *rpcFault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, method := range methods {
		f.calls[method]++
	}
	for _, fault := range f.rpcFaults {
		if fault.remaining <= 0 || fault.method != "" && !slices.Contains(methods, fault.method) {
			continue
		}
		if fault.kind == delay {
			wait += fault.delay
			fault.remaining--
		} else if struck == nil {
			struck = fault
			fault.remaining--
		}
	}
	return wait, struck
}
