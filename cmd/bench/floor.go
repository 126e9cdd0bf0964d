//go:build unix

package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// floorScript is one tenant as one transaction for pgbench: the same DDL, rows
// and log rows as the product makes, and nothing of what makes it safe.
func floorScript() string {
	const schema, role = "floor_:n", "floor_:n"
	tables, seed, constraints := postgres.BaselineScript(schema, role)
	var b strings.Builder
	// A number for each tenant: pgbench numbers its clients, and i counts up.
	b.WriteString("\\set i :i + 1\n\\set n :client_id * 1000000 + :i + :base\nBEGIN;\n")
	b.WriteString(`INSERT INTO tenants (id, name, name_key, schema_name, status, admin_email, admin_first_name, admin_last_name, soroban_contract_id, activated_at, checkpoint)
 VALUES (gen_random_uuid(), 'Tenant :n', 'tenant ' || :n, 'floor_' || :n, 'ACTIVE', 'ada@clinic.example', 'Ada', 'Lovelace', repeat('C', 56), now(), 'SEND_WELCOME_EMAIL');
`)
	b.WriteString(tables + seed + constraints)
	b.WriteString(`INSERT INTO tenant_migrations (tenant_id, version, checksum) VALUES (gen_random_uuid(), 1, repeat('a', 64));
INSERT INTO tenant_invitations (token_hash, tenant_id, user_id, expires_at) VALUES (sha256(('x' || random())::bytea), gen_random_uuid(), gen_random_uuid(), now());
INSERT INTO provisioning_logs (tenant_id, attempt, step, status, duration_ms)
 SELECT tenant, 1, step, 'COMPLETED', 1 FROM (SELECT gen_random_uuid() AS tenant) t, unnest(ARRAY[`)
	for i, step := range tenant.Steps() {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("'" + string(step) + "'")
	}
	b.WriteString(`]) AS step;
COMMIT;
`)
	return b.String()
}

var tps = regexp.MustCompile(`tps = ([0-9.]+) \(without`)

// floor lets pgbench make the round's tenants.
func (b *bench) floor(ctx context.Context, url string, clients int) (time.Duration, error) {
	pgbench := filepath.Join(b.server.Binaries(), "pgbench")
	cmd := exec.CommandContext(ctx, pgbench, "--no-vacuum", "--protocol=simple", //nolint:gosec // of the server's own installation
		"--file="+filepath.Join(b.dir, "floor.sql"), "--define=i=0", fmt.Sprintf("--define=base=%d", 100_000_000*b.databases),
		"--client="+strconv.Itoa(clients), "--jobs="+strconv.Itoa(min(clients, 2)),
		"--transactions="+strconv.Itoa(b.tenants/clients), url)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("pgbench (part of PostgreSQL's server package): %w: %s", err, out)
	}
	found := tps.FindSubmatch(out)
	if found == nil {
		return 0, fmt.Errorf("pgbench names no rate: %s", out)
	}
	rate, err := strconv.ParseFloat(string(found[1]), 64)
	return time.Duration(float64(b.tenants) / rate * float64(time.Second)), err
}
