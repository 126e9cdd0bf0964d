package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
)

func (a *cli) apikey() *cobra.Command {
	return commandGroup("apikey", "Create, list and revoke API keys", a.apikeyCreate(), a.apikeyList(), a.apikeyRevoke())
}

func (a *cli) apikeyCreate() *cobra.Command {
	var (
		name    string
		scopes  []string
		expires time.Duration
	)
	cmd := &cobra.Command{
		Use: "create --name NAME --scope SCOPE [--expires 720h]", Short: "Create an API key and print it once", Args: noArgs,
		Long: `Creates an API key and prints it on standard output, once: the registry keeps
only its SHA-256. Everything else goes to standard error, so that
KEY=$(tenant-api apikey create ...) contains only the key.

Scopes: tenants:read; tenants:write, which includes reading; tenants:purge, which
deletes archived tenants' data permanently; tenants:credentials, which opens database
logins that reach a tenant's records; admin, which is all of them.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("expires") && expires <= 0 {
				return usageError{fmt.Errorf("--expires is %v; give a time such as 720h, or omit the flag", expires)}
			}
			var scopeList []access.Scope
			for _, s := range scopes {
				scopeList = append(scopeList, access.Scope(s))
			}
			key, token, err := access.NewKey(name, scopeList, expires, time.Now())
			if err != nil {
				return err
			}
			keys, closeStore, err := a.openKeys(cmd)
			if err != nil {
				return err
			}
			defer closeStore()
			if err := keys.Create(cmd.Context(), key); err != nil {
				return err
			}
			validity := "until it is revoked"
			if !key.ExpiresAt.IsZero() {
				validity = "until " + formatTime(key.ExpiresAt)
			}
			fmt.Fprintf(os.Stderr, "API key %q (%s), valid for %s %s. It is not shown again:\n", key.Name, key.Prefix, strings.Join(scopes, ", "), validity)
			_, err = fmt.Fprintln(os.Stdout, token.Reveal())
			return err
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "name of the key in logs; unique among keys in use")
	cmd.Flags().StringSliceVar(&scopes, "scope", nil, "tenants:read, tenants:write, tenants:purge, tenants:credentials or admin; repeat it for several")
	cmd.Flags().DurationVar(&expires, "expires", 0, "how long the key is valid, such as 720h (default: until it is revoked)")
	return cmd
}

func (a *cli) apikeyList() *cobra.Command {
	var jsonOutput bool
	cmd := &cobra.Command{
		Use: "list", Short: "List API keys, without their secrets", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			keys, closeStore, err := a.openKeys(cmd)
			if err != nil {
				return err
			}
			defer closeStore()
			all, err := keys.List(cmd.Context())
			if err != nil {
				return err
			}
			rows, views := make([][]string, len(all)), make([]dto.Key, len(all))
			for i, k := range all {
				v := dto.NewKey(k, time.Now())
				views[i] = v
				rows[i] = []string{k.Prefix, k.Name, v.State, strings.Join(v.Scopes, " "), formatTime(k.CreatedAt), formatTime(k.ExpiresAt), formatTime(k.LastUsedAt)}
			}
			if jsonOutput {
				return printJSON(views)
			}
			return printTable([]string{"PREFIX", "NAME", "STATE", "SCOPES", "CREATED", "EXPIRES", "LAST USED"}, rows)
		},
	}
	cmd.Flags().BoolVar(&jsonOutput, "json", false, "print JSON")
	return cmd
}

func (a *cli) apikeyRevoke() *cobra.Command {
	return &cobra.Command{
		Use: "revoke PREFIX", Short: "Revoke an API key at once and permanently", Args: exactlyOneArg("the prefix, the name or the id of a key"),
		RunE: func(cmd *cobra.Command, args []string) error {
			keys, closeStore, err := a.openKeys(cmd)
			if err != nil {
				return err
			}
			defer closeStore()
			k, err := keys.Revoke(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			fmt.Fprintf(os.Stderr, "API key %q (%s) is revoked since %s.\n", k.Name, k.Prefix, formatTime(k.RevokedAt))
			return nil
		},
	}
}

// openKeys opens the key store.
func (a *cli) openKeys(cmd *cobra.Command) (access.Store, func(), error) {
	db, err := a.registry(cmd.Context())
	if err != nil {
		return nil, nil, err
	}
	return db.APIKeys, db.Close, nil
}
