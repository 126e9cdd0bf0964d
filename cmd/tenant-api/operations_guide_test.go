//go:build unix

package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// guideShell runs the scripts of a guide in a folder of its own, with tenant-api in PATH.
type guideShell struct {
	*testEnv
	guide string
	dir   string
	path  string // In front of PATH.
}

func (w *testEnv) guideShell(guide string) *guideShell {
	w.t.Helper()
	return &guideShell{testEnv: w, guide: guide, dir: w.t.TempDir(), path: filepath.Dir(w.program)}
}

// script is a script of the guide with other words in it. Each word must be there.
func (g *guideShell) script(name string, replacements ...string) string {
	g.t.Helper()
	text, err := os.ReadFile(filepath.Join("../../examples/guides", g.guide, name))
	if err != nil {
		g.t.Fatal(err)
	}
	for i := 0; i < len(replacements); i += 2 {
		if !strings.Contains(string(text), replacements[i]) {
			g.t.Errorf("%s has no %q", name, replacements[i])
		}
	}
	return strings.NewReplacer(replacements...).Replace(string(text))
}

// run runs commands with the settings of the test.
func (g *guideShell) shell(commands string) result {
	g.t.Helper()
	cmd := exec.CommandContext(g.t.Context(), "bash", "-euc", commands)
	cmd.Dir, cmd.Env = g.dir, append(g.command().Env, "PATH="+g.path+":"+os.Getenv("PATH"))
	var out, err strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &err
	cmd.WaitDelay = time.Minute // What runs in the background has both.
	failure := cmd.Run()
	if cmd.ProcessState == nil {
		g.t.Fatal(failure)
	}
	return result{out.String(), err.String(), cmd.ProcessState.ExitCode()}
}

func (g *guideShell) mustShell(commands string) result {
	g.t.Helper()
	r := g.shell(commands)
	if r.code != 0 {
		g.t.Fatalf("%s\nended with %d: %s%s", commands, r.code, r.out, r.err)
	}
	return r
}

func (g *guideShell) write(name, text string) string {
	g.t.Helper()
	path := filepath.Join(g.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		g.t.Fatal(err)
	}
	return path
}

// guideText is the text of a guide.
func guideText(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/guides/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestOperationsGuide_Install unpacks archives as a release has them, and ends with a live tenant
// on services that devstack starts, within five minutes.
func TestOperationsGuide_Install(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "install-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { // As root, PostgreSQL runs as another user.
		t.Fatal(err)
	}
	w := &testEnv{t: t, program: testenv.Program(t, "cmd/tenant-api"), env: map[string]string{"HOME": os.Getenv("HOME"), "APP_PORT": testenv.FreePort(t)}}
	g := &guideShell{testEnv: w, guide: "operations", dir: dir, path: "/usr/local/bin"}
	for _, program := range []string{w.program, testenv.Program(t, "cmd/devstack")} {
		g.mustShell(fmt.Sprintf("tar -czf %s_1.2.3_%s_%s.tar.gz -C %s %[1]s", filepath.Base(program), runtime.GOOS, runtime.GOARCH, filepath.Dir(program)))
	}
	g.mustShell("sha256sum *.tar.gz >terraform-provider-healthcare_1.2.3_SHA256SUMS")
	started := time.Now()
	r := g.mustShell("trap 'kill $(jobs -p); wait' EXIT\n" + g.script("unpack.sh", "linux_amd64", runtime.GOOS+"_"+runtime.GOARCH) + g.script("trial.sh") +
		g.script("first.sh", ":3000", ":"+w.env["APP_PORT"]) + `curl -sS "$MAIL_CATCHER_URL/messages"`)
	r.want(t, 0, "tenant-api_1.2.3_", ".tar.gz: OK", `The tenant "First Clinic" (`, "is ACTIVE", `"name":"First Clinic","status":"ACTIVE"`, "First Clinic is ready: choose your password")
	if took := time.Since(started); took > 5*time.Minute {
		t.Errorf("it took %v", took)
	}
	if info, err := os.Stat(filepath.Join(dir, "ops.key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's file: %v, %v", info, err)
	}
}

// TestOperationsGuide_Connections: a process has the connections that the guide says.
func TestOperationsGuide_Connections(t *testing.T) {
	w := setup(t)
	address := "127.0.0.1:" + testenv.FreePort(t)
	w.start("", "worker", "--metrics-addr", address)
	metrics := w.guideShell("operations").mustShell("curl -sS http://" + address + "/metrics").out
	sum := 1 // The notifier's.
	for _, m := range regexp.MustCompile(`(?m)^healthcare_pool_max_connections\{.*\} (\d+)$`).FindAllStringSubmatch(metrics, -1) {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	if want := fmt.Sprintf("| %d at most |", sum); strings.Count(guideText(t, "operations.md"), want) != 3 {
		t.Errorf("a process has %d connections at most, and the guide says something else", sum)
	}
}

// TestOperationsGuide_Checks runs what is checked daily, weekly and monthly.
func TestOperationsGuide_Checks(t *testing.T) {
	w := setupPlatform(t) // A check finds that the registries of other tests are copies.
	g := w.guideShell("operations")
	g.path += ":" + filepath.Dir(testenv.PgDump(t))
	server := w.start(w.token, "serve")
	w.env["APP_PORT"] = server.url[strings.LastIndex(server.url, ":")+1:]
	server.call("POST", "/admin/tenants", clinic("First Clinic")).want(t, 202)
	w.waitFor("the tenant", w.hasActive(1))
	g.mustShell(g.script("daily.sh")).want(t, 0, "database  ok", "0 findings")
	g.mustShell(g.script("weekly.sh")).want(t, 0, "test admin")
	g.mustShell(g.script("monthly.sh")).want(t, 0, "up to date", "Backed up First Clinic", "LIVE")
}

// TestOperationsGuide_HasEachScript: no script is without a place in its guide, whose tests run them.
func TestOperationsGuide_HasEachScript(t *testing.T) {
	t.Parallel()
	for _, guide := range []string{"operations", "security"} {
		text := guideText(t, guide+".md")
		files, err := os.ReadDir("../../examples/guides/" + guide)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			script, err := os.ReadFile(filepath.Join("../../examples/guides", guide, file.Name()))
			if err != nil {
				t.Fatal(err)
			}
			if block := strings.TrimSpace(string(script)); !strings.Contains(text, block) {
				t.Errorf("the guide %s lacks %s", guide, file.Name())
			}
		}
		if len(files) < 3 {
			t.Errorf("%s: %d files", guide, len(files))
		}
	}
}
