//go:build unix

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// maxBuildRatio is the limit of the upper end of the 95 % interval of the time of this
// build relative to the other one.
const maxBuildRatio = 1.05

// tQuantile is Student's 97.5 % quantile for 19 degrees of freedom, that is 20 pairs.
// More pairs have a smaller one.
const tQuantile = 2.093

// compareBuilds runs rounds of this checkout and of another one in turn, and prints the
// ratio of their times. other is the directory of the other checkout.
func compareBuilds(ctx context.Context, other string, pairs, tenants int) error {
	if pairs < 20 {
		return errors.New("an interval needs at least 20 pairs")
	}
	dir, err := os.MkdirTemp("", "healthcare-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	var builds [2]*build
	for i, source := range []string{".", other} {
		if builds[i], err = startBuild(ctx, source, filepath.Join(dir, strconv.Itoa(i)), tenants); err != nil {
			return err
		}
		defer builds[i].stop()
	}
	fmt.Printf("%d pairs of %d tenants each, this build and that in %s in turn\n\n", pairs, tenants, other)
	fmt.Printf("%-16s %12s %12s %10s   %s\n", "round", "this", "other", "ratio", "95 % interval")
	within := true
	for _, kind := range []string{turnOneClient, turnEightClients, turnAPI} {
		ok, err := comparePairs(builds, kind, pairs, tenants)
		if err != nil {
			return err
		}
		within = within && ok
	}
	fmt.Printf("\ntime per tenant, medians; ratio: geometric mean over the pairs; limit: interval below %.2f\n", maxBuildRatio)
	if !within {
		fmt.Println("NOT within the limit")
	}
	return nil
}

func comparePairs(builds [2]*build, kind string, pairs, tenants int) (bool, error) {
	result, err := runPairs(pairs, tenants, func(_, side int) (float64, error) { return builds[side].run(kind) })
	if err != nil {
		return false, err
	}
	result.print(kind)
	return result.high < maxBuildRatio, nil
}

// pairResult is the outcome of pairs of rounds.
type pairResult struct {
	times            [2]float64 // Medians of the seconds for a tenant, by side.
	ratio, low, high float64    // Geometric mean of the ratios of the times, and its 95 % interval.
}

func (r pairResult) print(name string) {
	fmt.Printf("%-16s %9.2f ms %9.2f ms %10.3f   %.3f to %.3f\n", name, 1000*r.times[0], 1000*r.times[1], r.ratio, r.low, r.high)
}

// runPairs runs pairs of rounds after a pair to warm up, each side first in every second
// pair. run returns the seconds of one side's round.
func runPairs(pairs, tenants int, run func(pair, side int) (seconds float64, err error)) (pairResult, error) {
	var times [2][]float64
	var logs []float64
	for pair := range pairs + 1 {
		var took [2]float64
		for turn := range 2 {
			side := (turn + pair) % 2
			seconds, err := run(pair, side)
			if err != nil {
				return pairResult{}, err
			}
			took[side] = seconds / float64(tenants)
		}
		if pair == 0 {
			continue // Warm-up.
		}
		for side := range times {
			times[side] = append(times[side], took[side])
		}
		logs = append(logs, math.Log(took[0]/took[1]))
	}
	mean, half := interval(logs)
	return pairResult{[2]float64{median(times[0]), median(times[1])}, math.Exp(mean), math.Exp(mean - half), math.Exp(mean + half)}, nil
}

// interval returns the mean of values and half the width of its 95 % interval.
func interval(values []float64) (mean, half float64) {
	n := float64(len(values))
	for _, v := range values {
		mean += v / n
	}
	var squares float64
	for _, v := range values {
		squares += (v - mean) * (v - mean)
	}
	return mean, tQuantile * math.Sqrt(squares/(n-1)/n)
}

// build is a running bench of one checkout, which waits for its turns.
type build struct {
	command *exec.Cmd
	input   io.WriteCloser
	output  *bufio.Scanner
}

func startBuild(ctx context.Context, source, binary string, tenants int) (*build, error) {
	compile := exec.CommandContext(ctx, "go", "build", "-o", binary, "./cmd/bench") //nolint:gosec // a temporary path
	compile.Dir = source
	if out, err := compile.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build %s: %w: %s", source, err, out)
	}
	b := &build{command: exec.CommandContext(ctx, binary, "-turns", "-tenants", strconv.Itoa(tenants))} //nolint:gosec // our own program
	b.command.Dir, b.command.Stderr = source, os.Stderr
	b.command.Cancel = func() error { return b.command.Process.Signal(os.Interrupt) }
	b.command.WaitDelay = time.Minute
	var err error
	if b.input, err = b.command.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := b.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	b.output = bufio.NewScanner(out)
	return b, b.command.Start()
}

// run has the build run one round and returns its seconds.
func (b *build) run(kind string) (float64, error) {
	if _, err := fmt.Fprintln(b.input, kind); err != nil {
		return 0, err
	}
	if !b.output.Scan() {
		return 0, errors.Join(errors.New("the bench ended before its turn"), b.output.Err())
	}
	return strconv.ParseFloat(strings.TrimSpace(b.output.Text()), 64)
}

// stop ends the build after its last round.
func (b *build) stop() {
	_ = b.input.Close()
	_ = b.command.Wait()
}
