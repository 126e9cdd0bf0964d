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
// program in testdata/clients uses each for a tenant's life, and for two errors.

func TestGeneratedClients_OpenAPITypeScript(t *testing.T) {
	c := newGeneratedClient(t, "npm")
	c.npm("openapi-typescript", "openapi.json", "-o", "generated/schema.ts")
	c.runTypeScript("openapi-typescript")
}

func TestGeneratedClients_HeyAPI(t *testing.T) {
	c := newGeneratedClient(t, "npm")
	c.npm("openapi-ts", "-i", "openapi.json", "-o", "generated/client")
	c.runTypeScript("hey-api")
}

func TestGeneratedClients_Python(t *testing.T) {
	c := newGeneratedClient(t, "python")
	bin := testenv.PythonTools(t, "testdata/clients/python/requirements.txt")
	// The client needs nothing that the generator does not need.
	out := c.command(filepath.Join(bin, "openapi-python-client"), "generate", "--path", "openapi.json", "--output-path", "generated", "--config", "config.yaml", "--meta", "none")
	if strings.Contains(out, "WARNING") {
		t.Errorf("the generator leaves out a part of the document:\n%s", out)
	}
	c.command("mv", "generated", "tenant_api_client")
	c.lifeOf(filepath.Join(bin, "python"), "main.py")
}

func TestGeneratedClients_Go(t *testing.T) {
	c := newGeneratedClient(t, "go")
	c.command("go", "tool", "oapi-codegen", "-config", "config.yaml", "openapi.json")
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

// npm runs a program of the pinned packages.
func (c *generatedClient) npm(program string, args ...string) {
	c.t.Helper()
	modules := testenv.NodeModules(c.t, os.DirFS("testdata/clients/npm"), false)
	if err := os.Symlink(modules, filepath.Join(c.dir, "node_modules")); err != nil {
		c.t.Fatal(err)
	}
	c.command(filepath.Join("node_modules", ".bin", program), args...)
}

// runTypeScript checks the types of client and program, and runs it.
func (c *generatedClient) runTypeScript(program string) {
	c.t.Helper()
	c.command(filepath.Join("node_modules", ".bin", "tsc"), "--strict", "--skipLibCheck", "--target", "es2022", "--module", "commonjs", "--moduleResolution", "node10", "--types", "node", "--outDir", "out", program+".ts")
	c.lifeOf("node", "out/"+program+".js")
}

// lifeOf runs the program against a server.
func (c *generatedClient) lifeOf(program string, args ...string) {
	c.t.Helper()
	p := c.w.start(c.w.createKey("tenants:write"), "serve")
	out := c.commandIn(append(os.Environ(), "BASE_URL="+p.url, "TOKEN="+p.token), program, args...)
	if want := fmt.Sprintf("queued\nACTIVE\n%d adminEmail\n%d name\narchived\n", http.StatusBadRequest, http.StatusConflict); out != want {
		c.t.Errorf("the program printed\n%s\nwant\n%s", out, want)
	}
}
