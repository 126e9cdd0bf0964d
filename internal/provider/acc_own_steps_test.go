package provider_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"
)

// publishStep publishes the blueprint clinic with a step that a program of the test answers.
func (w *testEnv) publishStep(answer http.HandlerFunc) {
	w.t.Helper()
	server := httptest.NewServer(answer)
	w.t.Cleanup(server.Close)
	w.env["BLUEPRINT_SECRET_DIRECTORY"], w.env["WEBHOOK_ALLOW"] = "whsec_dGhlIHNlY3JldCBvZiB0aGUgdGVzdHMsIDMyIGJ5dGVz", "127.0.0.0/8"
	files := map[string]string{"migrations/0001_patients.sql": clinicBlueprint["migrations/0001_patients.sql"]}
	files["blueprint.yaml"] = clinicBlueprint["blueprint.yaml"] + fmt.Sprintf(`steps:
  - name: REGISTER_IN_DIRECTORY
    after: STORE_CONTRACT_ADDRESS
    webhook: {url: "%[1]s/tenants", secret: BLUEPRINT_SECRET_DIRECTORY, timeout: 10s, deadline: 1m}
    undo: {url: "%[1]s/undo"}
`, server.URL)
	w.tenantAPI("blueprints", "publish", w.writeFiles("clinic", files), "--activate")
}

// TestAccTenant_OwnSteps: what own steps answer is a sensitive attribute, known after the apply; it
// stays as it is, and no state but the attribute and no log has it.
func TestAccTenant_OwnSteps(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := framework(t, m)
		var undos atomic.Int32
		w.publishStep(func(rw http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/undo" {
				undos.Add(1)
				return
			}
			rw.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(rw, `{"outputs": {"directory_id": "d-4711"}}`)
		})
		made := clinicWith(`  blueprint = "clinic"`)
		outputs, at := exactly(map[string]string{"directory_id": "d-4711"}), tfjsonpath.New("outputs")
		w.test(
			resource.TestStep{
				Config: header + made + `
data "healthcare_tenant" "clinic" { id = healthcare_tenant.clinic.id }
output "id" {
  value     = healthcare_tenant.clinic.outputs["directory_id"]
  sensitive = true
}
`,
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectUnknownValue(clinicAddress, at), plancheck.ExpectSensitiveValue(clinicAddress, at),
				}},
				ConfigStateChecks: append(
					wantValues(clinicAddress, map[string]knownvalue.Check{"outputs": outputs}),
					wantValues("data.healthcare_tenant.clinic", map[string]knownvalue.Check{"outputs": outputs})...),
			},
			resource.TestStep{ResourceName: clinicAddress, ImportState: true, ImportStateVerify: true, ImportStateVerifyIgnore: notImported},
			planned(made, plancheck.ExpectResourceAction(clinicAddress, plancheck.ResourceActionNoop)),
			resource.TestStep{
				Config:           header + strings.Replace(made, "Ada", "Grace", 1),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectKnownValue(clinicAddress, at, outputs)}},
			},
		)
		if shown := w.tenantAPI("tenants", "show", "name:St. Mary's Clinic"); !strings.Contains(shown, "REGISTER_IN_DIRECTORY") || !strings.Contains(shown, `directory_id="(sensitive)"`) || strings.Contains(shown, "d-4711") {
			t.Error(shown)
		}
		if shown := w.tenantAPI("tenants", "show", "name:St. Mary's Clinic", "--outputs"); !strings.Contains(shown, `directory_id="d-4711"`) {
			t.Error(shown)
		}
		if undos.Load() != 0 {
			t.Error("destroy has undone the step: only a purge does")
		}
	})
}

// TestAccTenant_OwnStepRefused: a step that fails is an error that names it, and the tenant is rolled
// back.
func TestAccTenant_OwnStepRefused(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := framework(t, m)
		var undos, refuse atomic.Int32
		refuse.Store(1)
		w.publishStep(func(rw http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Path == "/undo":
				undos.Add(1)
			case refuse.Load() > 0:
				rw.WriteHeader(http.StatusForbidden)
			}
		})
		made := clinicWith(`  blueprint = "clinic"`)
		w.test(
			w.refusedAtApply(made, "step REGISTER_IN_DIRECTORY failed: the answer was Forbidden (403)"),
			after(func() {
				if undos.Load() != 1 {
					t.Errorf("undone %d times", undos.Load())
				}
				refuse.Store(0)
			}, applied(made, wantValues(clinicAddress, map[string]knownvalue.Check{"outputs": knownvalue.MapSizeExact(0)})...)),
		)
	})
}

// TestCLITenant_InterruptedWithOwnStep: an apply that was stopped while another program is not ready
// is continued by the next one, and so is one whose time ran out.
func TestCLITenant_InterruptedWithOwnStep(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		more string
		stop func(w *testEnv, b *background)
		want string
	}{
		"Interrupt": {"", func(w *testEnv, b *background) {
			if err := syscall.Kill(-b.Process.Pid, syscall.SIGINT); err != nil {
				w.t.Fatal(err)
			}
		}, "0 added, 1 changed, 0 destroyed"},
		"Timeout": {"\n  timeouts = { create = \"25s\" }", func(*testEnv, *background) {}, "1 added, 0 changed, 1 destroyed"},
	} {
		t.Run(name, func(t *testing.T) {
			inBothModes(t, func(t *testing.T, m mode) {
				w := setup(t, m, clinicWith(`  blueprint = "clinic"`+c.more))
				var steps, undos, ready atomic.Int32
				w.publishStep(func(rw http.ResponseWriter, r *http.Request) {
					switch {
					case r.URL.Path == "/undo":
						undos.Add(1)
						return
					case ready.Load() == 0:
						rw.Header().Set("Retry-After", "1")
						rw.WriteHeader(http.StatusAccepted)
					default:
						rw.Header().Set("Content-Type", "application/json")
						_, _ = io.WriteString(rw, `{"outputs": {"directory_id": "d-4711"}}`)
					}
					steps.Add(1)
				})
				b := w.start("apply", "-auto-approve", "-no-color")
				w.waitWhileRunning(b, "the step", func() bool { return steps.Load() > 0 })
				c.stop(w, b)
				w.finish(b)
				w.waitFor("the lease to be released", func() bool { return w.registry.Runs() == 0 })
				ready.Store(1)
				w.mustApply().wantText(t, c.want)
				if s := w.state(clinicAddress); fmt.Sprint(s["outputs"]) != "map[directory_id:d-4711]" {
					t.Errorf("outputs %v, %d undone", s["outputs"], undos.Load())
				}
				w.assertOneTenant()
				w.assertNoChanges()
			})
		})
	}
}
