package apiclient

import "time"

// SetSilence shortens how long a stream may say nothing.
func (c *Client) SetSilence(d time.Duration) { c.silence = d }
