//go:build unix

package main_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// These tests generate clients from the OpenAPI document with other people's generators. A small
// program in testdata/clients uses each for a tenant's life, and for two errors. The commands are those
// of the guide.

func TestGeneratedClients_OpenAPITypeScript(t *testing.T) {
	c := newGeneratedClient(t, "npm")
	c.npm("openapi-typescript")
	c.compile("openapi-typescript")
	c.lifeOf("node", "out/openapi-typescript.js")
}

func TestGeneratedClients_HeyAPI(t *testing.T) {
	c := newGeneratedClient(t, "npm")
	c.npm("openapi-ts")
	c.compile("hey-api")
	c.lifeOf("node", "out/hey-api.js")
}

// TestGeneratedClients_Guide runs the guide's program in TypeScript.
func TestGeneratedClients_Guide(t *testing.T) {
	c := newGeneratedClient(t, "npm")
	c.npm("openapi-typescript")
	if err := os.WriteFile(filepath.Join(c.dir, "tenant.ts"), []byte(guideFile(t, "api", "tenant.ts")), 0o600); err != nil {
		t.Fatal(err)
	}
	c.compile("tenant")
	out := c.run("node", "out/tenant.js")
	for _, want := range []string{"queued ", "CREATE_SCHEMA COMPLETED\n", "\nACTIVE\n400 adminEmail: needs exactly one @", "\narchived\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in:\n%s", want, out)
		}
	}
	if commands := strings.Count(guideFile(t, "api", "generate.sh"), "\n"); commands != 4 {
		t.Errorf("%d commands, and these tests run 4", commands)
	}
}

// guideFile is a file of a guide.
func guideFile(t *testing.T, guide, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../examples/guides", guide, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestGeneratedClients_Python(t *testing.T) {
	c := newGeneratedClient(t, "python")
	bin := testenv.PythonTools(t, "testdata/clients/python/requirements.txt")
	// The client needs nothing that the generator does not need.
	out := c.generate("openapi-python-client", bin)
	if strings.Contains(out, "WARNING") {
		t.Errorf("the generator leaves out a part of the document:\n%s", out)
	}
	c.lifeOf(filepath.Join(bin, "python"), "main.py")
}

func TestGeneratedClients_Go(t *testing.T) {
	c := newGeneratedClient(t, "go")
	c.generate("go tool oapi-codegen", "")
	c.command("go", "build", "-o", "client", ".")
	c.lifeOf("./client")
}

// generatedClient is a folder with the document, and the program that uses a client of it.
type generatedClient struct {
	t   *testing.T
	w   *testEnv
	dir string
}

func newGeneratedClient(t *testing.T, kind string) *generatedClient {
	t.Helper()
	w := setup(t)
	c := &generatedClient{t: t, w: w, dir: t.TempDir()}
	if err := os.CopyFS(c.dir, os.DirFS(filepath.Join("testdata/clients", kind))); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.dir, "openapi.json"), []byte(w.mustRun("openapi").out), 0o600); err != nil {
		t.Fatal(err)
	}
	return c
}

// command runs a program in the folder and returns what it prints.
func (c *generatedClient) command(program string, args ...string) string {
	c.t.Helper()
	return c.commandIn(os.Environ(), program, args...)
}

func (c *generatedClient) commandIn(environment []string, program string, args ...string) string {
	c.t.Helper()
	cmd := exec.CommandContext(c.t.Context(), program, args...)
	cmd.Dir, cmd.Env = c.dir, append(environment, "NO_COLOR=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		c.t.Fatalf("%s %v: %v\n%s", program, args, err, out)
	}
	return string(out)
}

// generate runs the guide's command that begins with these words, of the folder bin or of PATH, and
// returns what it prints.
func (c *generatedClient) generate(words, bin string) string {
	c.t.Helper()
	for line := range strings.Lines(guideFile(c.t, "api", "generate.sh")) {
		line, _ = strings.CutPrefix(strings.TrimSpace(line), "npx ")
		if strings.HasPrefix(line, words+" ") {
			fields := strings.Fields(line)
			return c.command(filepath.Join(bin, fields[0]), fields[1:]...)
		}
	}
	c.t.Fatalf("the guide has no command %s", words)
	return ""
}

// npm runs the guide's command of a program of the pinned packages.
func (c *generatedClient) npm(program string) {
	c.t.Helper()
	modules := testenv.NodeModules(c.t, os.DirFS("testdata/clients/npm"), false)
	if err := os.Symlink(modules, filepath.Join(c.dir, "node_modules")); err != nil {
		c.t.Fatal(err)
	}
	c.generate(program, filepath.Join("node_modules", ".bin"))
}

// compile checks the types of client and program, and compiles both into the folder out.
func (c *generatedClient) compile(program string) {
	c.t.Helper()
	c.command(filepath.Join("node_modules", ".bin", "tsc"), "--strict", "--skipLibCheck", "--target", "es2022", "--module", "commonjs", "--moduleResolution", "node10", "--types", "node", "--outDir", "out", program+".ts")
}

// run runs the program against a server, and returns what it prints.
func (c *generatedClient) run(program string, args ...string) string {
	c.t.Helper()
	p := c.w.start(c.w.createKey("tenants:write"), "serve")
	return c.commandIn(append(os.Environ(), "BASE_URL="+p.url, "TOKEN="+p.token, "TENANT_API_URL="+p.url, "TENANT_API_TOKEN="+p.token), program, args...)
}

// lifeOf runs the program against a server.
func (c *generatedClient) lifeOf(program string, args ...string) {
	c.t.Helper()
	out := c.run(program, args...)
	if want := fmt.Sprintf("queued\nACTIVE\n%d adminEmail\n%d name\narchived\n", http.StatusBadRequest, http.StatusConflict); out != want {
		c.t.Errorf("the program printed\n%s\nwant\n%s", out, want)
	}
}
