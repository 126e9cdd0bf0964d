package mailcatcher

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// messageStore is the caught mail, oldest first.
type messageStore struct {
	mu         sync.Mutex
	lastNumber int
	messages   []Message
	changed    chan struct{} // Closed, and replaced, with each message that arrives.
}

func (s *messageStore) add(m Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastNumber++
	m.Number = s.lastNumber
	s.messages = append(s.messages, m)
	if excess := len(s.messages) - MaxMessages; excess > 0 {
		s.messages = slices.Delete(s.messages, 0, excess)
	}
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *messageStore) snapshot() ([]Message, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.messages), s.changed
}

func (s *messageStore) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages = nil
}

// Messages returns the caught mail, oldest first.
func (c *Catcher) Messages() []Message {
	messages, _ := c.store.snapshot()
	return messages
}

// Await waits until there are at least n messages, and returns all. When ctx ends
// before, it returns the cause and the messages so far.
func (c *Catcher) Await(ctx context.Context, n int) ([]Message, error) {
	for {
		messages, changed := c.store.snapshot()
		if len(messages) >= n {
			return messages, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return messages, fmt.Errorf("wait for %d messages, got %d: %w", n, len(messages), context.Cause(ctx))
		}
	}
}

// Reset deletes all mail and ends all faults.
func (c *Catcher) Reset() {
	c.store.clear()
	c.faults.reset()
}
