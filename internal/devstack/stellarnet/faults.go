package stellarnet

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/stellar/go-stellar-sdk/strkey"
	"github.com/stellar/go-stellar-sdk/xdr"
)

// FriendbotMethod is the name under which faults and Calls know the friendbot.
const FriendbotMethod = "friendbot"

// Faults makes a network misbehave on demand, for tests. Faults of the RPC are
// counted: n is how many calls of a method they strike, in the order in which
// they were set; an empty method strikes any. The zero count is no fault.
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

// DropBefore cuts the connection of the next n calls before the server looks at
// them: nothing is accepted, and the client cannot know.
func (f *Faults) DropBefore(method string, n int) {
	f.add(&rpcFault{method: method, remaining: n, kind: dropBefore})
}

// DropAfter cuts the connection of the next n calls once they are done: a sent
// transaction is accepted, and the client cannot know.
func (f *Faults) DropAfter(method string, n int) {
	f.add(&rpcFault{method: method, remaining: n, kind: dropAfter})
}

// Fail answers the next n calls with an HTTP status and without a look at them.
func (f *Faults) Fail(method string, status, n int) {
	f.add(&rpcFault{method: method, remaining: n, kind: failBefore, status: status})
}

// FailAfter answers the next n calls with an HTTP status once they are done, as
// a gateway does that lost patience: a sent transaction is accepted.
func (f *Faults) FailAfter(method string, status, n int) {
	f.add(&rpcFault{method: method, remaining: n, kind: failAfter, status: status})
}

// Delay holds the next n calls for that long, or until the client hangs up.
func (f *Faults) Delay(method string, d time.Duration, n int) {
	f.add(&rpcFault{method: method, remaining: n, kind: delay, delay: d})
}

// TryAgainLater answers the next n well-formed sendTransaction calls so, and
// accepts nothing.
func (f *Faults) TryAgainLater(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tryAgainLater = n
}

// Capacity lets at most n contract transactions into each ledger, those with the
// best inclusion fees, and twice as many into the queue. All in a ledger that had
// no room for others pay what the lowest of them bid. 0 is what the network's
// settings say.
func (f *Faults) Capacity(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.maxContractTxs = uint64(max(0, n))
}

// HoldQueue keeps accepted transactions out of the ledgers that close. Those
// that expire meanwhile are dropped; the others are applied after a release,
// because ledgers while they are held do not count as having left them out.
func (f *Faults) HoldQueue(hold bool) { f.network.queue.setHold(hold) }

// QueueSize is the number of accepted transactions that wait for a ledger.
func (f *Faults) QueueSize() int { return f.network.queue.size() }

// AdvanceClock moves the network's clock: later ledgers close that much later.
// With HoldQueue it expires transactions without waiting for their maxTime. To
// clients whose clock does not move along, their later ones may be too late.
func (f *Faults) AdvanceClock(d time.Duration) { f.network.clockOffset.Add(int64(d)) }

// Lag makes the RPC that many ledgers older than the network, as far as it still
// remembers (256 ledgers at most). Sent transactions are accepted all the same.
func (f *Faults) Lag(ledgers uint32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lagLedgers = min(ledgers, maxVersions-1)
}

// ForgetHistory empties the retention window down to the latest ledger, as an
// RPC has it that was restarted. Transactions before now are NOT_FOUND.
func (f *Faults) ForgetHistory() { f.network.ledger.dropHistory() }

// ExpireContract archives a contract's instance (C...): its TTL is over. The
// code lives on; see ExpireEntry.
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

// ExpireEntry ends the life of one contract data or code entry: a persistent one
// is archived, a temporary one is gone.
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

// Down refuses connections and cuts those that exist. The network goes on.
func (f *Faults) Down() error { return f.network.server.shutdown() }

// Up ends Down on the same port, or fails if somebody has taken it.
func (f *Faults) Up() error { return f.network.server.open(f.network.server.addr) }

// Calls counts the HTTP calls of a method so far, faulty ones included.
func (f *Faults) Calls(method string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[method]
}

// Reset forgets all faults that have not struck yet, ends HoldQueue, Capacity and
// Lag, and starts the counts anew. What faults have done already stays done.
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

// consume counts a call and returns the faults that strike it: any delay, and the
// first of the others.
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
