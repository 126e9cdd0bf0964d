package provider_test

import (
	"context"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stellar/go-stellar-sdk/keypair"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// stepBarrier stops a run in one step: arrange makes the step wait, reached reports that
// the run is in the step, release lets it continue.
type stepBarrier struct {
	step    string
	block   func(w *testEnv) (release func())
	reached func(w *testEnv) bool
}

// stepBarriers are the seven steps, each with a real lock or service that blocks it.
var stepBarriers = []stepBarrier{
	{"CREATE_TENANT_RECORD", func(w *testEnv) func() { return w.registry.LockTenantTable() }, isWaitingForLock},
	{"CREATE_SCHEMA", blockDDL("CREATE SCHEMA"), isWaitingForLock},
	{"RUN_MIGRATIONS", blockDDL("CREATE TABLE"), isWaitingForLock},
	{"SEED_ROLES_AND_USER", func(w *testEnv) func() { return w.registry.LockInvitations() }, isWaitingForLock},
	{"DEPLOY_SOROBAN_CONTRACT", func(w *testEnv) func() {
		w.net.Faults().HoldQueue(true)
		return func() { w.net.Faults().HoldQueue(false) }
	}, func(w *testEnv) bool { return w.net.Faults().QueueSize() > 0 }},
	{"STORE_CONTRACT_ADDRESS", func(w *testEnv) func() { return w.registry.LockStep(tenant.StepStoreContractAddress) }, isWaitingForLock},
	{"SEND_WELCOME_EMAIL", func(w *testEnv) func() { return w.mail.StopResponding() }, func(w *testEnv) bool {
		return w.registry.InProgress(tenant.StepSendWelcomeEmail) == 1
	}},
}

// blockDDL blocks one kind of DDL statement with an event trigger.
func blockDDL(tag string) func(w *testEnv) func() {
	return func(w *testEnv) func() {
		w.execAsDBA(nil, `CREATE FUNCTION public.wait_there() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock_shared(4711); END $$`,
			`CREATE EVENT TRIGGER wait_there ON ddl_command_start WHEN TAG IN ('`+tag+`') EXECUTE FUNCTION public.wait_there()`)
		return w.holdLock("SELECT pg_advisory_xact_lock(4711)")
	}
}

// holdLock holds a lock in a separate transaction until it is released.
func (w *testEnv) holdLock(statement string) func() {
	w.t.Helper()
	ctx := context.WithoutCancel(w.t.Context())
	conn, err := pgx.Connect(ctx, w.env["DATABASE_URL"])
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = conn.Close(ctx) })
	for _, s := range []string{"BEGIN", statement} {
		if _, err := conn.Exec(ctx, s); err != nil {
			w.t.Fatal(err)
		}
	}
	return func() {
		if _, err := conn.Exec(ctx, "ROLLBACK"); err != nil {
			w.t.Error(err)
		}
	}
}

// programs are the programs under test, as the names of their sessions begin.
var programs = []string{"terraform-provider-healthcare", "tenant-api"}

func isWaitingForLock(w *testEnv) bool { return w.registry.WaitsForLock(programs...) }

func TestCLITenant_KillInEachStep(t *testing.T) {
	t.Parallel()
	for _, h := range stepBarriers {
		t.Run(h.step, func(t *testing.T) {
			inBothModes(t, func(t *testing.T, m mode) {
				w := setup(t, m, clinic)
				release := h.block(w)
				b := w.start("apply", "-auto-approve", "-no-color")
				w.waitWhileRunning(b, "the step", func() bool { return h.reached(w) })
				w.killProvider()
				if r := w.finish(b); r.code == 0 {
					t.Errorf("apply survived its provider: %s", r.out)
				}
				release()
				w.mustApply()
				w.assertOneTenant()
				w.assertNoChanges()
			})
		})
	}
}

