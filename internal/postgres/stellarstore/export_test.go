package stellarstore

import "time"

// DisablePolling makes callers that wait for an account of this store poll only hourly.
func DisablePolling(s *Transactions) { s.queues.pause = time.Hour }

// WaitQueues is the number of wait queues of this store.
func WaitQueues(s *Transactions) int {
	s.queues.mu.Lock()
	defer s.queues.mu.Unlock()
	return len(s.queues.all)
}
