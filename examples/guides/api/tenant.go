// Command api creates a tenant, follows it until it is ACTIVE, reads an error, and archives the
// tenant.
package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

var again = []int{http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout}

// problem is an error answer of the API, as RFC 9457 has it.
type problem struct {
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Errors []struct{ Field, Message string }
}

func (p *problem) Error() string { return fmt.Sprintf("%d: %s", p.Status, p.Detail) }

// send sends one request. The caller closes the body of the answer.
func send(ctx context.Context, method, path string, body any, header ...string) (*http.Response, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	if body == nil {
		text = nil
	}
	r, err := http.NewRequestWithContext(ctx, method, os.Getenv("TENANT_API_URL")+path, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+os.Getenv("TENANT_API_TOKEN"))
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return http.DefaultClient.Do(r)
}

// call sends a request that is safe to repeat, and reads the answer's JSON. The error can be a
// *problem.
func call(ctx context.Context, method, path string, body, answer any, header ...string) error {
	for remaining := 4; ; remaining-- {
		wait, err := callOnce(ctx, method, path, body, answer, header)
		if wait == 0 || remaining == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// callOnce also returns how long to wait before the request is sent again; 0: not again.
func callOnce(ctx context.Context, method, path string, body, answer any, header []string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	got, err := send(ctx, method, path, body, header...)
	if err != nil {
		return time.Second, err // No answer.
	}
	defer func() { _ = got.Body.Close() }() // It was read.
	if got.StatusCode < http.StatusBadRequest {
		return 0, json.NewDecoder(got.Body).Decode(answer)
	}
	p := &problem{Status: got.StatusCode, Detail: got.Status}
	if got.Header.Get("Content-Type") == "application/problem+json" { // A proxy's own error page is none.
		err = json.NewDecoder(got.Body).Decode(p)
	}
	if !slices.Contains(again, got.StatusCode) {
		return 0, errors.Join(p, err)
	}
	seconds, _ := strconv.Atoi(got.Header.Get("Retry-After")) // Absent: 0.
	return time.Duration(max(1, seconds)) * time.Second, p
}

// events prints the steps that come behind the event with the id last, and returns the newest id.
func events(ctx context.Context, id, last string) (string, error) {
	got, err := send(ctx, http.MethodGet, "/admin/tenants/"+id+"/events", nil, "Last-Event-ID", last)
	if err != nil {
		return last, err
	}
	defer func() { _ = got.Body.Close() }() // It was read.
	lines := bufio.NewScanner(got.Body)
	for lines.Scan() {
		if number, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
			last = number
		}
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		var step struct{ Step, Status string }
		if ok && json.Unmarshal([]byte(data), &step) == nil && step.Step != "" {
			fmt.Println(step.Step, step.Status)
		}
	}
	return last, lines.Err()
}

// follow returns the tenant's status when its provisioning has ended.
func follow(ctx context.Context, id string) (string, error) {
	for last := "0"; ; {
		var err error
		if last, err = events(ctx, id, last); err != nil {
			time.Sleep(time.Second) // The connection broke: go on behind the last event.
		}
		var tenant struct{ Status string }
		if err := call(ctx, http.MethodGet, "/admin/tenants/"+id, nil, &tenant); err != nil {
			return "", err
		}
		if tenant.Status != "PENDING" && tenant.Status != "PROVISIONING" {
			return tenant.Status, nil
		}
	}
}

func run(ctx context.Context) error {
	clinic := map[string]string{"name": "St. Mary's Clinic", "adminEmail": "ada@st-marys.example", "adminFirstName": "Ada", "adminLastName": "Lovelace"}
	var created struct{ TenantID string }
	// The key belongs to this creation, not to the request: every repetition has the same one.
	if err := call(ctx, http.MethodPost, "/admin/tenants", clinic, &created, "Idempotency-Key", rand.Text()); err != nil {
		return err
	}
	fmt.Println("queued", created.TenantID)
	status, err := follow(ctx, created.TenantID)
	if err != nil {
		return err
	}
	fmt.Println(status)
	if status != "ACTIVE" {
		return errors.New("the provisioning failed: provisioningError says why")
	}

	clinic["name"], clinic["adminEmail"] = "Other", "nobody"
	var p *problem
	if err := call(ctx, http.MethodPost, "/admin/tenants", clinic, &created); !errors.As(err, &p) {
		return err
	}
	for _, e := range p.Errors {
		fmt.Printf("%d %s: %s\n", p.Status, e.Field, e.Message)
	}

	var archived struct{ Status string }
	err = call(ctx, http.MethodDelete, "/admin/tenants/"+created.TenantID, nil, &archived)
	fmt.Println(archived.Status)
	return err
}

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
