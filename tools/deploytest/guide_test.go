package deploytest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/healthcare-platform/terraform-provider-healthcare/tools/deploytest/chart"
)

// guideBlocks returns the code blocks of a language in the guide for deployments.
func guideBlocks(t *testing.T, language string) (blocks []string) {
	t.Helper()
	return blocksOf(t, "deploying.md", language)
}

// blocksOf returns the code blocks of a language in the template of a guide. Files that it includes
// are not among them: tests run those.
func blocksOf(t *testing.T, guide, language string) (blocks []string) {
	t.Helper()
	text, err := os.ReadFile(deploy("../templates/guides", guide))
	must(t, err)
	for _, match := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```").FindAllStringSubmatch(string(text), -1) {
		blocks = append(blocks, match[1])
	}
	if len(blocks) == 0 {
		t.Fatalf("%s has no blocks of %s", guide, language)
	}
	return blocks
}

// inlineCommands returns the commands in the text of a guide that install, start or stop something.
func inlineCommands(t *testing.T, guide string) (commands []string) {
	t.Helper()
	text, err := os.ReadFile(deploy("../templates/guides", guide))
	must(t, err)
	for _, match := range regexp.MustCompile("`((?:sudo|docker|helm|kubectl) [^`]+)`").FindAllStringSubmatch(string(text), -1) {
		for command := range strings.SplitSeq(match[1], " && ") {
			commands = append(commands, command+"\n")
		}
	}
	return commands
}

// TestGuide_Commands holds each command of the guides to what is there: files, targets,
// services, objects, commands and flags. Other tests run what they lead to.
func TestGuide_Commands(t *testing.T) {
	t.Parallel()
	values := guideValues(t)
	objects := render(t, values)
	inline := inlineCommands(t, "operations.md.tmpl")
	if len(inline) < 5 {
		t.Errorf("the guide for operations has the commands %q", inline)
	}
	for _, block := range slices.Concat(guideBlocks(t, "shell"), blocksOf(t, "operations.md.tmpl", "shell"), inline) {
		for line := range strings.Lines(strings.ReplaceAll(block, "\\\n", " ")) {
			words := strings.Fields(strings.TrimSpace(line))
			if words[0] == "sudo" {
				words = words[1:]
			}
			for _, word := range words {
				path, _, _ := strings.Cut(strings.TrimPrefix(word, "--filename="), ")")
				if strings.HasPrefix(path, "deploy/") && !strings.Contains(path, "compose/secrets/") {
					if _, err := os.Stat(deploy("..", path)); err != nil {
						t.Errorf("%s: %v", strings.TrimSpace(line), err)
					}
				}
			}
			checkCommand(t, strings.TrimSpace(line), words, objects)
		}
	}
}

func checkCommand(t *testing.T, line string, words []string, objects map[string]any) {
	t.Helper()
	switch {
	case words[0] == "make":
		makefile, err := os.ReadFile(deploy("../GNUmakefile"))
		must(t, err)
		if !strings.Contains(string(makefile), "\n"+words[1]+":") {
			t.Errorf("%s: there is no such target", line)
		}
	case strings.HasPrefix(line, "docker compose"):
		if i := slices.Index(words, "run"); i >= 0 {
			if _, err := loadCompose(t).GetService(words[len(words)-1]); err != nil {
				t.Errorf("%s: %v", line, err)
			}
		}
	case words[0] == "tenant-api":
		checkTenantAPI(t, line, words[1:])
	case words[0] == "kubectl":
		checkKubectl(t, line, words, objects)
	case words[0] == "helm":
		if !slices.Contains(words, chart.Release) || !slices.Contains(words, "deploy/helm/tenant-api") {
			t.Errorf("%s: another release or chart", line)
		}
	case slices.Contains([]string{"deploy/compose/secrets.sh", "tar", "curl", "install", "systemctl", "nginx"}, words[0]):
	default:
		t.Errorf("%s: this test does not know the command", line)
	}
}

// checkTenantAPI asks the program for the help of a command with all its flags: an unknown one
// is an error.
func checkTenantAPI(t *testing.T, line string, args []string) {
	t.Helper()
	args = slices.Clone(args)
	out, err := exec.CommandContext(t.Context(), program(t, "tenant-api"), append(args, "--help")...).CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s", line, err, out)
	}
}

func checkKubectl(t *testing.T, line string, words []string, objects map[string]any) {
	t.Helper()
	if i := slices.Index(words, "--namespace"); i >= 0 && words[i+1] != chart.Release {
		t.Errorf("%s: namespace %s", line, words[i+1])
	}
	for _, word := range words {
		kind, name, ok := strings.Cut(word, "/")
		kinds := map[string]string{"job": "Job", "deployment": "Deployment", "service": "Service"}
		if ok && kinds[kind] != "" && objects[kinds[kind]+"/"+name] == nil {
			t.Errorf("%s: the chart makes no %s", line, word)
		}
	}
	if i := slices.Index(words, "job"); i >= 0 && objects["Job/"+words[i+1]] == nil {
		t.Errorf("%s: the chart makes no job %s", line, words[i+1])
	}
	if i := slices.Index(words, "--"); i >= 0 {
		checkTenantAPI(t, line, strings.Fields(strings.ReplaceAll(strings.Join(words[i+2:], " "), `"First Clinic"`, "Clinic")))
	}
	if slices.Contains(words, "secret") {
		values := guideValues(t)
		keys := []string{"api-key"} // The chart's default.
		for _, from := range values["secrets"].(map[string]any) {
			keys = append(keys, from.(map[string]any)["key"].(string))
		}
		for _, key := range keys {
			if !slices.Contains(words, "--from-file="+key) {
				t.Errorf("%s: it has no %s, which the values want", line, key)
			}
		}
	}
}

// guideValues are the values of the guide. The plain manifests' are the same, but for what only
// Helm's example shows.
func guideValues(t *testing.T) map[string]any {
	t.Helper()
	values := map[string]any{}
	must(t, yaml.UnmarshalStrict([]byte(guideBlocks(t, "yaml")[0]), &values))
	return values
}

// TestGuide_Files: the guide installs each secret that the units want.
func TestGuide_Files(t *testing.T) {
	t.Parallel()
	for _, unit := range []string{"tenant-api.service", "tenant-api-worker.service"} {
		u := readUnit(t, deploy("systemd", unit))
		for _, line := range u["LoadCredential"] {
			name, source, _ := strings.Cut(line, ":")
			if filepath.Dir(source) != "/etc/tenant-api" || !slices.ContainsFunc(guideBlocks(t, "shell"), func(block string) bool { return strings.Contains(block, " "+name+" ") }) {
				t.Errorf("%s wants %s, which the guide does not install", unit, source)
			}
		}
	}
}
