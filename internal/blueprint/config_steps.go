package blueprint

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

func (o object) steps(b *Blueprint) {
	v, ok := o.fields["steps"]
	if !ok {
		return
	}
	names := map[string]bool{}
	for _, item := range o.doc.list(v, MaxSteps) {
		s, ok := o.doc.object(item, "steps[]")
		if !ok {
			continue
		}
		step := s.step()
		if names[step.Name] && step.Name != "" {
			o.doc.problem(item, "has the name %q, as a step before it; choose another", step.Name)
		}
		names[step.Name] = true
		b.Steps = append(b.Steps, step)
	}
}

func (o object) step() Step {
	o.require("name", "after", "webhook")
	step := Step{
		Name:     o.field("name", "", checkStepName),
		After:    o.field("after", "", oneOf(string(tenant.StepStoreContractAddress), string(tenant.StepSeedRolesAndUser))),
		Database: StepDatabase(o.field("database", string(StepDatabaseNone), oneOf(string(StepDatabaseNone), string(StepDatabaseTenant)))),
	}
	if v, ok := o.fields["webhook"]; ok {
		if e, ok := o.doc.object(v, "steps[].webhook"); ok {
			e.require("secret")
			step.Webhook = e.endpoint(Endpoint{Timeout: defaultTimeout, Deadline: defaultDeadline})
			if step.Database == StepDatabaseTenant && strings.HasPrefix(strings.ToLower(step.Webhook.URL), "http:") {
				o.doc.problem(e.fields["url"], "has the scheme http; a login for the database is sent, write https")
			}
		}
	}
	if v, ok := o.fields["undo"]; ok {
		if e, ok := o.doc.object(v, "steps[].undo"); ok {
			undo := e.endpoint(step.Webhook) // What it leaves out is as in the webhook.
			step.Undo = &undo
		}
	}
	return step
}

func checkStepName(s string) error {
	if !stepName.MatchString(s) {
		return fmt.Errorf("is %q; write 3 to 63 capital letters, digits and _, the first a letter", shorten(s))
	}
	if slices.Contains(tenant.Steps(), tenant.Step(s)) {
		return fmt.Errorf("is %q, a step of the product; choose another", s)
	}
	return nil
}

// endpoint reads where requests go. Without a key it has the default's value, except the URL.
func (o object) endpoint(defaults Endpoint) Endpoint {
	o.require("url")
	return Endpoint{
		URL:      o.field("url", "", checkURL),
		Secret:   o.field("secret", defaults.Secret, checkSecret),
		Timeout:  o.duration("timeout", defaults.Timeout, minTimeout, maxTimeout),
		Deadline: o.duration("deadline", defaults.Deadline, minDeadline, maxDeadline),
	}
}

func (o object) duration(key string, fallback, least, most time.Duration) time.Duration {
	d, err := time.ParseDuration(o.field(key, fallback.String(), between(least, most)))
	if err != nil {
		return fallback // Cannot be: the check has parsed it.
	}
	return d
}
