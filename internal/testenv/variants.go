//go:build unix

package testenv

import (
	"hash/fnv"
	"os"
	"testing"
)

// VariantsVariable is the environment variable that says in which variants a test runs: allVariants,
// as in CI and in "make test-all", or one (default).
const VariantsVariable = "TEST_VARIANTS"

const allVariants = "all"

// Variants returns those of a test's variants in which it runs now: the modes of the provider, the
// widths of a page. It is all of them, or one, which depends on the test's name: the tests of a
// package together run in each.
func Variants[T any](t testing.TB, all ...T) []T {
	t.Helper()
	if len(all) == 1 || runsAll(t) {
		return all
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(t.Name()))
	i := int(h.Sum32() % uint32(len(all)))
	t.Logf("runs as %v, one of %v; make test-all runs all", all[i], all)
	return all[i : i+1]
}

// Count returns how many things a test makes that makes many: all in CI, else some, with which the
// same faults happen.
func Count(t testing.TB, some, all int) int {
	t.Helper()
	if runsAll(t) {
		return all
	}
	t.Logf("runs with %d instead of %d; make test-all runs with all", some, all)
	return some
}

func runsAll(t testing.TB) bool {
	t.Helper()
	chosen := os.Getenv(VariantsVariable)
	if chosen != "" && chosen != allVariants {
		t.Fatalf("%s is %q; leave it empty, or set it to %s", VariantsVariable, chosen, allVariants)
	}
	return chosen == allVariants
}
