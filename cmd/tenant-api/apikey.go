package main

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
)

func (a *cli) apikey() *cobra.Command {
	return commandGroup("apikey", "Create, list and revoke API keys", "  tenant-api apikey list",
		makesRegistry(a.apikeyCreate()), a.apikeyGenerate(), a.apikeyList(), a.apikeyRevoke())
}

func (a *cli) apikeyCreate() *cobra.Command {
	var (
		request  access.KeyRequest
		scopes   []string
		only     []string
		fromFile string
	)
	cmd := &cobra.Command{
		Use: "create --name NAME --scope SCOPE [--expires 720h] [--rate-limit N] [--only-metadata KEY=VALUE]", Short: "Create an API key and print it once", Args: noArgs,
		Long: `Creates an API key and prints it on standard output, once: the registry keeps
only its SHA-256. Everything else goes to standard error, so that
KEY=$(tenant-api apikey create ...) contains only the key.

With --from-file the key is the one in a file, as tenant-api apikey generate makes it, so
that a deployment knows it beforehand. This may be repeated: the same key with the same
name and rights is no error.

Scopes: tenants:read; tenants:write, which includes reading; tenants:purge, which
deletes archived tenants' data permanently; tenants:credentials, which opens database
logins that reach a tenant's records; blueprints:write, which publishes the SQL that makes
tenants' tables; admin, which is all of them.

With --only-metadata the key is narrowed: it sees, changes and creates only tenants whose
metadata has all the pairs. Others do not exist for it, and it cannot call what is about
all tenants, such as blueprints. A purged tenant has no metadata any more.`,
		Example: `  tenant-api apikey create --name dashboard --scope tenants:read
  KEY=$(tenant-api apikey create --name ops --scope tenants:write --scope tenants:purge --expires 720h)
  tenant-api apikey create --name deploy --scope admin --from-file /run/secrets/api-key
  tenant-api apikey create --name nightly-report --scope tenants:read --rate-limit 1000
  tenant-api apikey create --name reseller --scope tenants:write --only-metadata reseller=acme --only-metadata region=eu`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			key, token, err := newKey(cmd, request, scopes, only, fromFile)
			if err != nil {
				return err
			}
			keys, closeStore, err := a.openKeys(cmd)
			if err != nil {
				return err
			}
			defer closeStore()
			if fromFile != "" {
				return registerKey(cmd.Context(), keys, key)
			}
			if err := keys.Create(cmd.Context(), key); err != nil {
				return err
			}
			return printKey(key, token, scopes)
		},
	}
	cmd.Flags().StringVar(&request.Name, "name", "", "name of the key in logs; unique among keys in use")
	cmd.Flags().StringSliceVar(&scopes, "scope", nil, scopeNames()+"; repeat it for several")
	cmd.Flags().DurationVar(&request.TTL, "expires", 0, "how long the key is valid, such as 720h (default: until it is revoked)")
	cmd.Flags().IntVar(&request.RateLimit, "rate-limit", 0, "requests per minute with this key (default: RATE_LIMIT of the server)")
	cmd.Flags().StringArrayVar(&only, "only-metadata", nil, "KEY=VALUE: only for tenants whose metadata has that; repeat it for several")
	cmd.Flags().StringVar(&fromFile, "from-file", "", "register the key in this file instead of making one; it is not printed")
	return cmd
}

func printKey(key access.Key, token config.Secret, scopes []string) error {
	validity := "until it is revoked"
	if !key.ExpiresAt.IsZero() {
		validity = "until " + formatTime(key.ExpiresAt)
	}
	fmt.Fprintf(os.Stderr, "API key %q (%s), valid for %s %s. It is not shown again:\n", key.Name, key.Prefix, strings.Join(scopes, ", "), validity)
	_, err := fmt.Fprintln(os.Stdout, token.Reveal())
	return err
}

