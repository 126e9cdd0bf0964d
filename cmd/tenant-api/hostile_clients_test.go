//go:build unix

package main_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// resident returns a process's resident memory in MB.
func (p *process) resident() float64 {
	p.t.Helper()
	out, err := exec.Command("ps", "-o", "rss=", "-p", strconv.Itoa(p.Process.Pid)).Output()
	if err != nil {
		p.t.Fatal(err)
	}
	kb, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		p.t.Fatal(err)
	}
	return float64(kb) / 1024
}

var manyFiles sync.Mutex

// raiseFileLimit raises the limit of open files of this process, if the system permits it.
// One test at a time uses it, until its end.
func raiseFileLimit(t *testing.T, n uint64) int {
	t.Helper()
	manyFiles.Lock()
	t.Cleanup(manyFiles.Unlock) // After the connections are closed.
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	limit.Cur = max(limit.Cur, min(limit.Max, n))
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	return int(limit.Cur)
}

// TestServe_EvictsIdleConnections: ten thousand connections that send nothing do
// not block other clients or use much memory.
func TestServe_EvictsIdleConnections(t *testing.T) {
	w := setup(t)
	p := w.start(w.createKey("tenants:read"), "serve", "--worker=false")
	p.call(http.MethodGet, "/admin/tenants", nil).want(t, http.StatusOK)
	const wanted = 10_000
	many := min(wanted, raiseFileLimit(t, wanted+1000)-500)
	if many < wanted {
		t.Logf("this system permits %d connections", many)
	}
	before := p.resident()
	address := strings.TrimPrefix(p.url, "http://")
	for i := range many {
		conn, err := net.DialTimeout("tcp", address, 30*time.Second)
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if i%1000 == 999 {
			p.call(http.MethodGet, "/admin/tenants", nil).want(t, http.StatusOK)
		}
	}
	if after := p.resident(); after > before+40 {
		t.Errorf("%.0f MB, before %.0f", after, before)
	}
}

var metricsLine = regexp.MustCompile(`msg="serving metrics" url=(\S+)`)

// TestServe_BodiesThatNeverCome: 1,500 requests with a length and no body, each to a server's
// API and its metrics, neither block other clients nor keep their connections.
func TestServe_BodiesThatNeverCome(t *testing.T) {
	w := setup(t)
	p := w.start(w.createKey("tenants:read"), "serve", "--worker=false", "--metrics-addr", "127.0.0.1:0")
	w.waitFor("the metrics", func() bool { return metricsLine.MatchString(p.log.String()) })
	metrics := metricsLine.FindStringSubmatch(p.log.String())[1]
	const wanted = 1500
	many := min(wanted, raiseFileLimit(t, 2*wanted+1000)/2-500)
	if many < wanted {
		t.Logf("this system permits %d connections to each", many)
	}
	scrape := func() {
		t.Helper()
		got, err := p.client.Get(metrics)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = got.Body.Close() }()
		if text, err := io.ReadAll(got.Body); err != nil || got.StatusCode != http.StatusOK || !strings.Contains(string(text), "tenant_api_request_duration_seconds") {
			t.Errorf("%d %v: %s", got.StatusCode, err, text)
		}
	}
	send := func(url, path string) net.Conn {
		t.Helper()
		address, _, _ := strings.Cut(strings.TrimPrefix(url, "http://"), "/")
		conn, err := net.DialTimeout("tcp", address, 30*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if _, err := io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"); err != nil && !strings.Contains(err.Error(), "reset") {
			t.Fatal(err)
		}
		return conn
	}
	var conns []net.Conn
	for i := range many {
		conns = append(conns, send(p.url, "/livez"), send(metrics, "/nothing"))
		if i%500 == 499 {
			p.call(http.MethodGet, "/livez", nil).want(t, http.StatusOK)
			p.call(http.MethodGet, "/readyz", nil).want(t, http.StatusOK)
			p.call(http.MethodGet, "/admin/tenants", nil).want(t, http.StatusOK)
			scrape()
		}
	}
	for i, conn := range conns { // The server closes each of them.
		_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("connection %d: %v", i, err)
		}
	}
}

// TestServe_TimesOutSlowClients: a request that is never completed is closed.
func TestServe_TimesOutSlowClients(t *testing.T) {
	w := setup(t)
	p := w.start(w.createKey("tenants:write"), "serve", "--worker=false")
	address := strings.TrimPrefix(p.url, "http://")
	for name, head := range map[string]string{
		"Header": "GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: ",
		"Body": "POST /admin/tenants HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + p.token +
			"\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			if _, err := io.WriteString(conn, head); err != nil {
				t.Fatal(err)
			}
			if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			answer, err := io.ReadAll(conn)
			if err != nil {
				t.Fatalf("the connection was not closed: %v", err)
			}
			if line, _, _ := strings.Cut(string(answer), "\r\n"); line != "" && !strings.Contains(line, " 408 ") && !strings.Contains(line, " 400 ") {
				t.Errorf("the response is %q", line)
			}
		})
	}
}

// TestServe_RejectsMalformedHTTP: malformed HTTP is refused and has no other effect.
func TestServe_RejectsMalformedHTTP(t *testing.T) {
	w := setup(t)
	p := w.start(w.createKey("tenants:write"), "serve", "--worker=false")
	address := strings.TrimPrefix(p.url, "http://")
	for name, c := range map[string]struct{ send, status string }{
		"Garbage":       {"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", "400"},
		"HugeHeader":    {"GET /livez HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("a", 64<<10) + "\r\n\r\n", "431"},
		"TwoLengths":    {"POST /admin/tenants HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "400"},
		"NoHost":        {"GET /livez HTTP/1.1\r\n\r\n", "400"},
		"InvalidEscape": {"GET /admin/tenants/%zz HTTP/1.1\r\nHost: x\r\n\r\n", "400"},
		"NULInPath":     {"GET /admin/tenants/%00 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + p.token + "\r\n\r\n", "40"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			go func() { _, _ = io.WriteString(conn, c.send) }() // The server may refuse before everything is sent.
			if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			line, err := bufio.NewReader(conn).ReadString('\n')
			if err != nil || !strings.Contains(line, " "+c.status) {
				t.Errorf("%q, %v", line, err)
			}
		})
	}
	p.call(http.MethodGet, "/readyz", nil).want(t, http.StatusOK)
	if strings.Contains(p.log.String(), "panic") {
		t.Error("the server panicked")
	}
}

// TestServe_RejectsOversizedBodies: with a length and chunked.
func TestServe_RejectsOversizedBodies(t *testing.T) {
	w := setup(t)
	p := w.start(w.createKey("tenants:write"), "serve", "--worker=false")
	before := p.resident()
	huge := `{"name":"` + strings.Repeat("a", 50<<20) + `"}`
	a, err := p.do(http.MethodPost, "/admin/tenants", huge)
	if err == nil {
		a.want(t, http.StatusRequestEntityTooLarge)
	}
	request, err := http.NewRequest(http.MethodPost, p.url+"/admin/tenants", io.LimitReader(spaceReader{}, 50<<20)) // Chunked.
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+p.token)
	request.Header.Set("Content-Type", "application/json")
	if got, err := p.client.Do(request); err == nil {
		_ = got.Body.Close()
		if got.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("status %d", got.StatusCode)
		}
	}
	if after := p.resident(); after > before+20 {
		t.Errorf("%.0f MB, before %.0f", after, before)
	}
	if n := w.registry.Count(); n != 0 {
		t.Error(fmt.Sprint(n, " tenants"))
	}
}

type spaceReader struct{}

func (spaceReader) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}
