package provisioning

import (
	"sync"
	"time"
)

// LookPatience is how long somebody who asks for tenants waits for the network to
// tell where their contracts stand.
const LookPatience = 5 * time.Second

// silenceTime is for how long a network that did not answer is not asked again.
const silenceTime = time.Minute

// Silence remembers that the network did not answer. The zero value is of a network
// that does. It may be used by many goroutines.
type Silence struct {
	Clock Clock // Nil: SystemClock.

	mu    sync.Mutex
	until time.Time
}

// Lasts reports whether the network is to be left alone.
func (s *Silence) Lasts() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now().Before(s.until)
}

// Begin notes that the network did not answer: it is left alone for a minute.
func (s *Silence) Begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.until = s.now().Add(silenceTime)
}

func (s *Silence) now() time.Time {
	if s.Clock == nil {
		return SystemClock{}.Now()
	}
	return s.Clock.Now()
}
