package apiclient

import (
	"time"
)

// SetIdleTimeout sets how long a stream may be without data.
func (c *Client) SetIdleTimeout(d time.Duration) { c.idleTimeout = d }