// newKey makes the key that the flags describe.
func newKey(cmd *cobra.Command, r access.KeyRequest, scopes, only []string, fromFile string) (access.Key, config.Secret, error) {
	if err := requireFlag(cmd, "name", "give the key a name, such as --name ci"); err != nil {
		return access.Key{}, "", err
	}
	if err := requireFlag(cmd, "scope", "give "+scopeNames()); err != nil {
		return access.Key{}, "", err
	}
	if cmd.Flags().Changed("expires") && r.TTL <= 0 {
		return access.Key{}, "", usageErrorf(cmd, "--expires is %v; give a time such as 720h, or omit the flag", r.TTL)
	}
	if cmd.Flags().Changed("rate-limit") && (r.RateLimit < 1 || r.RateLimit > access.MaxRateLimit) {
		return access.Key{}, "", usageErrorf(cmd, "--rate-limit is %d; give 1 to %d requests per minute, or omit the flag for the server's RATE_LIMIT", r.RateLimit, access.MaxRateLimit)
	}
	r.Scopes = make([]access.Scope, len(scopes))
	for i, s := range scopes {
		if r.Scopes[i] = access.Scope(s); !r.Scopes[i].IsValid() {
			return access.Key{}, "", usageErrorf(cmd, "--scope is %q; give %s", s, scopeNames())
		}
	}
	var err error
	if r.OnlyMetadata, err = parsePairs(cmd, "only-metadata", only); err != nil {
		return access.Key{}, "", err
	}
	if cmd.Flags().Changed("from-file") {
		return keyFromFile(cmd, r, fromFile)
	}
	key, token, err := access.NewKey(r, time.Now())
	return key, token, nameFlags(cmd, err)
}

// parsePairs reads a flag whose values are KEY=VALUE.
func parsePairs(cmd *cobra.Command, flag string, values []string) (map[string]string, error) {
	pairs := map[string]string{}
	for _, text := range values {
		key, value, isPair := strings.Cut(text, "=")
		if old, twice := pairs[key]; !isPair || key == "" || twice && old != value {
			return nil, usageErrorf(cmd, "--%s is %q; give each key once, as region=eu", flag, text)
		}
		pairs[key] = value
	}
	return pairs, nil
}

// scopeNames lists all scopes as a choice.
func scopeNames() string {
	var names []string
	for _, s := range access.Scopes() {
		names = append(names, string(s))
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

func (a *cli) apikeyList() *cobra.Command {
	var jsonOutput bool
	cmd := &cobra.Command{
		Use: "list", Short: "List API keys, without their secrets", Args: noArgs,
		Example: "  tenant-api apikey list",
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
				rows[i] = []string{k.Prefix, k.Name, v.State, strings.Join(v.Scopes, " "), rateLimitCell(k.RateLimit), pairsCell(k.OnlyMetadata), formatTime(k.CreatedAt), formatTime(k.ExpiresAt), formatTime(k.LastUsedAt)}
			}
			if jsonOutput {
				return printJSON(views)
			}
			return printTable([]string{"PREFIX", "NAME", "STATE", "SCOPES", "PER MINUTE", "ONLY METADATA", "CREATED", "EXPIRES", "LAST USED"}, rows)
		},
	}
	cmd.Flags().BoolVar(&jsonOutput, "json", false, "print JSON")
	return cmd
}

// pairsCell are the pairs of metadata in the list; "-": none.
func pairsCell(pairs map[string]string) string {
	var cells []string
	for _, key := range slices.Sorted(maps.Keys(pairs)) {
		cells = append(cells, key+"="+pairs[key])
	}
	return cmp.Or(strings.Join(cells, " "), "-")
}

// rateLimitCell is the limit of a key in the list; "-": the server's.
func rateLimitCell(perMinute int) string {
	if perMinute == 0 {
		return "-"
	}
	return strconv.Itoa(perMinute)
}

func (a *cli) apikeyRevoke() *cobra.Command {
	return &cobra.Command{
		Use: "revoke KEY", Short: "Revoke an API key at once and permanently", Args: exactlyOneArg("one key, as its prefix, name or id"),
		Long:    `Revokes an API key at once and permanently. KEY is its prefix, name or id.`,
		Example: "  tenant-api apikey revoke ops",
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
