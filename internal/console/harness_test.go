//go:build unix

package console_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/mailcatcher"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stellarnet"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv/pagetest"
)

// These tests run tenant-api as people have it, as a process with a worker, against a real PostgreSQL, mail server
// and Soroban host, and look at its pages in a real browser.

func TestMain(m *testing.M) { testenv.Main(m) }

// site is a running tenant-api with its console.
type site struct {
	t        *testing.T
	program  string
	net      *stellarnet.Network
	mail     *mailcatcher.Catcher
	database string
	env      map[string]string
	flags    []string // Of the command serve.
	url      string
	key      string // With the scope admin.
	process  *exec.Cmd
	ended    chan struct{}
	log      testenv.Buffer
}

// setup starts a server with a worker.
func setup(t *testing.T, settings ...string) *site {
	t.Helper()
	t.Parallel()
	return setupOn(t, testenv.Database(t), settings...)
}

// setupOn is setup on a database.
func setupOn(t *testing.T, database string, settings ...string) *site {
	t.Helper()
	s := &site{t: t, program: testenv.Program(t, "cmd/tenant-api"), net: testenv.Network(t), mail: testenv.Mail(t), database: database}
	s.env = testenv.Settings(s.database, s.net, testenv.Deployer(t, s.net), s.mail)
	s.env["APP_PORT"] = fmt.Sprint(testenv.FreePort(t))
	for _, setting := range settings {
		name, value, _ := strings.Cut(setting, "=")
		s.env[name] = value
	}
	s.key = s.createKey("Ada Admin", "admin")
	s.start()
	t.Cleanup(func() {
		s.kill()
		if t.Failed() {
			t.Logf("log of the server:\n%s", s.log.String())
		}
	})
	return s
}

// createKey creates an API key by the command.
func (s *site) createKey(name string, flags ...string) string {
	s.t.Helper()
	args := []string{"apikey", "create", "--name", name}
	for _, scope := range flags {
		args = append(args, "--scope", scope)
	}
	return strings.TrimSpace(s.run(args...))
}

// run runs a command of the program and returns its output.
func (s *site) run(args ...string) string {
	s.t.Helper()
	var out, fault bytes.Buffer
	cmd := s.command(args...)
	cmd.Stdout, cmd.Stderr = &out, &fault
	if err := cmd.Run(); err != nil {
		s.t.Fatalf("tenant-api %v: %v: %s", args, err, fault.String())
	}
	return out.String()
}

func (s *site) command(args ...string) *exec.Cmd {
	cmd := exec.Command(s.program, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.t.TempDir()}
	for name, value := range s.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	return cmd
}

var servingLine = regexp.MustCompile(`msg=serving url=(\S+)`)

// start starts the server, or starts it again on the same port.
func (s *site) start() {
	s.t.Helper()
	s.process, s.ended = s.command(append([]string{"serve"}, s.flags...)...), make(chan struct{})
	pipe, err := s.process.StderrPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.process.Start(); err != nil {
		s.t.Fatal(err)
	}
	serving := make(chan string, 1)
	ended := s.ended
	go func() {
		defer close(ended)
		for lines := bufio.NewScanner(pipe); lines.Scan(); {
			_, _ = fmt.Fprintln(&s.log, lines.Text()) // Writes to a buffer do not fail.
			if found := servingLine.FindStringSubmatch(lines.Text()); found != nil {
				serving <- found[1]
			}
		}
	}()
	select {
	case s.url = <-serving:
	case <-ended:
		s.t.Fatalf("the server ended: %s", s.log.String())
	case <-time.After(time.Minute):
		s.t.Fatal("the server does not serve")
	}
}

// kill ends the server at once.
func (s *site) kill() {
	_ = s.process.Process.Signal(syscall.SIGKILL) // It may have ended.
	<-s.ended
	_ = s.process.Wait()
}

