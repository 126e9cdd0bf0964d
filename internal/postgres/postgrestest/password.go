package postgrestest

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Verifies reports whether a stored hash is that of a password. It reads the PHC
// string and uses its parameters, as a program does that checks logins.
func Verifies(hash, password string) bool {
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" {
		return false
	}
	var (
		version, memory, passes uint32
		lanes                   uint8
	)
	if _, err := fmt.Sscanf(parts[2]+" "+parts[3], "v=%d m=%d,t=%d,p=%d", &version, &memory, &passes, &lanes); err != nil || version != argon2.Version {
		return false
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil || len(salt) < 16 {
		return false
	}
	key, err := base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil || len(key) < 32 {
		return false
	}
	return bytes.Equal(key, argon2.IDKey([]byte(password), salt, passes, memory, lanes, uint32(len(key)))) //nolint:gosec // read from at most 255 characters
}
