// Command sign-in is an example of how a platform's sign-in reads the table users of a tenant. The
// login in DATABASE_URL is one of the tenant's, so its search_path finds that table.
//
//	DATABASE_URL=postgres://... go run ./examples/sign-in ada@st-marys.example < password.txt
package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/crypto/argon2"
)

// errRefused is the same for an unknown address, a wrong password and a user that is not active:
// another text would tell strangers who has an account.
var errRefused = errors.New("the e-mail address or the password is wrong")

// maxPassword is the longest password that is hashed, in bytes.
const maxPassword = 1024

// timeout limits one sign-in.
const timeout = 10 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "sign-in:", err)
		os.Exit(1) //nolint:gocritic // The context needs no end any more.
	}
}

func run(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	if len(args) != 1 {
		return errors.New("give one e-mail address, and the password as the first line of the input")
	}
	password, err := bufio.NewReader(io.LimitReader(in, maxPassword+2)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	found, err := signIn(ctx, conn, args[0], strings.TrimRight(password, "\r\n"))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s signs in as %s, with the role %s.\n", args[0], found.id, found.role)
	return err
}

// user is a row of users, with the name of its role.
type user struct{ id, hash, role string }

// signIn returns the active user with an address and a password.
func signIn(ctx context.Context, conn *pgx.Conn, email, password string) (user, error) {
	var found user
	err := conn.QueryRow(ctx, `SELECT u.id::text, coalesce(u.password_hash, ''), r.name
		FROM users u JOIN roles r ON r.id = u.role_id WHERE lower(u.email) = lower($1) AND u.is_active`, email).Scan(&found.id, &found.hash, &found.role)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return user{}, err
	}
	if found.hash == "" { // Hash all the same: a quick answer would tell who has an account.
		found = user{hash: hashOfNobody}
	}
	ok, err := verify(found.hash, password)
	if err != nil {
		return user{}, err
	}
	if !ok || found.id == "" || len(password) > maxPassword {
		return user{}, errRefused
	}
	return found, nil
}

// hashOfNobody costs as much as the hashes in users, and is of no known password.
var hashOfNobody = func() string {
	random := make([]byte, 48)
	_, _ = rand.Read(random) // Documented never to return an error.
	encode := base64.RawStdEncoding.EncodeToString
	return "$argon2id$v=19$m=65536,t=3,p=4$" + encode(random[:16]) + "$" + encode(random[16:])
}()

// verify compares a password with a hash in the PHC string format, with the hash's own parameters:
// $argon2id$v=19$m=65536,t=3,p=4$SALT$KEY, both in base64 without padding.
func verify(hash, password string) (bool, error) {
	var (
		version, memory, passes uint32
		lanes                   uint8
		rest                    string
	)
	if _, err := fmt.Sscanf(hash, "$argon2id$v=%d$m=%d,t=%d,p=%d$%s", &version, &memory, &passes, &lanes, &rest); err != nil || version != argon2.Version {
		return false, errors.New("the stored hash is not of argon2id")
	}
	if passes < 1 || passes > 10 || lanes < 1 || lanes > 16 || memory < 8*uint32(lanes) || memory > 256*1024 {
		return false, errors.New("the stored hash has parameters out of bounds")
	}
	saltText, keyText, _ := strings.Cut(rest, "$")
	salt, err := base64.RawStdEncoding.DecodeString(saltText)
	if err != nil || len(salt) < 8 || len(salt) > 64 {
		return false, errors.New("the stored hash has no salt")
	}
	key, err := base64.RawStdEncoding.DecodeString(keyText)
	if err != nil || len(key) < 16 || len(key) > 64 {
		return false, errors.New("the stored hash has no key")
	}
	got := argon2.IDKey([]byte(password), salt, passes, memory, lanes, uint32(len(key))) //nolint:gosec // from at most 255 characters
	return subtle.ConstantTimeCompare(got, key) == 1, nil
}
