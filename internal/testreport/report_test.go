package testreport_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testreport"
)

const run = `# vet says this
{"Action":"run","Package":"m/a","Test":"TestGood"}
{"Action":"output","Package":"m/a","Test":"TestGood","Output":"noise\n"}
{"Action":"pass","Package":"m/a","Test":"TestGood"}
{"Action":"output","Package":"m/a","Test":"TestBad","Output":"    x_test.go:7: wrong\n"}
{"Action":"output","Package":"m/a","Test":"TestBad","Output":"--- FAIL: TestBad (0.00s)\n"}
{"Action":"fail","Package":"m/a","Test":"TestBad"}
{"Action":"skip","Package":"m/a","Test":"TestOld/API"}
{"Action":"output","Package":"m/a","Output":"FAIL\tm/a\t0.1s\n"}
{"Action":"fail","Package":"m/a"}
{"Action":"output","Package":"m/b","Output":"ok  \tm/b\t0.1s\tcoverage: 80.0% of statements\n"}
{"Action":"pass","Package":"m/b"}
{"Action":"skip","Package":"m/c"}
{"ImportPath":"m/d","Action":"build-output","Output":"d.go:1: does not compile\n"}
`

func TestRead(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	report, err := testreport.Read(strings.NewReader(run), &out, "m")
	if err != nil {
		t.Fatal(err)
	}
	if report.Passed != 1 || report.Failed != 2 || !slices.Equal(report.Skipped, []string{"a TestOld/API"}) {
		t.Errorf("%+v", report)
	}
	for _, want := range []string{"# vet says this\n", "x_test.go:7: wrong\n--- FAIL: TestBad", "FAIL\tm/a", "ok  \tm/b", "does not compile"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("missing %q in:\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "noise") {
		t.Errorf("output of a good test is printed:\n%s", out.String())
	}
}

func TestReport_Unexpected(t *testing.T) {
	t.Parallel()
	report := testreport.Report{Skipped: []string{"a TestOld/API", "b TestNew"}}
	for list, want := range map[string]string{
		"":                                  "a TestOld/API, b TestNew",
		"a TestOld # needs another CLI\n":   "b TestNew",
		"# b TestNew\na  TestOld/API\n":     "b TestNew",
		"a TestOld/Database\nb TestNew\n":   "a TestOld/API",
		"x TestOld\na TestOld\n\nb TestNew": "",
	} {
		if got := strings.Join(report.Unexpected(list), ", "); got != want {
			t.Errorf("%q: %q, want %q", list, got, want)
		}
	}
}

func TestReadCoverage(t *testing.T) {
	t.Parallel()
	got, err := testreport.ReadCoverage(strings.NewReader("mode: set\nm/a/x.go:1.1,2.2 3 0\nm/a/x.go:1.1,2.2 3 1\nm/a/y.go:5.1,6.2 1 0\nm/b/z.go:1.1,2.2 2 0\n"), "m")
	if err != nil || len(got) != 2 || got["a"] != (testreport.Coverage{Run: 3, All: 4}) || got["a"].Percent() != 75 || got["b"].Percent() != 0 {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := testreport.ReadCoverage(strings.NewReader("m/a/x.go:1.1,2.2 x 0\n"), "m"); err == nil {
		t.Error("a broken profile is read")
	}
}