// call calls the API with the admin's key and returns the decoded answer.
func (s *site) call(method, path string, body any) map[string]any {
	s.t.Helper()
	encoded, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, bytes.NewReader(encoded))
	if err != nil {
		s.t.Fatal(err)
	}
	if r.Header.Set("Authorization", "Bearer "+s.key); body != nil {
		r.Header.Set("Content-Type", "application/json")
	} else {
		r.Body, r.ContentLength = nil, 0
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }() // Only read.
	var decoded map[string]any
	if err := json.NewDecoder(answer.Body).Decode(&decoded); err != nil && answer.StatusCode != http.StatusNoContent {
		s.t.Fatalf("%s %s: %d, %v", method, path, answer.StatusCode, err)
	}
	if answer.StatusCode >= 400 {
		s.t.Fatalf("%s %s: %v", method, path, decoded)
	}
	return decoded
}

// as is a decoded value of the API; the zero value for one of another type.
func as[T any](v any) T {
	found, _ := v.(T)
	return found
}

// submit queues a tenant and returns its id.
func (s *site) submit(name string) string {
	s.t.Helper()
	return s.create(map[string]any{"name": name, "adminEmail": "ada@clinic.example", "adminFirstName": "Ada", "adminLastName": "Lovelace"})
}

// active makes a tenant and returns its id when it is ACTIVE.
func (s *site) active(name string) string { return s.inStatus(s.submit(name), "ACTIVE") }

// inStatus waits until a tenant has a status.
func (s *site) inStatus(id, status string) string {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		found := s.call(http.MethodGet, "/admin/tenants/"+id, nil)
		if found["status"] == status {
			return id
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("the tenant is %v, not %s: %v", found["status"], status, found["provisioningError"])
		}
	}
}

// browser is a browser of a person.
type browser struct {
	*pagetest.Page
	*site
	violations *violations
}

// open starts a browser of a width, which is not signed in.
func (s *site) open(width int64) *browser {
	s.t.Helper()
	b := &browser{pagetest.Open(s.t, width), s, &violations{}}
	b.violations.watch(s.t, b.Context)
	return b
}

// signedIn starts a browser of a width and signs in with a key.
func (s *site) signedIn(width int64, key string) *browser {
	s.t.Helper()
	b := s.open(width)
	b.signIn(key)
	return b
}

// signIn signs in with a key.
func (b *browser) signIn(key string) {
	b.t.Helper()
	b.visit("/console/sign-in")
	b.Do(chromedp.SendKeys(chromedp.CSS("#key"), key+"\r"))
	b.WaitFor(`location.pathname === "/console"`)
}

// visit opens a page of the console and waits until its script has run.
func (b *browser) visit(path string) {
	b.t.Helper()
	b.Do(chromedp.Navigate(b.url + path))
	b.WaitFor(`document.readyState === "complete"`)
}

// see waits for a text on the page.
func (b *browser) see(text string) {
	b.t.Helper()
	b.WaitFor(fmt.Sprintf(`document.body.innerText.includes(%q)`, text))
}

// press clicks the link or button with a text.
func (b *browser) press(text string) {
	b.t.Helper()
	b.WaitFor(fmt.Sprintf(`(() => {
		const found = [...document.querySelectorAll("dialog[open] button, dialog[open] a")].concat([...document.querySelectorAll("main button, main a, header button, header a")])
			.find(e => e.textContent.trim() === %q && e.getClientRects().length)
		if (document.readyState !== "complete") return false
		if (found) found.click()
		return !!found
	})()`, text))
}

// move opens the dialog of a move without fields, and confirms it.
func (b *browser) move(verb string) {
	b.t.Helper()
	b.press(verb)
	b.WaitFor(`document.querySelector("dialog[open] button, section.narrow form button") !== null`) // A page, if the script was not there yet.
	b.press(verb)
}

// fill types a text into the field with an id.
func (b *browser) fill(id, text string) {
	b.t.Helper()
	b.Do(chromedp.SendKeys(chromedp.CSS("#"+id), text))
}

// withoutScripts turns JavaScript of pages off.
func (b *browser) withoutScripts() {
	b.t.Helper()
	if _, err := chromedp.Call(b.Context, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		b.t.Fatal(err)
	}
}
