package console

import (
	"net/http"
	"sync"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
)

// platformCheckAge is how old a check of the platform may be on the first page: each reads much of the database.
const platformCheckAge = time.Minute

// platformView is the data of the summary of a check of the platform.
type platformView struct {
	dto.PlatformCheck

	CheckedAt time.Time // Zero: a check is running.
}

// First are the first findings.
func (v platformView) First() []dto.PlatformFinding { return v.Findings[:min(3, len(v.Findings))] }

// platformChecks keeps the newest check of the platform, for all people who may see it.
type platformChecks struct {
	mu     sync.Mutex
	newest platformView
}

// recent returns the newest check, if it is not too old.
func (c *platformChecks) recent() (platformView, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.newest, time.Since(c.newest.CheckedAt) < platformCheckAge
}

func (c *platformChecks) keep(v platformView) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.newest = v
}

// checkPlatform checks the platform now. While another check runs, it returns a view without a time.
func (p *page) checkPlatform() (platformView, error) {
	var v platformView
	err := p.api.get(p.ctx(), "/admin/platform/check", nil, &v.PlatformCheck)
	if rejected := problemOf(err); rejected != nil && rejected.Status == http.StatusTooManyRequests {
		return v, nil
	}
	if err != nil {
		return v, err
	}
	v.CheckedAt = time.Now()
	p.console.platformChecks.keep(v)
	return v, nil
}

// todayPlatform shows a summary of a recent check, for those who may check the platform.
func (p *page) todayPlatform() error {
	v, ok := p.console.platformChecks.recent()
	if !ok || !p.may(access.ScopeAdmin) || len(p.who.OnlyMetadata) > 0 { // What others may see, this person may not.
		var err error
		if v, err = p.checkPlatform(); err != nil {
			if rejected := problemOf(err); rejected != nil && rejected.Status == http.StatusNotImplemented {
				p.w.WriteHeader(http.StatusNoContent) // A server without a worker cannot check: the first page has no summary.
				return nil
			}
			return err
		}
	}
	return p.renderFragment("today", "platform", p.view("today", "Platform", v))
}

// platformCheck checks the platform and shows all findings, with the statements for a database administrator.
func (p *page) platformCheck() error {
	v, err := p.checkPlatform()
	if err != nil {
		return err
	}
	return p.renderPart("platform_check", "findings", p.view("platform", "Check of the platform", v))
}
