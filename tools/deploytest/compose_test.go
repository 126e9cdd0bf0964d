package deploytest_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

func loadCompose(t *testing.T) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{deploy("compose.yaml")}, cli.WithProfiles([]string{"*"}), cli.WithResolvedPaths(true))
	must(t, err)
	project, err := options.LoadProject(t.Context())
	must(t, err)
	return project
}

// TestCompose_Rules holds the file to what the guide says of it.
func TestCompose_Rules(t *testing.T) {
	t.Parallel()
	project := loadCompose(t)
	for name, service := range project.Services {
		for variable, value := range service.Environment {
			if isSecretName(variable) && value != nil {
				t.Errorf("%s: %s is given as a variable; name a file in %s_FILE", name, variable, variable)
			}
		}
		for _, port := range service.Ports {
			if port.HostIP != "127.0.0.1" {
				t.Errorf("%s: port %s is open to other machines", name, port.Published)
			}
		}
		for _, s := range service.Secrets {
			if file := project.Secrets[s.Source].File; !strings.HasSuffix(file, "/compose/secrets/"+s.Source) {
				t.Errorf("%s: secret %s is in %q", name, s.Source, file)
			}
		}
		for dependency, how := range service.DependsOn {
			if how.Condition == types.ServiceConditionHealthy && project.Services[dependency].HealthCheck == nil {
				t.Errorf("%s waits until %s is healthy, which has no health check", name, dependency)
			}
		}
		if name == "postgres" { // Its image needs more.
			continue
		}
		if !service.ReadOnly || service.User != "65532:65532" || !slices.Equal(service.CapDrop, []string{"ALL"}) || !slices.Equal(service.SecurityOpt, []string{"no-new-privileges:true"}) {
			t.Errorf("%s has more rights than it needs", name)
		}
	}
}

// isSecretName reports whether a variable is a secret, as docs/guides/configuration.md has them.
func isSecretName(variable string) bool {
	return slices.Contains([]string{"DATABASE_URL", "DATABASE_DIRECT_URL", "DB_PASSWORD", "SOROBAN_CONTRACT_DEPLOYER_SECRET", "SOROBAN_RPC_HEADERS",
		"MAIL_PASSWORD", "MAIL_OAUTH_CLIENT_SECRET", "POSTGRES_PASSWORD", "TENANT_API_TOKEN"}, variable) || strings.HasPrefix(variable, "BLUEPRINT_SECRET_") && !strings.HasSuffix(variable, "_FILE")
}

// TestCompose_FirstTenant runs what each container runs, with its variables, files, user and
// ports, in the order that the file asks for, until the first tenant is ACTIVE.
func TestCompose_FirstTenant(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"tenant-api", "devstack"} {
		program(t, name) // Built outside.
	}
	if !inNamespaces(t) {
		return
	}
	project := loadCompose(t)
	secrets := makeSecrets(t)
	hosts(t, slices.Collect(maps.Keys(project.Services))...)
	for name := range project.Secrets {
		bind(t, filepath.Join(secrets, name), "/run/secrets/"+name)
	}
	must(t, os.MkdirAll("/var/lib/devstack", 0o700))
	must(t, os.Chown("/var/lib/devstack", imageUser, imageUser)) // As the image has it.
	bind(t, "/var/lib/devstack", "/run/stack")

	c := &composeRun{t: t, project: project, running: map[string]*process{}}
	c.up("tenant-api")
	key := secret(t, "/run/secrets/api-key")
	first := c.up("first-tenant").succeeds(t)
	if !strings.Contains(first, "is ACTIVE") {
		t.Errorf("it printed\n%s", first)
	}
	tenants, err := get(t.Context(), "http://127.0.0.1:3000/admin/tenants", key)
	if err != nil || !strings.Contains(tenants, `"name":"First Clinic","status":"ACTIVE"`) {
		t.Errorf("tenants %s, %v", tenants, err)
	}
	if mail, err := get(t.Context(), "http://127.0.0.1:8025/messages", ""); err != nil || !strings.Contains(mail, "ada@first-clinic.example") {
		t.Errorf("mail %s, %v", mail, err)
	}
	if metrics, err := get(t.Context(), "http://127.0.0.1:9464/metrics", ""); err != nil || !strings.Contains(metrics, "healthcare_") {
		t.Errorf("metrics: %v", err)
	}
	// Once more, as "up" does it: what has been done is no error.
	for _, name := range []string{"migrate", "api-key"} {
		c.start(name).succeeds(t)
	}
}

