//go:build unix

package main_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/mailcatcher"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/queue/queuetest"
)

// TestServe_Readiness: a server without a worker, RPC server or mail server serves and says that it
// is degraded, and its metrics have the same parts. The answer has no address.
func TestServe_Readiness(t *testing.T) {
	w := setup(t)
	w.env["METRICS_ADDR"] = "127.0.0.1:0"
	w.mustRun("migrate", "up")
	key := w.createKey("admin")
	ready := func(p *process) string {
		got := p.call(http.MethodGet, "/readyz", nil).want(t, http.StatusOK)
		checks, _ := got.body["checks"].([]any)
		all := []string{got.str("status")}
		for _, c := range checks {
			check, _ := c.(map[string]any)
			name, _ := check["name"].(string)
			status, _ := check["status"].(string)
			all = append(all, name+" "+status)
		}
		if strings.Contains(got.text, "127.0.0.1") {
			t.Errorf("an address is in %s", got.text)
		}
		return strings.Join(all, ", ")
	}
	healthy := w.start(key, "serve")
	w.waitFor("all parts", func() bool { return ready(healthy) == "ok, server ok, database ok, queue ok, rpc ok, mail ok" })
	if metrics := w.metrics(healthy); !strings.Contains(metrics, `healthcare_part_up{part="mail"} 1`) || !strings.Contains(metrics, "healthcare_worker_alive 1") {
		t.Errorf("metrics: %s", metrics)
	}
	w.mustRun("healthcheck", "--port", strconv.Itoa(portOf(t, healthy.url))).want(t, 0, "ok\n  server    ok", "  rpc       ok", "  mail      ok")
	if code := healthy.terminate(); code != 0 {
		t.Errorf("exit code %d", code)
	}

	queuetest.Open(t, w.env["DATABASE_URL"]).ForgetWorkers()
	gone, err := mailcatcher.Start(t.Context(), mailcatcher.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w.env["MAIL_PORT"] = strconv.Itoa(gone.SMTPPort())
	w.env["SOROBAN_RPC_URL"] = "http://127.0.0.1:1"
	if err := gone.Close(); err != nil {
		t.Fatal(err)
	}
	alone := w.start(key, "serve", "--worker=false")
	w.waitFor("degraded parts", func() bool {
		return ready(alone) == "degraded, server ok, database ok, queue degraded, rpc degraded, mail degraded"
	})
	w.mustRun("healthcheck", "--port", strconv.Itoa(portOf(t, alone.url))).want(t, 0, "degraded\n", "  mail      degraded")
	metrics := w.metrics(alone)
	for _, line := range []string{`healthcare_part_up{part="mail"} 0`, `healthcare_part_up{part="rpc"} 0`, `healthcare_part_up{part="queue"} 0`, "healthcare_worker_alive 0", `healthcare_scrape_success{source="registry"} 1`} {
		if !strings.Contains(metrics, line) {
			t.Errorf("%q is not in the metrics", line)
		}
	}
	if log := alone.log.String(); !strings.Contains(log, `msg="a part is degraded" part=queue error="check queue: no worker was ever seen; run tenant-api worker`) {
		t.Error("the log does not say what is degraded, and what to do")
	}
}
