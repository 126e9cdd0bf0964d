package telemetry_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
)

// firing are, for each alert, the series of testdata/healthy.txt that are replaced for it to fire, with
// values from the first minute on. An empty value removes the series. at is when it fires.
var firing = map[string]struct {
	series map[string]string
	at     time.Duration
}{
	"ProvisioningFailing": {map[string]string{`healthcare_runs_total{job="platform", outcome="failed"}`: "0+3x2880"}, hour},
	"TenantsFailed":       {map[string]string{`healthcare_tenants{job="platform", status="FAILED"}`: "0x9 2x2880"}, 2 * hour},
	"TenantsStuck":        {map[string]string{`healthcare_tenants_stuck{job="platform"}`: "1x2880"}, hour},
	"RollbacksFrequent":   {map[string]string{`healthcare_rollbacks_total{job="platform", target="FAILED"}`: "0+0.2x2880"}, 2 * hour},
	"StepsSlow":           {map[string]string{stepBucket("10"): "0x2880"}, 2 * hour},
	"StepRetriesFrequent": {map[string]string{`healthcare_step_retries_total{job="platform", step="DEPLOY_SOROBAN_CONTRACT"}`: "0+2x2880"}, 2 * hour},
	"NoWorker":            {map[string]string{`healthcare_worker_alive{job="platform"}`: "0x2880"}, hour},
	"QueueStandsStill": {map[string]string{
		`healthcare_queue_oldest_due_seconds{job="platform", queue="moves"}`: "90x2880", `healthcare_jobs_total{job="platform", kind="provision", outcome="completed"}`: "7x2880",
	}, hour},
	"QueueGrowing":     {map[string]string{`healthcare_queue_jobs{job="platform", queue="provisioning", state="available"}`: "0+1x2880"}, hour},
	"JobsTooOld":       {map[string]string{`healthcare_queue_oldest_due_seconds{job="platform", queue="provisioning"}`: "301x2880"}, hour},
	"MovesFailing":     {map[string]string{`healthcare_jobs_total{job="platform", kind="purge", outcome="failed"}`: "0x30 1x2880"}, hour},
	"LeasesTakenOver":  {map[string]string{`healthcare_leases_taken_over_total{job="platform"}`: "0+0.1x2880"}, 2 * hour},
	"RegistryRestored": {map[string]string{`healthcare_registry_restored{job="platform"}`: "1x2880"}, time.Minute},
	"MailServerDown":   {map[string]string{`healthcare_part_up{job="platform", part="mail"}`: "0x2880"}, hour},
	"MailsDeferred": {map[string]string{
		`healthcare_mails_total{job="platform", kind="welcome", outcome="deferred"}`: "0+1x2880", `healthcare_mails_total{job="platform", kind="welcome", outcome="sent"}`: "9x2880",
	}, hour},
	"MailsRefused":        {map[string]string{`healthcare_mails_total{job="platform", kind="welcome", outcome="refused"}`: "0x30 1x2880"}, hour},
	"MailsLate":           {map[string]string{`healthcare_mail_oldest_due_seconds{job="platform", kind="welcome"}`: "901x2880"}, hour},
	"InvitationsExpiring": {map[string]string{`healthcare_tenant_invitations{job="platform", status="EXPIRED"}`: "4x30 6x2880"}, 2 * hour},
	"WebhookReceiverDown": {map[string]string{
		webhookRequests("retried", "step"): "0+1x2880", webhookRequests("completed", "step"): "5x2880",
	}, hour},
	"WebhooksFailing":   {map[string]string{webhookRequests("failed", "step"): "0x30 1x2880"}, hour},
	"UndoFailing":       {map[string]string{webhookRequests("failed", "undo"): "0x30 1x2880"}, hour},
	"TenantsBehind":     {map[string]string{`healthcare_tenants_behind{job="platform", blueprint="clinic"}`: "3x2880"}, 25 * hour},
	"MigrationsFailing": {map[string]string{`healthcare_tenant_migrations_total{job="platform", outcome="failed"}`: "0x30 1x2880"}, hour},
	"LoginsNotEnded":    {map[string]string{`healthcare_login_oldest_overdue_seconds{job="platform"}`: "301+60x2880"}, hour},
	"AuditFeedBehind": {map[string]string{
		`healthcare_audit_oldest_unnumbered_seconds{job="platform"}`: "700x2880", `tenant_api_streams{job="platform", kind="feed"}`: "1x2880",
	}, hour},
	"DatabaseDown":             {map[string]string{`healthcare_scrape_success{job="platform", source="database"}`: "0x2880"}, hour},
	"DatabaseReadOnly":         {map[string]string{`healthcare_database_writable{job="platform"}`: "0x2880"}, hour},
	"ConnectionsNearLimit":     {map[string]string{`healthcare_database_connections{job="platform"}`: "90x2880"}, hour},
	"PoolExhausted":            {map[string]string{`healthcare_pool_wait_seconds_total{job="platform", pool="registry"}`: "0+300x2880"}, hour},
	"TransactionTooLong":       {map[string]string{`healthcare_database_oldest_transaction_seconds{job="platform"}`: "3600+60x2880"}, hour},
	"TransactionIdsRunningOut": {map[string]string{`healthcare_database_transaction_id_age{job="platform"}`: "1200000000x2880"}, 2 * hour},
	"MetricsUnreadable":        {map[string]string{`healthcare_scrape_success{job="platform", source="queue"}`: "0x2880"}, hour},
	"MetricsMissing":           {map[string]string{`healthcare_build_info{job="platform", version="1.2.3"}`: ""}, hour},
	"ApiErrors":                {map[string]string{requests("get-tenant", "5xx"): "0+6x2880"}, hour},
	"ApiSlow":                  {map[string]string{requestBucket("0.1"): "0x2880"}, hour},
	"ApiOverloaded":            {map[string]string{problems("503"): "0+3x2880"}, hour},
	"ApiRateLimited":           {map[string]string{problems("429"): "0+5x2880"}, hour},
	"ApiUnauthorized":          {map[string]string{problems("401"): "0+10x2880"}, hour},
	"AuditRejectionsLost":      {map[string]string{`tenant_api_rejections_lost_total{job="platform"}`: "0x30 1x2880"}, hour},

	"StellarDeployerBalanceLow": {map[string]string{`healthcare_stellar_deployer_balance_stroops{job="platform"}`: "999999999x2880"}, hour},
	"StellarDeployerRunsDry":    {map[string]string{`healthcare_stellar_deployer_balance_stroops{job="platform"}`: "500000000000-200000000x2880"}, 8 * hour},
	"StellarChannelDisabled":    {map[string]string{`healthcare_stellar_channels{job="platform", state="disabled"}`: "1x2880"}, hour},
	"StellarChannelBalanceLow":  {map[string]string{`healthcare_stellar_channel_lowest_balance_stroops{job="platform"}`: "19999999x2880"}, hour},
	"StellarChannelsStuck": {map[string]string{
		`healthcare_stellar_transactions_total{job="platform", purpose="CREATE"}`: "5x2880", `healthcare_step_retries_total{job="platform", step="DEPLOY_SOROBAN_CONTRACT"}`: "1x2880",
	}, 2 * hour},
	"StellarNoTransactions": {map[string]string{
		`healthcare_stellar_transactions_total{job="platform", purpose="CREATE"}`:                                 "5x2880",
		`healthcare_stellar_channels{job="platform", state="in_use"}`:                                             "0x2880",
		`healthcare_step_duration_seconds_count{job="platform", step="DEPLOY_SOROBAN_CONTRACT", status="FAILED"}`: "0+1x2880",
	}, 2 * hour},
	"StellarProtocolNewer":          {map[string]string{`healthcare_stellar_network_protocol_version{job="platform"}`: "29x2880"}, hour},
	"StellarContractsNotReconciled": {map[string]string{`healthcare_contracts_reconcile_errors{job="platform"}`: "2x2880"}, 2 * hour},
	"StellarContractsExpiring":      {map[string]string{contractsIn("EXPIRING"): "2x2880"}, 7 * hour},
	"StellarContractsExpired":       {map[string]string{contractsIn("MISSING"): "2x2880"}, hour},
	"StellarContractMismatch":       {map[string]string{contractsIn("MISMATCH"): "1x2880"}, hour},
	"StellarBalanceUnknown":         {map[string]string{`healthcare_stellar_deployer_balance_stroops{job="platform"}`: ""}, hour},
	"StellarRpcDown":                {map[string]string{`healthcare_part_up{job="platform", part="rpc"}`: "0x2880"}, hour},
}

