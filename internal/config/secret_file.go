package config

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// FileSuffix is what the name of a secret's variable gets for the variable with the path of a file
// that has the secret.
const FileSuffix = "_FILE"

// maxSecretFile is the most bytes of such a file.
const maxSecretFile = 64 << 10

// secrets are the variables that are secrets, besides those that begin with secretVariablePrefix.
var secrets = []string{
	DatabaseURL, DatabaseDirectURL, DatabasePassword, SorobanRPCURL, SorobanRPCHeaders, SorobanDeployerSecret,
	MailPassword, MailOAuthSecret, ConsoleOIDCClientSecret, TracesHeaders, ownTracesHeaders, TenantAPIToken,
}

func isSecret(variable string) bool {
	return slices.Contains(secrets, variable) || strings.HasPrefix(variable, secretVariablePrefix)
}

// value returns a setting as it was given, "" when it is not set. A secret can be in a file.
func (r *reader) value(variable string) string {
	value := r.get(variable)
	if !isSecret(variable) {
		return value
	}
	path := strings.TrimSpace(r.get(variable + FileSuffix))
	if path == "" {
		return value
	}
	if value != "" {
		r.addError(variable+FileSuffix, "is set, and %s is, too; give one of them", variable)
		return ""
	}
	secret, fault := readSecretFile(path)
	if fault != "" {
		// Without the path: who confuses both variables has the secret itself there.
		r.addError(variable+FileSuffix, "names a file that %s; give the path of a file that has %s alone", fault, variable)
	}
	return secret
}

// readSecretFile returns the text of a file without the newline at its end, or what is wrong with
// the file.
func readSecretFile(path string) (secret, fault string) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return "", fileFault(err)
	case !info.Mode().IsRegular(): // To open a pipe can take forever, and it can be read only once.
		return "", "is a directory, a pipe or a device"
	}
	file, err := os.Open(path) //nolint:gosec // Who sets the variable names the file.
	if err != nil {
		return "", fileFault(err)
	}
	defer func() { _ = file.Close() }() // Nothing was written.
	content, err := io.ReadAll(io.LimitReader(file, maxSecretFile+1))
	if err != nil {
		return "", fileFault(err)
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r")
	switch {
	case len(content) > maxSecretFile:
		return "", "has more than 64 KiB"
	case strings.TrimSpace(text) == "":
		return "", "is empty"
	case strings.Contains(text, "\x00"): // As no variable can have it.
		return "", "has a zero byte"
	}
	return text, ""
}

// fileFault says without the path why a file cannot be read.
func fileFault(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "does not exist"
	case errors.Is(err, fs.ErrPermission):
		return "this user may not read"
	}
	return "cannot be read"
}

// ReadSecretFile reads a secret that a flag names the file of, by the rules of files that
// variables name. The error says what is wrong, without path and content.
func ReadSecretFile(path string) (Secret, error) {
	text, fault := readSecretFile(path)
	if fault != "" {
		return "", errors.New(fault)
	}
	return Secret(text), nil
}
