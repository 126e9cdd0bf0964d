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
	switch chosen := os.Getenv(VariantsVariable); chosen {
	case allVariants:
		return all
	case "":
	default:
		t.Fatalf("%s is %q; leave it empty, or set it to %s", VariantsVariable, chosen, allVariants)
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(t.Name()))
	i := int(h.Sum32() % uint32(len(all)))
	t.Logf("runs as %v, one of %v; make test-all runs all", all[i], all)
	return all[i : i+1]
}
