//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// Limits of the API. The absolute ones are for a machine whose floor is about 180 tenants
// per second; ratios are valid on every machine.
const (
	maxPostTime           = 5 * time.Millisecond
	minAPIThroughputRatio = 0.60 // At least this part of the floor's throughput, with eight clients and without Stellar.
	minChainThroughput    = 60.0 // Tenants per second.
	maxStartTime          = 150 * time.Millisecond
	maxIdleMemory         = 35.0 // MB.
	maxUsedMemory         = 80.0 // MB.
	maxListRatio          = 1.5
)

// measurement is one line of the results.
type measurement struct {
	name, value, limit string
	ok                 bool
}

// runAPI measures tenant-api and the floor in one run.
func (b *bench) runAPI(ctx context.Context) error {
	if err := b.buildAPI(ctx); err != nil {
		return err
	}
	fmt.Printf("%d tenants in each round, %d for memory; commits wait for the disk\n\n", b.tenants, b.memory)
	return runMeasurements(ctx, b.measureStartAndIdle, b.measurePosts, b.measureThroughput, b.measureChainThroughput, b.measureUsedMemory, b.measurePages)
}

// runMeasurements runs the measurements one by one and prints each result at once.
func runMeasurements(ctx context.Context, measures ...func(context.Context) ([]measurement, error)) error {
	withinLimits := true
	for _, measure := range measures {
		results, err := measure(ctx)
		if err != nil {
			return err
		}
		for _, f := range results {
			note := ""
			if !f.ok {
				note = "   NOT within the limit"
			}
			fmt.Printf("%-62s %44s   %s%s\n", f.name, f.value, f.limit, note)
			withinLimits = withinLimits && f.ok
		}
	}
	if !withinLimits {
		fmt.Println("\nNOT within all limits")
	}
	return nil
}

// measurePosts measures the time of a POST until its 202, with one POST at a time.
func (b *bench) measurePosts(ctx context.Context) ([]measurement, error) {
	s, err := b.startServer(ctx, false)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	const warmUp = 20
	var times []float64
	for i := range warmUp + 200 {
		began := time.Now()
		if err := s.post(ctx, fmt.Sprintf("Post %d", i)); err != nil {
			return nil, err
		}
		if i >= warmUp {
			times = append(times, time.Since(began).Seconds())
		}
		if err := s.waitActive(ctx, i+1); err != nil { // Otherwise the worker slows down the next POST.
			return nil, err
		}
	}
	got := time.Duration(median(times) * float64(time.Second))
	return []measurement{{"POST to 202, median of 200, with a worker", got.Round(10 * time.Microsecond).String(), "< " + maxPostTime.String(), got < maxPostTime}}, nil
}

// measureThroughput compares the floor with eight clients that POST, round by round.
func (b *bench) measureThroughput(ctx context.Context) ([]measurement, error) {
	var rates, floors, ratios []float64
	for round := range b.rounds + 1 {
		url, drop, err := b.floorDatabase(ctx)
		if err != nil {
			return nil, err
		}
		floor, err := b.floor(ctx, url, 8)
		drop()
		if err != nil {
			return nil, err
		}
		took, err := b.timeRound(ctx, false, b.tenants)
		if err != nil {
			return nil, err
		}
		if round == 0 {
			continue // Warm-up.
		}
		rates = append(rates, float64(b.tenants)/took.Seconds())
		floors = append(floors, float64(b.tenants)/floor.Seconds())
		ratios = append(ratios, floor.Seconds()/took.Seconds())
	}
	got := median(ratios)
	return []measurement{
		{"the floor, 8 clients", fmt.Sprintf("%.0f/s", median(floors)), "", true},
		{"POST to ACTIVE, 8 clients, without Stellar", fmt.Sprintf("%.0f/s, %.2f of the floor", median(rates), got), fmt.Sprintf("> %.2f", minAPIThroughputRatio), got >= minAPIThroughputRatio},
	}, nil
}

// measureChainThroughput measures throughput with real contracts, on a network that closes ten ledgers a second.
func (b *bench) measureChainThroughput(ctx context.Context) ([]measurement, error) {
	const tenants = 600
	took, err := b.timeRound(ctx, true, tenants)
	if err != nil {
		return nil, err
	}
	rate := tenants / took.Seconds()
	return []measurement{{fmt.Sprintf("POST to ACTIVE, 8 clients, with Stellar, %d channels", apiChannels),
		fmt.Sprintf("%.1f/s, %.2f per ledger", rate, rate/10), fmt.Sprintf("> %.0f/s", minChainThroughput), rate >= minChainThroughput}}, nil
}

// timeRound has eight clients POST a number of tenants and returns the time until all are ACTIVE.
func (b *bench) timeRound(ctx context.Context, chain bool, tenants int) (time.Duration, error) {
	s, err := b.startServer(ctx, chain)
	if err != nil {
		return 0, err
	}
	defer s.stop()
	if err := s.post(ctx, "The first"); err != nil { // Opens connections and uploads the contract's code.
		return 0, err
	}
	if err := s.waitActive(ctx, 1); err != nil {
		return 0, err
	}
	began := time.Now()
	if err := s.postTenants(ctx, tenants); err != nil {
		return 0, err
	}
	err = s.waitActive(ctx, tenants+1)
	return time.Since(began), err
}

