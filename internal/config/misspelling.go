package config

import (
	"os"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
)

// Misspelling is an environment variable that no program reads, but whose name is close to that
// of a setting.
type Misspelling struct{ Variable, Nearest string }

// Warning says what is wrong, without the value, which may be a secret.
func (m Misspelling) Warning() string {
	return "the environment variable " + m.Variable + " is not a setting; did you mean " + m.Nearest + "?"
}

// maxDistance is the most letters by which a misspelt name differs.
const maxDistance = 2

// minLongPart is the length from which a part of a name may differ in two letters. Shorter ones
// become other words: APP_HOME is not APP_HOST.
const minLongPart = 6

// foreign are names that other programs commonly read, although they are close to ours.
var foreign = []string{"API_HOST", "API_PORT", "API_URL"}

// foreignPrefixes begin the names of PostgreSQL, OpenTelemetry and Terraform.
var foreignPrefixes = []string{"PG", "OTEL_", "TF_"}

// EnvironmentMisspellings are the misspellings among the variables of this process.
func EnvironmentMisspellings() []Misspelling { return Misspellings(os.Environ()) }

// Misspellings returns the misspelt variables of an environment of NAME=value, in its order. A
// variable without a value is not set.
func Misspellings(environment []string) (all []Misspelling) {
	names := settingNames()
	for _, entry := range environment {
		name, value, _ := strings.Cut(entry, "=")
		if value == "" || slices.Contains(names, name) || isForeign(name) {
			continue
		}
		if nearest := nearestSetting(name, names); nearest != "" {
			all = append(all, Misspelling{name, nearest})
		}
	}
	return all
}

// settingNames are all variables with a fixed name that the programs read.
func settingNames() (names []string) {
	for _, s := range settings {
		names = append(names, s.Variable)
		if isSecret(s.Variable) {
			names = append(names, s.Variable+FileSuffix)
		}
	}
	return names
}

func isForeign(name string) bool {
	return slices.Contains(foreign, name) || strings.HasPrefix(name, secretVariablePrefix) ||
		slices.ContainsFunc(foreignPrefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

// nearestSetting returns the setting that a name may stand for; "": none.
func nearestSetting(name string, names []string) string {
	if base, isFile := strings.CutSuffix(name, FileSuffix); isFile && slices.Contains(names, base) {
		return base // Only secrets can be in files.
	}
	nearest, least := "", maxDistance+1
	for _, setting := range names {
		if d := distance(name, setting); d < least && isMisspelt(name, setting, d) && !isForeign(setting) {
			nearest, least = setting, d
		}
	}
	if nearest == "" {
		return nearestStepSecret(name)
	}
	return nearest
}

// nearestStepSecret returns the name that the variable of a step's secret may stand for.
func nearestStepSecret(name string) string {
	words := strings.SplitN(name, "_", 3)
	if len(words) < 3 || words[2] == "" {
		return ""
	}
	if prefix := words[0] + "_" + words[1] + "_"; distance(prefix, secretVariablePrefix) <= maxDistance {
		return secretVariablePrefix + words[2]
	}
	return ""
}

// isMisspelt reports whether a name at that distance of a setting's is its misspelling: what
// differs is long enough, or differs in one letter or in their order.
func isMisspelt(name, setting string, d int) bool {
	a, b := differing(name, setting)
	return d <= maxDistance && (d == 1 || min(len(a), len(b)) >= minLongPart || sorted(a) == sorted(b))
}

// differing returns two names without the words that both begin or end with.
func differing(a, b string) (partA, partB string) {
	x, y := strings.Split(a, "_"), strings.Split(b, "_")
	for len(x) > 0 && len(y) > 0 && x[0] == y[0] {
		x, y = x[1:], y[1:]
	}
	for len(x) > 0 && len(y) > 0 && x[len(x)-1] == y[len(y)-1] {
		x, y = x[:len(x)-1], y[:len(y)-1]
	}
	return strings.Join(x, "_"), strings.Join(y, "_")
}

func sorted(text string) string {
	letters := []byte(text)
	slices.Sort(letters)
	return string(letters)
}

func distance(a, b string) int { return levenshtein.Distance(a, b, nil) }
