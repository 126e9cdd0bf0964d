package console

import (
	"net/http"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/problem"
)

// platformPage is the data of the page of the platform.
type platformPage struct {
	readinessView
	trailView

	Registry *dto.Registry
	Problem  *problem.Problem // Of the trail: the person may not see it.
}

// platform shows readiness, registry and the platform's own audit log.
func (p *page) platform() error {
	var v platformPage
	readiness := apiCall{method: http.MethodGet, path: "/readyz", accepted: http.StatusServiceUnavailable} // With what is not ready.
	if err := p.api.do(p.ctx(), readiness, &v.readinessView); err != nil && problemOf(err) == nil {
		return err
	}
	var registry dto.Registry
	switch err := p.api.get(p.ctx(), "/admin/registry", nil, &registry); {
	case err == nil:
		v.Registry = &registry
	case problemOf(err) == nil || problemOf(err).Status == http.StatusUnauthorized:
		return err
	}
	var err error
	if v.trailView, err = p.readTrail("/admin/audit"); err != nil {
		if v.Problem = problemOf(err); v.Problem == nil {
			return err
		}
	}
	return p.render("platform", http.StatusOK, p.view("platform", "Platform", v))
}

// registryVerification verifies the registry itself.
func (p *page) registryVerification() error {
	var report dto.Verification
	if err := p.api.get(p.ctx(), "/admin/registry/verify", nil, &report); err != nil {
		return err
	}
	return p.renderPart("registry_verification", "verified", p.view("platform", "Verification of the registry", report))
}