// postTenants POSTs a number of tenants from eight concurrent clients.
func (s *serverProcess) postTenants(ctx context.Context, tenants int) error {
	const clients = 8
	var (
		wg   sync.WaitGroup
		errs [clients]error
	)
	for client := range clients {
		wg.Go(func() {
			for i := client; i < tenants; i += clients {
				if errs[client] = s.post(ctx, fmt.Sprintf("Tenant %d", i)); errs[client] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs[:]...)
}

func (s *serverProcess) post(ctx context.Context, name string) error {
	body, err := json.Marshal(map[string]string{"name": name, "adminEmail": "ada@clinic.example", "adminFirstName": "Ada", "adminLastName": "Lovelace"})
	if err != nil {
		return err
	}
	var accepted any
	return s.call(ctx, http.MethodPost, "/admin/tenants", bytes.NewReader(body), http.StatusAccepted, &accepted)
}

func (s *serverProcess) call(ctx context.Context, method, path string, body io.Reader, want int, target any) error {
	request, err := http.NewRequestWithContext(ctx, method, s.url+path, body)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+s.key)
	request.Header.Set("Content-Type", "application/json")
	response, err := s.client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != want {
		return fmt.Errorf("%s %s: %s: %s", method, path, response.Status, text)
	}
	return json.Unmarshal(text, target)
}

// waitActive polls the registry's counts until a number of tenants is ACTIVE.
func (s *serverProcess) waitActive(ctx context.Context, tenants int) error {
	for {
		var active, failed int
		err := s.conn.QueryRow(ctx, `SELECT sum(active), sum(failed) FROM tenant_counts`).Scan(&active, &failed)
		switch {
		case err != nil:
			return err
		case failed > 0:
			return fmt.Errorf("%d tenants are FAILED", failed)
		case active >= tenants:
			return nil
		}
		select {
		case <-time.After(2 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// measurePages compares pages of a list of 100,000 tenants with pages of a list of 100. Requests
// to the two servers alternate, so that a change of the machine's speed affects both.
func (b *bench) measurePages(ctx context.Context) ([]measurement, error) {
	const few, many = 100, 100_000
	var (
		servers [2]*serverProcess
		deep    [2]string
	)
	for i, tenants := range []int{few, many} {
		s, err := b.startServer(ctx, false)
		if err != nil {
			return nil, err
		}
		defer s.stop()
		if err := insertTenants(ctx, s.conn, tenants); err != nil {
			return nil, err
		}
		if deep[i], err = s.deepPage(ctx, tenants/2); err != nil {
			return nil, err
		}
		servers[i] = s
	}
	var results []measurement
	for _, page := range []struct {
		what  string
		paths [2]string
	}{
		{"first page", [2]string{"/admin/tenants?limit=20", "/admin/tenants?limit=20"}},
		{"deep page", deep},
		{"page of a status", [2]string{"/admin/tenants?limit=20&status=FAILED", "/admin/tenants?limit=20&status=FAILED"}},
	} {
		var times [2][]float64
		for i := range 320 {
			for which, s := range servers {
				began := time.Now()
				var answer any
				if err := s.call(ctx, http.MethodGet, page.paths[which], nil, http.StatusOK, &answer); err != nil {
					return nil, err
				}
				if i >= 20 {
					times[which] = append(times[which], time.Since(began).Seconds())
				}
			}
		}
		ratio := median(times[1]) / median(times[0])
		results = append(results, measurement{"list, " + page.what + ", 100,000 tenants to 100",
			fmt.Sprintf("%.2f ms, ratio %.2f", 1000*median(times[1]), ratio), fmt.Sprintf("< %.1f", maxListRatio), ratio < maxListRatio})
	}
	return results, nil
}

// insertTenants inserts rows until there is a number of tenants. They have no schemas.
func insertTenants(ctx context.Context, conn *pgx.Conn, tenants int) error {
	_, err := conn.Exec(ctx, `INSERT INTO tenants (id, name, name_key, schema_name, status, admin_email, admin_first_name, admin_last_name, soroban_contract_id, activated_at, created_at)
		SELECT gen_random_uuid(), 'Filler ' || n, 'filler ' || n, 'filler_' || 1700000000000 + n, CASE WHEN n % 4 = 0 THEN 'FAILED' ELSE 'ACTIVE' END, 'a@b.example', 'A', 'B',
		       repeat('C', 56), now(), now() - n * interval '1 second' FROM generate_series((SELECT count(*) + 1 FROM tenants), $1::int) n`, tenants)
	if err == nil {
		_, err = conn.Exec(ctx, `VACUUM ANALYZE tenants`)
	}
	return err
}

// deepPage follows cursors past a number of tenants and returns the path of the next page.
func (s *serverProcess) deepPage(ctx context.Context, behind int) (string, error) {
	path := "/admin/tenants?limit=100"
	for seen := 0; seen < behind; seen += 100 {
		var page struct {
			NextCursor string `json:"nextCursor"`
		}
		if err := s.call(ctx, http.MethodGet, path, nil, http.StatusOK, &page); err != nil {
			return "", err
		}
		if page.NextCursor == "" {
			break
		}
		path = "/admin/tenants?limit=100&cursor=" + page.NextCursor
	}
	return strings.Replace(path, "limit=100", "limit=20", 1), nil
}
