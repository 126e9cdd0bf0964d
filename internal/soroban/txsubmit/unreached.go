package txsubmit

import "sync"

// unreached are states of the transaction log that the server did not reach within the time
// that one waits for a server that is behind. Its network was reset, or an earlier answer named
// a state that never was. Nobody waits for them again: otherwise each tenant would wait once,
// and each use of an account.
type unreached struct {
	mu        sync.Mutex
	ledger    uint32           // The lowest such ledger; 0: none.
	sequences map[string]int64 // The lowest such sequence number, by account.
}

// addLedger records that the server stayed below a ledger.
func (u *unreached) addLedger(ledger uint32) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.ledger == 0 || ledger < u.ledger {
		u.ledger = ledger
	}
}

// expectedLedger is a ledger of the transaction log if the server may reach it, else 0. latest
// is the server's ledger.
func (u *unreached) expectedLedger(ledger, latest uint32) uint32 {
	u.mu.Lock()
	defer u.mu.Unlock()
	if latest >= u.ledger { // It has reached it after all.
		u.ledger = 0
	}
	if u.ledger > 0 && ledger >= u.ledger {
		return 0
	}
	return ledger
}

// addSequence records that the server's copy of an account stayed below a sequence number.
func (u *unreached) addSequence(address string, sequence int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.sequences == nil {
		u.sequences = map[string]int64{}
	}
	if known, ok := u.sequences[address]; !ok || sequence < known {
		u.sequences[address] = sequence
	}
}

// expectedSequence is an account's sequence number of the transaction log if the server may
// reach it, else 0. current is the server's number.
func (u *unreached) expectedSequence(address string, sequence, current int64) int64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	known, ok := u.sequences[address]
	if ok && current >= known {
		delete(u.sequences, address)
		ok = false
	}
	if ok && sequence >= known {
		return 0
	}
	return sequence
}
