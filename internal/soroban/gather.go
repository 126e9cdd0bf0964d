package soroban

import (
	"context"
	"sync"

	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
)

// maxKeys is how many entries one getLedgerEntries may ask for.
const maxKeys = 200

// gatherer turns the look-ups of many callers into few calls. What comes while
// a call is under way, or while the next one is put off, goes into the next.
type gatherer struct {
	fetch  func(ctx context.Context, keys []string) (protocol.GetLedgerEntriesResponse, error)
	putOff func(ctx context.Context) error // How long a call waits for company. Nil: while another is under way.

	mu   sync.Mutex
	next *gathering
	busy bool // A call is under way; counts where nothing is put off.
}

// gathering is one call, from its first caller to its answer.
type gathering struct {
	ctx     context.Context //nolint:containedctx // It ends when the last caller has left, not with the first.
	cancel  context.CancelFunc
	keys    map[string]bool
	callers int
	done    chan struct{}

	entries map[string]protocol.LedgerEntryResult
	ledger  uint32
	err     error
}

// entries gives what is there of some keys, by key, and the ledger that it is
// of. keys are at most maxKeys; all of them are of one ledger.
func (g *gatherer) entries(ctx context.Context, keys []string) (map[string]protocol.LedgerEntryResult, uint32, error) {
	c := g.join(ctx, keys)
	defer g.leave(c)
	select {
	case <-c.done:
		return c.entries, c.ledger, c.err
	case <-ctx.Done():
		return nil, 0, stopped(ctx, "read ledger entries", ctx.Err())
	}
}

func (g *gatherer) join(ctx context.Context, keys []string) *gathering {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.next != nil && len(g.next.keys)+len(keys) > maxKeys {
		go g.call(g.next) // It is full, and goes at once.
		g.next = nil
	}
	fresh := g.next == nil
	if fresh {
		g.next = &gathering{keys: map[string]bool{}, done: make(chan struct{})}
		g.next.ctx, g.next.cancel = context.WithCancel(context.WithoutCancel(ctx))
	}
	c := g.next
	c.callers++
	for _, key := range keys {
		c.keys[key] = true
	}
	switch {
	case g.putOff != nil && fresh:
		go g.callLater(c)
	case g.putOff == nil && !g.busy:
		g.busy, g.next = true, nil
		go g.callOn(c)
	}
	return c
}

// leave ends a call that nobody waits for any more.
func (g *gatherer) leave(c *gathering) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c.callers--; c.callers == 0 {
		c.cancel()
		if g.next == c {
			g.next = nil
		}
	}
}

func (g *gatherer) callLater(c *gathering) {
	err := g.putOff(c.ctx)
	g.mu.Lock()
	if g.next == c {
		g.next = nil
		g.mu.Unlock()
		if err != nil {
			c.end(protocol.GetLedgerEntriesResponse{}, err)
			return
		}
		g.call(c)
		return
	}
	g.mu.Unlock() // It was full before its time, or everybody has left.
}

// callOn makes a call, and then those that were gathered meanwhile.
func (g *gatherer) callOn(c *gathering) {
	for c != nil {
		g.call(c)
		g.mu.Lock()
		c, g.next = g.next, nil
		g.busy = c != nil
		g.mu.Unlock()
	}
}

func (g *gatherer) call(c *gathering) {
	keys := make([]string, 0, len(c.keys))
	for key := range c.keys {
		keys = append(keys, key)
	}
	c.end(g.fetch(c.ctx, keys))
}

func (c *gathering) end(got protocol.GetLedgerEntriesResponse, err error) {
	c.entries, c.ledger, c.err = make(map[string]protocol.LedgerEntryResult, len(got.Entries)), got.LatestLedger, err
	for _, entry := range got.Entries {
		c.entries[entry.KeyXDR] = entry
	}
	close(c.done)
}
