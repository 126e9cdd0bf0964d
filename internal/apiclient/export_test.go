package apiclient

import (
	"time"
)

// SetIdleTimeout shortens how long a stream may say nothing.
func (c *Client) SetIdleTimeout(d time.Duration) { c.idleTimeout = d }