// TestCLITenant_KillTerraform: a provider whose Terraform was killed ends, too, and releases the
// tenant.
func TestCLITenant_KillTerraform(t *testing.T) {
	w := setup(t, databaseMode, clinic)
	w.net.Faults().HoldQueue(true)
	b := w.start("apply", "-auto-approve", "-no-color")
	w.waitWhileRunning(b, "the deployment", func() bool { return w.net.Faults().QueueSize() > 0 })
	if err := b.Process.Kill(); err != nil { // Not its process group.
		t.Fatal(err)
	}
	w.waitFor("the end of the provider", func() bool { return !w.providerRuns() })
	w.net.Faults().HoldQueue(false)
	w.mustApply("-lock=false")
	w.assertOneTenant()
	w.assertNoChanges()
}

func TestCLITenant_InterruptLeavesUntainted(t *testing.T) {
	t.Parallel()
	for name, signal := range map[string]syscall.Signal{"SIGINT": syscall.SIGINT, "SIGTERM": syscall.SIGTERM} {
		t.Run(name, func(t *testing.T) {
			inBothModes(t, func(t *testing.T, m mode) {
				w := setup(t, m, clinic)
				w.net.Faults().HoldQueue(true)
				b := w.start("apply", "-auto-approve", "-no-color")
				w.waitWhileRunning(b, "the deployment", func() bool { return w.net.Faults().QueueSize() > 0 })
				// To the whole process group, like a terminal and most supervisors.
				if err := syscall.Kill(-b.Process.Pid, signal); err != nil {
					t.Fatal(err)
				}
				w.waitWhileRunning(b, "the stop", func() bool {
					return strings.Contains(b.out.String(), "Stopping operation") || strings.Contains(b.out.String(), "nterrupt")
				})
				w.net.Faults().HoldQueue(false)
				w.finish(b).wantText(t, "Provisioning was interrupted", "Run terraform apply again to continue")
				s := w.state("healthcare_tenant.clinic")
				if s == nil || s["tainted"] == true || s["status"] != "PROVISIONING" {
					t.Fatalf("state %v", s)
				}
				w.waitFor("the lease to be released", func() bool { // A server releases it after its client has disconnected.
					return w.registry.Runs() == 0
				})
				r := w.run("plan", "-no-color", "-detailed-exitcode")
				if r.code != 2 {
					t.Errorf("plan ended with %d", r.code)
				}
				r.wantText(t, "0 to add, 1 to change, 0 to destroy")
				w.mustApply().wantText(t, "0 added, 1 changed, 0 destroyed")
				w.assertOneTenant()
				w.assertNoChanges()
			})
		})
	}
}

func TestCLITenant_ConcurrentApplies(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := setup(t, m, clinic)
		w.net.Faults().HoldQueue(true)
		first := w.start("apply", "-auto-approve", "-no-color")
		w.waitWhileRunning(first, "the deployment", func() bool { return w.net.Faults().QueueSize() > 0 })
		second := w.apply("-state=other.tfstate", "-lock=false")
		if second.code == 0 {
			t.Errorf("both created the tenant: %s", second.out)
		}
		second.wantText(t, "is being provisioned by another run right now")
		w.net.Faults().HoldQueue(false)
		if r := w.finish(first); r.code != 0 {
			t.Fatalf("first: %s", r.out)
		}
		w.assertOneTenant()
	})
}

// skipChecks disables the check at the start, for errors that come after it.
func (w *testEnv) skipChecks() {
	w.t.Helper()
	w.write("main.tf", w.read("main.tf")+"\nprovider \"healthcare\" { skip_checks = true }\n")
}

