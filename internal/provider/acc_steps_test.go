package provider_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	tfjson "github.com/hashicorp/terraform-json"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"
)

// The steps and checks of the TestAcc tests. A step that applies starts about eight CLI
// processes, and one that is refused at plan starts one.

const clinicAddress = "healthcare_tenant.clinic"

// applied is a step that applies a configuration with these checks of the state. A second
// plan must be empty.
func applied(configuration string, checks ...statecheck.StateCheck) resource.TestStep {
	return resource.TestStep{Config: header + configuration, ConfigStateChecks: checks}
}

// planned is a step that applies a configuration if its plan passes these checks.
func planned(configuration string, checks ...plancheck.PlanCheck) resource.TestStep {
	return resource.TestStep{Config: header + configuration, ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: checks}}
}

// after adds to a step what happens before it.
func after(happens func(), step resource.TestStep) resource.TestStep {
	prepare := step.PreConfig
	step.PreConfig = func() {
		if happens(); prepare != nil {
			prepare()
		}
	}
	return step
}

// between is a step that runs no command. (It cannot be the first step.)
func between(happens func()) resource.TestStep {
	return resource.TestStep{RefreshState: true, SkipFunc: func() (bool, error) {
		happens()
		return true, nil
	}}
}

// expectedError is what the current step must end with.
type expectedError struct {
	during string   // How the framework's error begins: duringPlan or duringApply.
	errors int      // How many.
	texts  []string // Each is in the CLI's errors.
}

const (
	duringPlan  = "Error running pre-apply plan"
	duringApply = "Error running apply"

	duringDestroy = "Error running destroy"
)

// refused is a step whose plan ends with exactly one error, which contains each text.
func (w *testEnv) refused(configuration string, texts ...string) resource.TestStep {
	return w.refusedTimes(1, configuration, texts...)
}

// refusedAtApply is a step whose plan passes, and whose apply ends with exactly one error.
func (w *testEnv) refusedAtApply(configuration string, texts ...string) resource.TestStep {
	return w.expects(expectedError{duringApply, 1, texts}, configuration)
}

// refusedTimes is refused with several errors.
func (w *testEnv) refusedTimes(errors int, configuration string, texts ...string) resource.TestStep {
	return w.expects(expectedError{duringPlan, errors, texts}, configuration)
}

// refusedWith is refused with texts that are known when the step runs.
func (w *testEnv) refusedWith(configuration string, texts func() []string) resource.TestStep {
	return resource.TestStep{Config: header + configuration, PreConfig: func() { w.expected = &expectedError{duringPlan, 1, texts()} }}
}

func (w *testEnv) expects(e expectedError, configuration string) resource.TestStep {
	return resource.TestStep{Config: header + configuration, PreConfig: func() { w.expected = &e }}
}

// checkError is a TestCase's ErrorCheck: the step's error must be the one that refused
// expects. It sees what the CLI prints as errors, not its plan and warnings.
func (w *testEnv) checkError(err error) error {
	if w.expected == nil {
		return err
	}
	r := result{plainText(err.Error()), 1}
	if !strings.HasPrefix(r.out, w.expected.during) {
		w.t.Errorf("want %q: %s", w.expected.during, r.out)
	}
	r.wantText(w.t, w.expected.texts...)
	if n := strings.Count(r.out, " Error: "); n != w.expected.errors {
		w.t.Errorf("%d errors, want %d: %s", n, w.expected.errors, r.out)
	}
	for _, secret := range append([]string{w.seed, w.databasePassword, password, another, w.token, wrongToken}, w.secrets...) {
		if secret != "" && strings.Contains(r.out, secret) {
			w.t.Error("a secret is printed")
		}
	}
	w.expected = nil
	return nil
}

// checkRefusals makes steps report that the one before passed, though it should be refused.
func (w *testEnv) checkRefusals(steps []resource.TestStep) []resource.TestStep {
	steps = slices.Clone(steps)
	for i := range steps {
		happens := steps[i].PreConfig
		steps[i].PreConfig = func() {
			w.assertRefused()
			if happens != nil {
				happens()
			}
		}
	}
	return steps
}

func (w *testEnv) assertRefused() {
	w.t.Helper()
	if w.expected != nil {
		w.t.Errorf("a step passed that should be refused: %q", w.expected.texts)
		w.expected = nil
	}
}

// wraps matches texts, in this order. The CLI breaks lines between words.
func wraps(texts ...string) *regexp.Regexp {
	patterns := make([]string, len(texts))
	for i, text := range texts {
		patterns[i] = strings.ReplaceAll(regexp.QuoteMeta(text), " ", `\s+`)
	}
	return regexp.MustCompile("(?s)" + strings.Join(patterns, ".*"))
}

// importStep imports healthcare_tenant.clinic into a state of its own, and compares that
// with the state of the test. By is the import id; "" is the tenant's id.
func importStep(by string) resource.TestStep {
	return resource.TestStep{
		ResourceName: clinicAddress, ImportState: true, ImportStateId: by, ImportStateVerify: true, ImportStateVerifyIgnore: notImported,
	}
}

