package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

func (a *cli) apikeyGenerate() *cobra.Command {
	return &cobra.Command{
		Use: "generate", Short: "Print a new API key that no registry has yet", Args: noArgs,
		Long: `Prints a new API key that no registry has yet, for a secret store. It needs no setting and
no database. tenant-api apikey create --from-file registers it.`,
		Example: "  tenant-api apikey generate >secrets/api-key",
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(os.Stdout, access.NewToken().Reveal())
			return err
		},
	}
}

// keyFromFile makes the key whose token is in a file.
func keyFromFile(cmd *cobra.Command, r access.KeyRequest, path string) (access.Key, config.Secret, error) {
	if r.TTL > 0 { // When the same key is registered again, its end would be another.
		return access.Key{}, "", usageErrorf(cmd, "--expires does not go with --from-file; revoke the key when it is no longer needed")
	}
	token, err := config.ReadSecretFile(path)
	if err != nil {
		return access.Key{}, "", usageErrorf(cmd, "--from-file names a file that %v; give the path of a file that has an API key alone", err)
	}
	key, err := access.KeyOf(r, token, time.Now())
	return key, token, nameFlags(cmd, err)
}

// registerKey stores a key, unless the registry has it already.
func registerKey(ctx context.Context, keys access.Store, key access.Key) error {
	err := keys.Create(ctx, key)
	if err == nil {
		fmt.Fprintf(os.Stderr, "API key %q (%s) is registered.\n", key.Name, key.Prefix)
		return nil
	}
	existing, findErr := keys.FindByPrefix(ctx, key.Prefix)
	switch {
	case findErr != nil: // Another key has the name, or the registry does not answer.
		return err
	case !existing.RevokedAt.IsZero():
		return errs.Errorf(errs.KindConflict, "create API key", "this key (%s) was revoked; make another one with tenant-api apikey generate", key.Prefix)
	case !existing.SameAs(key):
		return errs.Errorf(errs.KindConflict, "create API key",
			"this key (%s) exists as %q with other rights; revoke that first, which ends the key, and make another one", key.Prefix, existing.Name)
	}
	fmt.Fprintf(os.Stderr, "API key %q (%s) is registered already.\n", key.Name, key.Prefix)
	return nil
}