func TestCLITenant_Faults(t *testing.T) {
	t.Parallel()

	// assertRolledBack checks that an attempt was rolled back.
	assertRolledBack := func(w *testEnv, status tenant.Status) {
		w.t.Helper()
		if got := w.registry.Tenant().Status; got != status {
			w.t.Errorf("status %s, want %s", got, status)
		}
		if n := w.registry.Objects(); n != 0 {
			w.t.Errorf("%d objects remain", n)
		}
		if n := w.registry.OpenSteps(); n != 0 {
			w.t.Errorf("%d steps never ended", n)
		}
	}
	assertRecovers := func(w *testEnv) {
		w.t.Helper()
		id := w.registry.Tenant().ID
		w.mustApply()
		if w.state("healthcare_tenant.clinic")["id"] != id {
			w.t.Error("another tenant")
		}
		w.assertNoChanges()
		if n := w.registry.Transactions(txlog.PurposeCreate, txlog.StateSucceeded); n != 1 {
			w.t.Errorf("%d contracts", n)
		}
	}

	t.Run("RPCDown", func(t *testing.T) {
		inBothModes(t, func(t *testing.T, m mode) {
			w := setup(t, m, clinic)
			w.stopNetwork()
			w.apply().wantText(t, "step DEPLOY_SOROBAN_CONTRACT failed", "RPC server does not answer", "check SOROBAN_RPC_URL", "Its schema and database role were removed again")
			assertRolledBack(w, "FAILED")
			if s := w.state("healthcare_tenant.clinic"); s["tainted"] != true || s["status"] != "FAILED" {
				t.Errorf("state %v", s)
			}
			if m := w.mail.Messages(); len(m) != 1 || !strings.Contains(m[0].Subject, "could not be set up") || strings.Contains(m[0].Text, "RPC") {
				t.Errorf("mails %+v", m)
			}
			if err := w.net.Faults().Up(); err != nil {
				t.Fatal(err)
			}
			assertRecovers(w)
		})
	})

	t.Run("DeployerWithoutFunds", func(t *testing.T) {
		inBothModes(t, func(t *testing.T, m mode) {
			w := setup(t, m, clinic)
			w.skipChecks()
			funded := w.env["SOROBAN_CONTRACT_DEPLOYER_SECRET"]
			poor := keypair.MustRandom()
			w.env["SOROBAN_CONTRACT_DEPLOYER_SECRET"] = poor.Seed()
			r := w.apply()
			r.wantText(t, "step DEPLOY_SOROBAN_CONTRACT failed", poor.Address())
			if strings.Contains(r.out, poor.Seed()) {
				t.Error("the seed is printed")
			}
			assertRolledBack(w, "FAILED")
			w.env["SOROBAN_CONTRACT_DEPLOYER_SECRET"] = funded
			assertRecovers(w)
		})
	})

	t.Run("WrongNetwork", func(t *testing.T) {
		inBothModes(t, func(t *testing.T, m mode) {
			w := setup(t, m, clinic)
			w.skipChecks()
			corrected := w.env["SOROBAN_NETWORK_PASSPHRASE"]
			w.env["SOROBAN_NETWORK"], w.env["SOROBAN_NETWORK_PASSPHRASE"] = "another", "Another network"
			w.apply().wantText(t, "step DEPLOY_SOROBAN_CONTRACT failed", "Another network", corrected)
			assertRolledBack(w, "FAILED")
			w.env["SOROBAN_NETWORK"], w.env["SOROBAN_NETWORK_PASSPHRASE"] = "local", corrected
			assertRecovers(w)
		})
	})

	t.Run("DatabaseDown", func(t *testing.T) {
		w := setup(t, databaseMode, clinic)
		corrected := w.env["DATABASE_URL"]
		w.env["DATABASE_URL"] = "postgres://u:" + w.databasePassword + "@127.0.0.1:1/x"
		w.env["TF_LOG_PROVIDER"] = "DEBUG"
		r := w.apply()
		delete(w.env, "TF_LOG_PROVIDER")
		r.wantText(t, "cause of the diagnostic", "connection refused") // In the log, which the message refers to.
		r.wantText(t, "the database does not answer", "Nothing was changed", "run terraform apply again")
		if r.code == 0 || strings.Contains(r.out, w.databasePassword) {
			t.Errorf("%d: %s", r.code, r.out)
		}
		if w.state("healthcare_tenant.clinic") != nil {
			t.Error("a tenant is in the state")
		}
		w.env["DATABASE_URL"] = corrected
		w.mustApply()
		w.assertOneTenant()
	})

	t.Run("TransientSMTPError", func(t *testing.T) {
		inBothModes(t, func(t *testing.T, m mode) {
			w := setup(t, m, clinic)
			w.mail.RejectRecipients(451, "4.7.1 try later", 1000)
			w.mustApply().wantText(t, "Welcome mail not confirmed", "refused the message temporarily (451 ", "run terraform apply again: it sends the mail again")
			if s := w.state("healthcare_tenant.clinic"); s["status"] != "ACTIVE" || s["welcome_email_status"] != "PENDING" || s["tainted"] == true {
				t.Errorf("state %v", s)
			}
			w.mail.RejectRecipients(451, "", 0)
			w.mustApply().wantText(t, "0 added, 1 changed, 0 destroyed")
			w.assertOneTenant()
			w.assertNoChanges()
		})
	})

	t.Run("PermanentSMTPError", func(t *testing.T) {
		inBothModes(t, func(t *testing.T, m mode) {
			w := setup(t, m, clinic)
			w.mail.RejectRecipients(554, "5.7.1 no", 1000)
			w.mustApply().wantText(t, "Welcome mail not confirmed", "refused the message permanently (554 ")
			if s := w.state("healthcare_tenant.clinic"); s["welcome_email_status"] != "FAILED" || s["tainted"] == true {
				t.Errorf("state %v", s)
			}
			w.mail.RejectRecipients(554, "", 0)
			w.mustApply()
			w.assertNoChanges()
		})
	})

	t.Run("FailurePolicyFailRollsBack", func(t *testing.T) {
		inBothModes(t, func(t *testing.T, m mode) {
			w := setup(t, m, clinic)
			w.env["MAIL_FAILURE_POLICY"] = "fail"
			w.mail.RejectRecipients(554, "5.7.1 no", 1000)
			w.apply().wantText(t, "step SEND_WELCOME_EMAIL failed", "refused the message permanently (554 ")
			assertRolledBack(w, "FAILED")
			w.mail.RejectRecipients(554, "", 0)
			assertRecovers(w)
		})
	})

	t.Run("CreateTimeout", func(t *testing.T) {
		inBothModes(t, func(t *testing.T, m mode) {
			w := setup(t, m, strings.Replace(clinic, "admin_email ", "timeouts = { create = \"3s\" }\n admin_email ", 1))
			w.net.Faults().HoldQueue(true)
			b := w.start("apply", "-auto-approve", "-no-color")
			w.waitWhileRunning(b, "the deployment", func() bool { return w.net.Faults().QueueSize() > 0 })
			time.AfterFunc(4*time.Second, func() { w.net.Faults().HoldQueue(false) })
			w.finish(b).wantText(t, "the time allowed by timeouts.create (3s) ran out", "the tenant keeps its progress")
			id := w.registry.Tenant().ID
			r := w.run("plan", "-no-color")
			r.wantText(t, "Warning: Tenant is continued", id, "the apply continues the same tenant")
			if n := strings.Count(r.out, "Tenant is continued"); n != 1 {
				t.Errorf("it is said %d times", n)
			}
			assertRecovers(w)
		})
	})

	t.Run("SupersededByAnotherRun", func(t *testing.T) {
		inBothModes(t, func(t *testing.T, m mode) {
			w := setup(t, m, clinic)
			w.net.Faults().HoldQueue(true)
			b := w.start("apply", "-auto-approve", "-no-color")
			w.waitWhileRunning(b, "the deployment", func() bool { return w.net.Faults().QueueSize() > 0 })
			w.registry.Supersede()
			w.finish(b).wantText(t, "a newer run owns this tenant", "is not in this state")
			w.net.Faults().HoldQueue(false)
			if s := w.state("healthcare_tenant.clinic"); s != nil {
				t.Errorf("state %v", s)
			}
			id := w.registry.Tenant().ID
			w.mustApply().wantText(t, "1 added, 0 changed, 0 destroyed")
			if w.state("healthcare_tenant.clinic")["id"] != id {
				t.Error("another tenant")
			}
			w.assertOneTenant()
		})
	})

	t.Run("ProtectionIgnoredBeforeActivation", func(t *testing.T) {
		inBothModes(t, func(t *testing.T, m mode) {
			w := setup(t, m, strings.Replace(clinic, "admin_email ", "deletion_protection = true\n admin_email ", 1))
			w.env["SOROBAN_MAX_FEE"] = "100"
			w.apply().wantText(t, "step DEPLOY_SOROBAN_CONTRACT failed", "raise SOROBAN_MAX_FEE to at least")
			assertRolledBack(w, "FAILED")
			delete(w.env, "SOROBAN_MAX_FEE")
			assertRecovers(w)
			w.run("destroy", "-auto-approve", "-no-color").wantText(t, "Tenant is protected")
		})
	})

	t.Run("ServerWithoutTLS", func(t *testing.T) {
		w := setup(t, databaseMode, clinic)
		w.env["DATABASE_URL"] = strings.Replace(w.env["DATABASE_URL"], "sslmode=disable", "sslmode=require", 1)
		w.apply().wantText(t, "the database offers no TLS, but the settings require it")
		w.env["DATABASE_URL"] = "postgres://u@no-such-host.invalid/x"
		w.apply().wantText(t, "the name of the database host cannot be resolved")
	})

	t.Run("UpdateAndDeleteTimeout", func(t *testing.T) {
		inBothModes(t, func(t *testing.T, m mode) {
			slow := strings.Replace(clinic, "admin_email ", "timeouts = { update = \"1s\", delete = \"1s\" }\n admin_email ", 1)
			w := setup(t, m, slow)
			w.mustApply()
			release := w.registry.LockTenants()
			w.write("main.tf", header+strings.Replace(slow, "Lovelace", "Hopper", 1))
			w.apply().wantText(t, "the time allowed by timeouts.update (1s) ran out", "The tenant stays as the state shows it")
			w.run("destroy", "-auto-approve", "-no-color").wantText(t, "the time allowed by timeouts.delete (1s) ran out", "repeat the command")
			release()
			w.mustApply()
			w.assertNoChanges()
		})
	})

	t.Run("ExternalIDOfArchivedTenant", func(t *testing.T) {
		inBothModes(t, func(t *testing.T, m mode) {
			onlyFirst := strings.Replace(clinic, "admin_email ", "external_id = \"e-1\"\n admin_email ", 1)
			w := setup(t, m, onlyFirst)
			w.mustApply()
			w.write("main.tf", header+strings.Replace(onlyFirst, "e-1", "e-2", 1))
			w.mustApply()
			w.write("main.tf", header+onlyFirst)
			w.run("plan", "-no-color").wantText(t, "a tenant with this external id exists already", "To bring that tenant back with its data, set unarchive_existing = true")
			if live := w.registry.All(tenant.StatusActive); len(live) != 1 || live[0].ExternalID != "e-2" {
				t.Errorf("%+v", live)
			}
		})
	})

	t.Run("SwappedNames", func(t *testing.T) {
		inBothModes(t, func(t *testing.T, m mode) {
			two := clinic + strings.NewReplacer(`"clinic"`, `"other"`, "St. Mary's Clinic", "Other Clinic").Replace(clinic)
			w := setup(t, m, two)
			w.mustApply()
			w.write("main.tf", header+strings.NewReplacer("Other Clinic", "St. Mary's Clinic", "St. Mary's Clinic", "OTHER CLINIC").Replace(two))
			w.apply().wantText(t, "Names are swapped", "Nothing was changed", "Give one of them a third name")
		})
	})

	t.Run("SurvivesDatabaseRestart", func(t *testing.T) {
		inBothModes(t, func(t *testing.T, m mode) {
			w := setup(t, m, clinic)
			w.net.Faults().HoldQueue(true)
			b := w.start("apply", "-auto-approve", "-no-color")
			w.waitWhileRunning(b, "the deployment", func() bool { return w.net.Faults().QueueSize() > 0 })
			w.exec(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity, unnest($1::text[]) program
				WHERE datname = current_database() AND starts_with(application_name, program)`, programs)
			w.net.Faults().HoldQueue(false)
			if r := w.finish(b); r.code != 0 {
				t.Fatalf("apply: %s", r.out)
			}
			w.assertOneTenant()
		})
	})
}
