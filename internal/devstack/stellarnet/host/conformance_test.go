package host_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stellarnet/host"
)

// This file generates the corpus; conformance.sh writes it and runs it natively in the
// same crate. So the tests show two things without Rust: that the requests are the
// recorded ones, and that the WebAssembly returns the same bytes for each.
const (
	corpusFile = "testdata/corpus.bin.gz"
	nativeFile = "testdata/native.bin.gz"
	digestFile = "testdata/native.digest"
)

var writeCorpus = flag.Bool("write-corpus", false, "write testdata/corpus.bin.gz, for conformance.sh")

func TestWasm_MatchesNativeAnswers(t *testing.T) {
	t.Parallel()
	cases, native := committedCases(t)
	var invocations int
	for i, c := range cases {
		if c.Export == "invoke" || c.Export == "simulate" {
			invocations++
		}
		got, err := host.ReplayCall(t, sharedHost(t), c)
		if err == nil {
			err = compareAnswers(c, got, native[i])
		}
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
		}
	}
	if invocations < 200 {
		t.Errorf("%d invocations, want 200 or more", invocations)
	}
}

// The corpus must have successes and every kind of failure, natively.
func TestCorpus_CoversSuccessAndFailure(t *testing.T) {
	t.Parallel()
	cases, native := committedCases(t)
	found := map[string]int{}
	for i, c := range cases {
		shown := host.FormatAnswer(c.Export, native[i])
		if code := strings.Index(shown, "Error("); code >= 0 {
			shown = shown[code:]
			found[c.Export+" "+shown[:strings.Index(shown, ")")+1]]++
		} else if strings.HasPrefix(shown, "refused") {
			found[c.Export+" refused"]++
		} else {
			found[c.Export]++
		}
	}
	for kind, want := range map[string]int{
		"simulate": 200, "invoke": 100, "simulate_extend_ttl": 50, "simulate_restore": 10,
		"resource_fee": 10, "rent_fee": 10, "xdr_to_json": 100, "default_settings": 1,
		"simulate Error(Contract, #7201)": 1, "simulate Error(Auth, InvalidAction)": 1,
		"simulate Error(Storage, MissingValue)": 1, "simulate Error(Storage, ExistingValue)": 1,
		"invoke Error(Budget, ExceededLimit)": 1, "invoke Error(Auth, ExistingValue)": 1,
		"invoke Error(Auth, InvalidAction)": 1, "invoke Error(Storage, ExceededLimit)": 1,
		"invoke Error(WasmVm, InvalidAction)": 1, "invoke Error(Value, InvalidInput)": 1,
		"invoke refused": 1, "xdr_to_json refused": 1,
	} {
		if found[kind] < want {
			t.Errorf("%d answers of kind %q, want %d or more", found[kind], kind, want)
		}
	}
}

// One byte of each response is changed in turn: first, last and one in between.
func TestCorpus_DetectsSingleByteChange(t *testing.T) {
	t.Parallel()
	cases, native := committedCases(t)
	for i, c := range cases {
		if err := compareAnswers(c, native[i], native[i]); err != nil {
			t.Fatalf("%s: an answer differs from itself: %v", c.Name, err)
		}
		for _, offset := range []int{0, i % len(native[i]), len(native[i]) - 1} {
			spoiled := slices.Clone(native[i])
			spoiled[offset] ^= 1
			if compareAnswers(c, native[i], spoiled) == nil {
				t.Errorf("%s: byte %d is not seen", c.Name, offset)
			}
		}
	}
}

func TestCorpus_MatchesGenerator(t *testing.T) {
	t.Parallel()
	generated := host.EncodeCorpus(generateCorpus(t))
	if *writeCorpus {
		writePacked(t, corpusFile, generated)
		return
	}
	if !bytes.Equal(generated, readPacked(t, corpusFile)) {
		t.Errorf("%s is not what this test generates: run conformance.sh", corpusFile)
	}
}

func TestCorpus_MatchesSources(t *testing.T) {
	t.Parallel()
	recorded := lines(t, digestFile)
	if want := lines(t, "host.digest")["sources"]; recorded["sources"] != want {
		t.Errorf("native answers are of sources %s, the WebAssembly of %s: run conformance.sh", recorded["sources"], want)
	}
	for name, file := range map[string]string{"corpus": corpusFile, "native": nativeFile} {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%x", sha256.Sum256(content)); got != recorded[name] {
			t.Errorf("%s has SHA-256 %s, %s says %s: run conformance.sh", file, got, digestFile, recorded[name])
		}
	}
}

// generateCorpus builds every request of the corpus, and runs them.
func generateCorpus(t *testing.T) []host.RecordedCall {
	t.Helper()
	recorder := host.NewRecorder(t, sharedHost(t))
	for seed := range uint64(3) {
		w := newScenario(t, recorder, seed)
		w.everyFunction()
		w.signatures()
		w.forgedSignatures()
	}
	w := newScenario(t, recorder, 100)
	w.badCalls()
	w.uploads()
	w.creations()
	w.assets(xdr.MustNewNativeAsset())
	credit := xdr.MustNewCreditAsset("CARE", w.key.Address())
	w.trustline(credit)
	w.assets(credit)
	w = newScenario(t, recorder, 200)
	w.footprintRequests()
	w.archived()
	w.fees()
	w.documents()
	w.frames()
	return recorder.Cases
}

// compareAnswers reports where two responses differ, and their content.
func compareAnswers(c host.RecordedCall, got, native []byte) error {
	if bytes.Equal(got, native) {
		return nil
	}
	index := 0
	for index < min(len(got), len(native)) && got[index] == native[index] {
		index++
	}
	return fmt.Errorf("responses differ at byte %d of %d and %d\nwasm:   %s\nnative: %s",
		index, len(got), len(native), host.FormatAnswer(c.Export, got), host.FormatAnswer(c.Export, native))
}

func committedCases(t *testing.T) ([]host.RecordedCall, [][]byte) {
	t.Helper()
	cases, err := host.DecodeCorpus(readPacked(t, corpusFile))
	native, nativeErr := host.DecodeAnswers(readPacked(t, nativeFile))
	if err := errors.Join(err, nativeErr); err != nil {
		t.Fatal(err)
	}
	if len(native) != len(cases) {
		t.Fatalf("%d native answers to %d requests: run conformance.sh", len(native), len(cases))
	}
	return cases, native
}

func readPacked(t *testing.T, file string) []byte {
	t.Helper()
	packed, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	unpacked, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(unpacked)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func writePacked(t *testing.T, file string, content []byte) {
	t.Helper()
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, packed.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// lines reads a file of names and values.
func lines(t *testing.T, file string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		values[name] = value
	}
	return values
}