// makeSecrets runs the script for secrets on a copy of its folder.
func makeSecrets(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "deploytest-compose-")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	must(t, os.Chmod(dir, 0o755))
	must(t, os.CopyFS(filepath.Join(dir, "compose"), os.DirFS(deploy("compose"))))
	for range 2 {
		out, err := exec.CommandContext(t.Context(), "sh", filepath.Join(dir, "compose/secrets.sh")).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	return filepath.Join(dir, "compose/secrets")
}

type composeRun struct {
	t       *testing.T
	project *types.Project
	running map[string]*process
}

// up starts a service after those that it depends on, and waits for what they must reach.
func (c *composeRun) up(name string) *process {
	c.t.Helper()
	if p := c.running[name]; p != nil {
		return p
	}
	service := c.project.Services[name]
	for _, dependency := range slices.Sorted(maps.Keys(service.DependsOn)) {
		p := c.up(dependency)
		switch how := service.DependsOn[dependency].Condition; how {
		case types.ServiceConditionHealthy:
			c.healthy(dependency, p)
		case types.ServiceConditionCompletedSuccessfully:
			p.succeeds(c.t)
		default:
			c.t.Fatalf("%s: condition %q", name, how)
		}
	}
	c.running[name] = c.start(name)
	return c.running[name]
}

// start runs what the container of a service runs.
func (c *composeRun) start(name string) *process {
	c.t.Helper()
	service := c.project.Services[name]
	var env []string
	for variable, value := range service.Environment {
		env = append(env, variable+"="+*value)
	}
	image, _, _ := strings.Cut(filepath.Base(service.Image), ":")
	switch image {
	case "postgres":
		return startPostgresImage(c.t, env)
	case "devstack": // HOME is the image's.
		env = append(env, "HOME=/var/lib/devstack", "PATH="+os.Getenv("PATH"))
	}
	return start(c.t, name, imageUser, env, append([]string{program(c.t, image)}, service.Command...)...)
}

// healthy waits until the health check of a service succeeds.
func (c *composeRun) healthy(name string, p *process) {
	c.t.Helper()
	service := c.project.Services[name]
	test := slices.Clone(service.HealthCheck.Test)
	if test[0] != "CMD" {
		c.t.Fatalf("%s: health check %v", name, test)
	}
	if test[1] == "/usr/local/bin/tenant-api" {
		test[1] = program(c.t, "tenant-api")
	}
	var env []string
	for variable, value := range service.Environment {
		env = append(env, variable+"="+*value)
	}
	p.eventually(c.t, name+" becomes healthy", func(ctx context.Context) error {
		cmd := exec.CommandContext(ctx, test[1], test[2:]...)
		cmd.Env = append(env, "PATH="+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
}

// startPostgresImage does what the entry point of PostgreSQL's image does: a cluster with the
// superuser's password, then the scripts, then the server for all interfaces.
func startPostgresImage(t *testing.T, env []string) *process {
	t.Helper()
	const nobody = 65534
	bin := postgresBinaries(t)
	data := "/var/lib/postgresql/18/docker"
	must(t, os.MkdirAll(data, 0o755))
	must(t, os.MkdirAll("/run/postgresql", 0o755))
	must(t, os.Chmod(data, 0o700))
	for _, dir := range []string{data, "/run/postgresql"} {
		must(t, os.Chown(dir, nobody, nobody))
	}
	env = append(env, "PATH="+bin+":"+os.Getenv("PATH"))
	start(t, "initdb", nobody, env, bin+"/initdb", "--pgdata", data, "--username", "postgres", "--pwfile", "/run/secrets/postgres-password",
		"--auth-local", "trust", "--auth-host", "scram-sha-256").succeeds(t)
	// Here the socket of the whole run; the image has another server for its scripts.
	server := start(t, "postgres", nobody, env, bin+"/postgres", "-D", data, "-c", "listen_addresses=*", "-c", "unix_socket_directories=/run/postgresql")
	server.eventually(t, "the socket answers", func(ctx context.Context) error {
		return exec.CommandContext(ctx, bin+"/psql", "-h", "/run/postgresql", "-U", "postgres", "-c", "SELECT 1").Run()
	})
	start(t, "owner.sh", nobody, append(env, "PGHOST=/run/postgresql"), "sh", deploy("compose/owner.sh")).succeeds(t)
	return server
}

// postgresBinaries is the folder of the newest PostgreSQL of this machine.
func postgresBinaries(t *testing.T) string {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	must(t, err)
	if len(found) == 0 {
		t.Fatal("no PostgreSQL is installed; install postgresql-15 or newer")
	}
	return found[len(found)-1]
}