const hour = time.Hour

func stepBucket(le string) string {
	return `healthcare_step_duration_seconds_bucket{job="platform", step="DEPLOY_SOROBAN_CONTRACT", status="COMPLETED", le="` + le + `"}`
}
func webhookRequests(outcome, request string) string {
	return `healthcare_webhook_requests_total{job="platform", outcome="` + outcome + `", request="` + request + `"}`
}
func requests(operation, status string) string {
	return `tenant_api_request_duration_seconds_count{job="platform", operation="` + operation + `", status="` + status + `"}`
}
func requestBucket(le string) string {
	return `tenant_api_request_duration_seconds_bucket{job="platform", operation="get-tenant", status="2xx", le="` + le + `"}`
}
func problems(status string) string {
	return `tenant_api_problems_total{job="platform", status="` + status + `"}`
}
func contractsIn(state string) string {
	return `healthcare_contracts{job="platform", state="` + state + `"}`
}

// healthySeries are the series of a healthy platform with their values.
func healthySeries(t *testing.T) map[string]string {
	t.Helper()
	series := map[string]string{}
	for line := range strings.Lines(readFile(t, "testdata/healthy.txt")) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "#") {
			i := strings.LastIndex(line, "} ") + 1
			series[line[:i]] = line[i+1:]
		}
	}
	return series
}

