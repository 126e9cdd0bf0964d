//go:build unix

package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// scaleClients is the number of clients that provision.
const scaleClients = 8

// scaleBatch is the number of unmeasured tenants between two reports.
const scaleBatch = 1000

// parseSizes reads numbers of tenants, separated by commas, and sorts them.
func parseSizes(text string) ([]int, error) {
	var sizes []int
	for part := range strings.SplitSeq(text, ",") {
		size, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil || size <= 0 || size%scaleClients != 0 {
			return nil, fmt.Errorf("%q is no size: give multiples of %d", part, scaleClients)
		}
		sizes = append(sizes, size)
	}
	slices.Sort(sizes)
	return sizes, nil
}

// runScale provisions tenants up to each of the sizes. At each it provisions rounds of
// tenants beside them and, in turn, on another server that begins without tenants, and
// prints the ratio of their times with its 95 % interval. The ratio at size 0 tells how well
// the two servers compare.
func (b *bench) runScale(ctx context.Context) error {
	if b.rounds < 20 {
		b.rounds = 20 // An interval needs that many.
	}
	url, _, err := b.database(ctx)
	if err != nil {
		return err
	}
	version, err := serverVersion(ctx, url)
	if err != nil {
		return err
	}
	fmt.Printf("PostgreSQL %s, ordinary owner, commits wait for the disk; %d clients, %d pairs of %d tenants each\n\n", version, scaleClients, b.rounds, b.tenants)
	fmt.Printf("%-16s %12s %12s %10s   %s\n", "tenants", "beside them", "new server", "ratio", "95 % interval")
	tenants := 0
	for _, size := range append([]int{0}, b.sizes...) {
		for ; tenants < size; tenants += min(scaleBatch, size-tenants) {
			if err := b.addTenants(ctx, url, tenants, min(scaleBatch, size-tenants)); err != nil {
				return err
			}
		}
		added, err := b.compareSize(ctx, url, size)
		if err != nil {
			return err
		}
		tenants += added
	}
	fmt.Println("\ntime per tenant, medians; ratio: geometric mean over the pairs")
	return nil
}

func serverVersion(ctx context.Context, url string) (version string, err error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	return version, conn.QueryRow(ctx, `SHOW server_version`).Scan(&version)
}

// addTenants provisions tenants beside the measured ones.
func (b *bench) addTenants(ctx context.Context, url string, from, tenants int) error {
	unmeasured := *b
	unmeasured.tenants = tenants
	took, err := unmeasured.timeProduct(ctx, url, scaleClients, fmt.Sprintf("Tenant %d", from), false)
	if err == nil {
		fmt.Fprintf(os.Stderr, "%d tenants (%.1f ms for each)\n", from+tenants, 1000*took.Seconds()/float64(tenants))
	}
	return err
}

// compareSize measures the pairs at one size, and returns the number of tenants that
// there are more.
func (b *bench) compareSize(ctx context.Context, url string, size int) (added int, err error) {
	empty := &bench{options: b.options, dir: b.dir}
	if err := empty.startPostgreSQL(ctx); err != nil {
		return 0, err
	}
	defer func() { _ = empty.server.Stop() }()
	other, _, err := empty.database(ctx)
	if err != nil {
		return 0, err
	}
	result, err := runPairs(b.rounds, b.tenants, func(pair, side int) (float64, error) {
		var took time.Duration
		var err error
		if side == 0 {
			took, err = b.timeProduct(ctx, url, scaleClients, fmt.Sprintf("Size %d %d", size, pair), false)
			added += b.tenants
		} else {
			took, err = empty.timeProduct(ctx, other, scaleClients, fmt.Sprintf("Tenant %d", pair), false)
		}
		return took.Seconds(), err
	})
	if err != nil {
		return added, err
	}
	result.print(fmt.Sprintf("%d to %d", size, size+added))
	return added, nil
}
