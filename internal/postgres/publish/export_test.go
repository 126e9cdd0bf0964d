package publish

import "time"

// WithStatementTimeout returns the same blueprints, whose trials end statements after another time.
func (p *Blueprints) WithStatementTimeout(limit time.Duration) *Blueprints {
	c := *p
	c.statementTimeout = limit
	return &c
}
