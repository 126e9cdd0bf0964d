package provider_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/go-version"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provider"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// The tests named TestAcc use terraform-plugin-testing: the provider runs in this process,
// and plan, state and values are checked as data. The tests named TestCLI start the CLI
// and the provider as users do. They see what the framework hides: what is printed, kills,
// interrupts, and what is stored where. See docs/adr/0018.

// useFramework tells terraform-plugin-testing which CLI to run and what the provider's
// address is: the newest CLI if there is one, because it has all features.
func useFramework() error {
	// The user's own settings of the CLI must not affect the tests.
	for _, name := range []string{"TF_LOG", "TF_LOG_PROVIDER", "TF_DATA_DIR", "TF_WORKSPACE", "TF_CLI_ARGS"} {
		if err := os.Unsetenv(name); err != nil {
			return err
		}
	}
	path := os.Getenv("TF_ACC_TERRAFORM_PATH")
	for _, name := range []string{testenv.NewestCLIVariable, testenv.CLIVariable} {
		if other := os.Getenv(name); path == "" && other != "none" {
			path = other
		}
	}
	if path == "" {
		path = "terraform"
		if _, err := exec.LookPath(path); err != nil {
			path = "tofu"
		}
	}
	path, err := exec.LookPath(path)
	if err != nil {
		return fmt.Errorf("%w: install Terraform or OpenTofu, or run make test, which builds one", err)
	}
	said, err := exec.Command(path, "version").Output()
	found := regexp.MustCompile(`(?m)^(Terraform|OpenTofu) v(\S+)`).FindStringSubmatch(string(said))
	if err != nil || found == nil {
		return fmt.Errorf("%s version: %q, %w", path, said, err)
	}
	frameworkCLI.name = strings.ToLower(found[1])
	if frameworkCLI.version, err = version.NewVersion(found[2]); err != nil {
		return err
	}
	host := "registry." + frameworkCLI.name + ".io"
	if frameworkCLI.name == "opentofu" {
		host = "registry.opentofu.org"
	}
	namespace, _, _ := strings.Cut(strings.TrimPrefix(provider.Address, "registry.terraform.io/"), "/")
	return errors.Join(os.Setenv("TF_ACC", "1"), os.Setenv("GOGC", cliGarbageCollection), os.Setenv("TF_ACC_TERRAFORM_PATH", path),
		os.Setenv("TF_CLI_CONFIG_FILE", os.DevNull), // Without one, the CLI reads ~/.terraformrc.

		os.Setenv("TF_ACC_PROVIDER_HOST", host), os.Setenv("TF_ACC_PROVIDER_NAMESPACE", namespace))
}

// factories serve the provider in this process, with the test's settings at the time of
// each command.
func (w *testEnv) factories() map[string]func() (tfprotov6.ProviderServer, error) {
	return map[string]func() (tfprotov6.ProviderServer, error){"healthcare": func() (tfprotov6.ProviderServer, error) {
		environment := w.environment()
		serve, _ := provider.NewServer("test", func(name string) string { return environment[name] })
		return serve(), nil
	}}
}

// test runs steps, then destroys what is left and checks that no tenant is live.
func (w *testEnv) test(steps ...resource.TestStep) {
	w.t.Helper()
	w.testCase(resource.TestCase{Steps: steps})
}

// testCase is test with further settings.
func (w *testEnv) testCase(c resource.TestCase) {
	w.t.Helper()
	factories := w.factories()
	maps.Copy(factories, c.ProtoV6ProviderFactories)
	c.ProtoV6ProviderFactories = factories
	c.WorkingDir = filepath.Join(w.dir, frameworkFolder) // The state file can be found there.
	if err := os.MkdirAll(c.WorkingDir, 0o700); err != nil {
		w.t.Fatal(err)
	}
	c.Steps, c.ErrorCheck = w.checkRefusals(c.Steps), w.checkError
	resource.Test(w.t, c)
	w.assertRefused()
	// Not as CheckDestroy, which does not run when the state is empty.
	if n := w.registry.Unarchived(); n != 0 {
		w.t.Errorf("%d tenants are not archived at the end", n)
	}
}

// frameworkFolder has the working directory of terraform-plugin-testing.
const frameworkFolder = "framework"

// framework is setup for a test with terraform-plugin-testing.
func framework(t *testing.T, m mode) *testEnv {
	t.Helper()
	return setup(t, m, "")
}

// frameworkCLI is the CLI of the TestAcc tests: "terraform" or "opentofu", and its version.
var frameworkCLI struct {
	name    string
	version *version.Version
}

// needsTerraform skips a test of a feature that OpenTofu and Terraform below the minimum do
// not have.
func needsTerraform(t *testing.T, minimum string) {
	t.Helper()
	needsCLI(t, minimum, "")
}

// needsCLI skips a test of a feature that the CLI does not have; opentofu is "" if no
// OpenTofu has it. testdata/skips.txt must list the test, so that no test is skipped unseen.
func needsCLI(t *testing.T, terraform, opentofu string) {
	t.Helper()
	minimum := map[string]string{"terraform": terraform, "opentofu": opentofu}[frameworkCLI.name]
	if minimum != "" && frameworkCLI.version.GreaterThanOrEqual(version.Must(version.NewVersion(minimum))) {
		return
	}
	cli := fmt.Sprintf("%s-%d.%d", frameworkCLI.name, frameworkCLI.version.Segments()[0], frameworkCLI.version.Segments()[1])
	name, _, _ := strings.Cut(t.Name(), "/")
	if !slices.Contains(allowedSkips(t), cli+" "+name) {
		t.Fatalf("%s lacks a feature: make cli-newest builds a CLI that has it. For a CLI under test, testdata/skips.txt must have %q", cli, cli+" "+name)
	}
	t.Skipf("%s lacks the feature", cli)
}

// allowedSkips are the lines of testdata/skips.txt, each a CLI and a test.
func allowedSkips(t *testing.T) (lines []string) {
	t.Helper()
	text, err := os.ReadFile("testdata/skips.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	return lines
}

// TestSkips_NameTests: each line of testdata/skips.txt is of a test that exists.
func TestSkips_NameTests(t *testing.T) {
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var source strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(text)
	}
	for _, line := range allowedSkips(t) {
		_, name, _ := strings.Cut(line, " ")
		if !strings.Contains(source.String(), "func "+name+"(t *testing.T)") {
			t.Errorf("there is no test %q", name)
		}
	}
}