// promtool runs the rules' own tool. Without it the test is skipped; in CI it fails.
func promtool(t *testing.T, args ...string) (string, error) {
	t.Helper()
	program, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("promtool is not installed: apt-get install prometheus")
		}
		t.Skip("promtool is not installed: apt-get install prometheus")
	}
	out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput()
	return string(out), err
}

// ruleFiles are the files with alerts, as absolute paths.
func ruleFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../../deploy/prometheus/*.rules.yml")
	if err != nil || len(files) < 4 {
		t.Fatalf("%q, %v", files, err)
	}
	for i := range files {
		if files[i], err = filepath.Abs(files[i]); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func TestAlerts_Syntax(t *testing.T) {
	t.Parallel()
	if out, err := promtool(t, append([]string{"check", "rules", "--lint=all", "--lint-fatal"}, ruleFiles(t)...)...); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// promtoolTests are the tests that promtool runs.
type promtoolTests struct {
	RuleFiles          []string        `yaml:"rule_files"`
	EvaluationInterval string          `yaml:"evaluation_interval"`
	Tests              []promtoolGroup `yaml:"tests"`
}

type promtoolGroup struct {
	Name     string          `yaml:"name"`
	Interval string          `yaml:"interval"`
	Series   []promtoolInput `yaml:"input_series"`
	Queries  []promtoolQuery `yaml:"promql_expr_test"`
}

type promtoolInput struct {
	Series string `yaml:"series"`
	Values string `yaml:"values"`
}

// promtoolQuery asks which alerts fire: a test of an alert would need the text of each annotation.
type promtoolQuery struct {
	Expr    string           `yaml:"expr"`
	At      string           `yaml:"eval_time"`
	Samples []promtoolSample `yaml:"exp_samples"`
}

type promtoolSample struct {
	Labels string  `yaml:"labels"`
	Value  float64 `yaml:"value"`
}

// TestAlerts_Fire: each alert fires when it should, and no other with it; none does on a healthy
// platform, also after a day.
func TestAlerts_Fire(t *testing.T) {
	t.Parallel()
	// What takes many hours is evaluated seldom, which is a matter of seconds here.
	short, long := promtoolTests{RuleFiles: ruleFiles(t), EvaluationInterval: "1m"}, promtoolTests{RuleFiles: ruleFiles(t), EvaluationInterval: "10m"}
	const fired = `count by (alertname) (ALERTS{alertstate="firing"})`
	add := func(name string, series map[string]string, at time.Duration, want ...string) {
		group := promtoolGroup{Name: name, Interval: "1m"}
		for _, s := range slices.Sorted(maps.Keys(series)) {
			if series[s] != "" {
				group.Series = append(group.Series, promtoolInput{s, strings.ReplaceAll(series[s], "x2880", fmt.Sprintf("x%d", int(at.Minutes())+1))})
			}
		}
		query := promtoolQuery{Expr: fired, At: fmt.Sprintf("%dm", int(at.Minutes()))}
		for _, alert := range want {
			query.Samples = append(query.Samples, promtoolSample{fmt.Sprintf("{alertname=%q}", alert), 1})
		}
		group.Queries = append(group.Queries, query)
		tests := &short
		if at > 3*hour {
			tests = &long
		}
		tests.Tests = append(tests.Tests, group)
	}
	for _, at := range []time.Duration{time.Minute, 27 * hour} {
		add("healthy after "+at.String(), healthySeries(t), at)
	}
	for _, alert := range slices.Sorted(maps.Keys(firing)) {
		c, series := firing[alert], healthySeries(t)
		for s, values := range c.series {
			if _, known := series[s]; !known {
				t.Errorf("%s: testdata/healthy.txt has no series %s", alert, s)
			}
			series[s] = values
		}
		add(alert, series, c.at, alert)
	}
	for name, tests := range map[string]promtoolTests{"Short": short, "Long": long} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, err := yaml.Marshal(tests)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "tests.yml")
			if err := os.WriteFile(file, text, 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := promtool(t, "test", "rules", file); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	for _, a := range readAlerts(t) {
		if _, tested := firing[a.Name]; !tested {
			t.Errorf("the alert %s has no case", a.Name)
		}
	}
	if n := len(readAlerts(t)); n != len(firing) {
		t.Errorf("%d alerts and %d cases", n, len(firing))
	}
}