// importError is an import that is refused.
func importError(by func() string, texts ...string) resource.TestStep {
	return resource.TestStep{
		ResourceName: clinicAddress, ImportState: true, ExpectError: wraps(texts...),
		ImportStateIdFunc: func(*terraform.State) (string, error) { return by(), nil },
	}
}

// notImported are attributes that an import cannot know, because only the configuration
// has them.
var notImported = []string{"timeouts", "unarchive_existing", "admin_password_wo_version"}

// wantAction expects the plan's action for a resource.
func wantAction(address string, action plancheck.ResourceActionType) resource.ConfigPlanChecks {
	return resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectResourceAction(address, action)}}
}

// wantValues expects attributes of a resource in the state.
func wantValues(address string, values map[string]knownvalue.Check) (checks []statecheck.StateCheck) {
	for name, check := range values {
		checks = append(checks, statecheck.ExpectKnownValue(address, tfjsonpath.New(name), check))
	}
	return checks
}

// wantAttribute expects an attribute of healthcare_tenant.clinic in the state.
func wantAttribute(attribute, value string) statecheck.StateCheck {
	return statecheck.ExpectKnownValue(clinicAddress, tfjsonpath.New(attribute), knownvalue.StringExact(value))
}

// wantChange expects that the plan changes an attribute of healthcare_tenant.clinic in
// place from one text to another.
func wantChange(attribute, before, after string) plancheck.PlanCheck {
	return planCheck(func(plan *tfjson.Plan) error {
		for _, change := range plan.ResourceChanges {
			if change.Address != clinicAddress {
				continue
			}
			from, _ := change.Change.Before.(map[string]any)
			to, _ := change.Change.After.(map[string]any)
			if !change.Change.Actions.Update() || from[attribute] != before || to[attribute] != after {
				return fmt.Errorf("%v of %s from %v to %v, want an update from %q to %q", change.Change.Actions, attribute, from[attribute], to[attribute], before, after)
			}
			return nil
		}
		return fmt.Errorf("%s is not in the plan", clinicAddress)
	})
}

// planCheck is a plancheck.PlanCheck.
type planCheck func(plan *tfjson.Plan) error

// CheckPlan implements plancheck.PlanCheck.
func (c planCheck) CheckPlan(_ context.Context, req plancheck.CheckPlanRequest, resp *plancheck.CheckPlanResponse) {
	resp.Error = c(req.Plan)
}

// stateFile is the state file of the framework's working directory.
func (w *testEnv) stateFile() string {
	w.t.Helper()
	files, err := filepath.Glob(filepath.Join(w.dir, frameworkFolder, "*", "terraform.tfstate"))
	if err != nil || len(files) != 1 {
		w.t.Fatalf("%d states, %v", len(files), err)
	}
	return files[0]
}

// changeState changes the resources in the state file, as other commands of the CLI do.
func (w *testEnv) changeState(change func(resources []any) []any) {
	w.t.Helper()
	file := w.stateFile()
	var state map[string]any
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, &state)
	}
	if err == nil {
		resources, _ := state["resources"].([]any)
		state["resources"] = change(resources)
		text, err = json.Marshal(state)
	}
	if err == nil {
		err = os.WriteFile(file, text, 0o600)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func isTenant(r any, name string) bool {
	fields, _ := r.(map[string]any)
	return fields["type"] == "healthcare_tenant" && fields["mode"] == "managed" && fields["name"] == name
}

// forget removes a tenant from the state, as "terraform state rm" does.
func (w *testEnv) forget(name string) {
	w.t.Helper()
	w.changeState(func(resources []any) []any {
		return slices.DeleteFunc(resources, func(r any) bool { return isTenant(r, name) })
	})
}

// changeInstance replaces healthcare_tenant.clinic in the state file.
func (w *testEnv) changeInstance(change func(instance map[string]any) (changed any)) {
	w.t.Helper()
	w.changeState(func(resources []any) []any {
		at := slices.IndexFunc(resources, func(r any) bool { return isTenant(r, "clinic") })
		if at < 0 {
			w.t.Fatal("the tenant is not in the state")
		}
		fields, _ := resources[at].(map[string]any)
		instances, _ := fields["instances"].([]any)
		instance, _ := instances[0].(map[string]any)
		fields["instances"] = []any{change(instance)}
		return resources
	})
}

// untaint is "terraform untaint" of healthcare_tenant.clinic.
func (w *testEnv) untaint() {
	w.t.Helper()
	w.changeInstance(func(instance map[string]any) any {
		delete(instance, "status")
		return instance
	})
}

// stored returns what the state has of healthcare_tenant.clinic, with "tainted" if it is;
// nil if it is not there.
func (w *testEnv) stored() map[string]any {
	w.t.Helper()
	return stateOf(w.t, w.stateFile(), clinicAddress)
}
