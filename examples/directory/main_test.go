package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The secret that the official libraries are tested with.
const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// start runs the program, and returns its URL.
func start(t *testing.T) string {
	t.Helper()
	t.Setenv(secretVariable, secret)
	output, input := io.Pipe()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, []string{"-listen", "127.0.0.1:0"}, input) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	var url string
	if _, err := fmt.Fscanf(output, "directory: serving %s\n", &url); err != nil {
		t.Fatal(err)
	}
	return url
}

// call is a request; what it leaves out is as it should be.
type call struct {
	path, id, signature, contentType, body string
	at                                     time.Time
}

func body(kind, tenant string, attempt int) string {
	return fmt.Sprintf(`{"specversion":"1.0","id":"1","source":"/blueprints/clinic","type":%q,"subject":%q,
		"data":{"step":"REGISTER_IN_DIRECTORY","attempt":%d,"tenant":{"id":%q,"name":"St. Mary's Clinic"}}}`, kind, tenant, attempt, tenant)
}

func register(tenant string, attempt int) call {
	return call{path: "/tenants", id: tenant + "-" + strconv.Itoa(attempt), body: body("healthcare.tenant.step", tenant, attempt)}
}

func undo(tenant string, attempt int) call {
	return call{path: "/tenants/undo", id: tenant + "-undo-" + strconv.Itoa(attempt), body: body("healthcare.tenant.step.undo", tenant, attempt)}
}

// do sends a request, and returns the status and the text of the answer.
func (c call) do(t *testing.T, url string) (status int, answer string) {
	t.Helper()
	if c.at.IsZero() {
		c.at = time.Now()
	}
	timestamp := strconv.FormatInt(c.at.Unix(), 10)
	if c.signature == "" {
		c.signature = sign(t, c.id, timestamp, c.body)
	}
	if c.contentType == "" {
		c.contentType = "application/cloudevents+json; charset=utf-8"
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+c.path, strings.NewReader(c.body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"webhook-id": c.id, "webhook-timestamp": timestamp, "webhook-signature": c.signature, "Content-Type": c.contentType} {
		r.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }() // It was read.
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, strings.TrimSpace(string(text))
}

func (c call) want(t *testing.T, url string, status int, text string) string {
	t.Helper()
	got, answer := c.do(t, url)
	if got != status || !strings.Contains(answer, text) {
		t.Errorf("%s with %s: %d %s, want %d %s", c.path, c.id, got, answer, status, text)
	}
	return answer
}

func sign(t *testing.T, id, timestamp, body string) string {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + timestamp + "." + body))
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func TestDirectory(t *testing.T) {
	url := start(t)
	first := register("a", 1).want(t, url, 200, `{"outputs":{"directory_id":"dir_`)
	if again := register("a", 1).want(t, url, 200, ""); again != first {
		t.Errorf("the same request has another answer: %s, not %s", again, first)
	}
	if later := register("a", 2).want(t, url, 200, ""); later != first {
		t.Errorf("the tenant has two entries: %s and %s", first, later)
	}
	if other := register("b", 1).want(t, url, 200, ""); other == first {
		t.Errorf("two tenants have the entry %s", other)
	}

	undo("a", 2).want(t, url, 204, "")
	undo("a", 2).want(t, url, 204, "")
	register("a", 2).want(t, url, 410, "this attempt was undone")
	undo("unknown", 1).want(t, url, 204, "")
	third := register("a", 3).want(t, url, 200, "dir_")
	if third == first {
		t.Error("the entry was not deleted")
	}
	undo("a", 1).want(t, url, 204, "") // It was under way for long.
	if _, answer := register("a", 4).do(t, url); answer != third {
		t.Error("an earlier attempt's undo deleted a later one's entry")
	}
	undo("c", 2).want(t, url, 204, "")
	register("c", 2).want(t, url, 410, "this attempt was undone")
}

func TestDirectory_Refuses(t *testing.T) {
	url := start(t)
	with := func(change func(c *call)) call {
		c := register("a", 1)
		change(&c)
		return c
	}
	for name, test := range map[string]struct {
		call   call
		status int
		answer string
	}{
		"AnotherSecret": {with(func(c *call) { c.signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" }), 401, "no webhook-signature was made with this secret"},
		"NoVersion":     {with(func(c *call) { c.signature = "v0,AAAA" }), 401, "no webhook-signature was made with this secret"},
		"Old":           {with(func(c *call) { c.at = time.Now().Add(-6 * time.Minute) }), 401, "too far from this server's time"},
		"Future":        {with(func(c *call) { c.at = time.Now().Add(6 * time.Minute) }), 401, "too far from this server's time"},
		"NoID":          {with(func(c *call) { c.id = "" }), 401, "no webhook-id"},
		"NotJSON":       {with(func(c *call) { c.body = "tenant" }), 400, "is no CloudEvent"},
		"ContentType":   {with(func(c *call) { c.contentType = "application/json" }), 400, "is no CloudEvent"},
		"NoSubject":     {register("", 1), 400, "is no CloudEvent"},
		"WrongType":     {call{path: "/tenants", id: "x", body: body("healthcare.tenant.step.undo", "a", 1)}, 400, "of the type healthcare.tenant.step with"},
		"TooLong":       {with(func(c *call) { c.body = strings.Repeat(" ", maxBody+1) }), 400, "the body cannot be read"},
		"AnotherPath":   {with(func(c *call) { c.path = "/other" }), 404, ""},
	} {
		t.Run(name, func(t *testing.T) { test.call.want(t, url, test.status, test.answer) })
	}
	// A sender that changes its secret signs with both for a while.
	both := register("a", 1)
	both.at = time.Now()
	both.signature = "v1,AAAA " + sign(t, both.id, strconv.FormatInt(both.at.Unix(), 10), both.body)
	both.want(t, url, 200, "dir_")
}

// TestVerify_Example: the example that the official libraries are tested with is accepted.
func TestVerify_Example(t *testing.T) {
	t.Parallel()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	h.Set("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek")
	h.Set("webhook-timestamp", "1614265330")
	h.Set("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
	if err := (&directory{key: key}).verify(h, []byte(`{"test": 2432232314}`), time.Unix(1614265330, 0)); err != nil {
		t.Error(err)
	}
}

func TestRun_Refuses(t *testing.T) {
	t.Setenv(secretVariable, "whsec_short")
	if err := run(t.Context(), nil, io.Discard); err == nil || !strings.Contains(err.Error(), "BLUEPRINT_SECRET_DIRECTORY is no secret") {
		t.Errorf("error %v", err)
	}
	t.Setenv(secretVariable, secret)
	if err := run(t.Context(), []string{"-port", "1"}, io.Discard); err == nil || !strings.Contains(err.Error(), "not defined: -port") {
		t.Errorf("error %v", err)
	}
}
