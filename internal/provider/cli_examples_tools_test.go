package provider_test

import (
	"fmt"
	"strings"
)

// The migrations in the files of each tool.

func (m migrations) goose() map[string]string {
	files := map[string]string{}
	for i, name := range m.names {
		files[fmt.Sprintf("db/migrations/202401051015%02d_%s", i, name)] = m.files[i] + "\n-- +goose Down\nDROP TABLE something;\n"
	}
	return files
}

// flyway has versions whose order is not that of their names, one repeatable migration, and one
// of the kind that undoes another.
func (m migrations) flyway() map[string]string {
	files := map[string]string{"sql/U1__people.sql": "DROP TABLE people;\n"}
	for i, name := range m.names {
		sql := m.sql[i]
		if i == len(m.names)-1 {
			tables, view, _ := strings.Cut(sql, "-- Who lies where now.")
			files["sql/R__free_beds.sql"] = strings.ReplaceAll(view, "CREATE ", "CREATE OR REPLACE ")
			sql = tables
		}
		files[fmt.Sprintf("sql/V%d__%s", i+3, name)] = sql // V3 to V10.
	}
	return files
}

func (m migrations) prisma() map[string]string {
	files := map[string]string{"prisma/migrations/migration_lock.toml": "provider = \"postgresql\"\n"}
	for i, name := range m.names {
		sql := m.sql[i]
		if i == 0 {
			sql = "-- CreateSchema\nCREATE SCHEMA IF NOT EXISTS \"public\";\n\n" + sql
		}
		files[fmt.Sprintf("prisma/migrations/202401051015%02d_%s/migration.sql", i, strings.TrimSuffix(name, ".sql"))] = sql
	}
	return files
}

// liquibase has a program in place of the real one, which prints what update-sql prints for
// PostgreSQL.
func (m migrations) liquibase() map[string]string {
	const path = "SET SEARCH_PATH TO public, \"$user\",\"public\";\n\n"
	var out strings.Builder
	out.WriteString("-- *********************************************************************\n-- Update Database Script\n" +
		"-- *********************************************************************\n-- Change Log: db/changelog.xml\n\n" + path +
		"-- Create Database Lock Table\nCREATE TABLE public.databasechangeloglock (ID INTEGER NOT NULL, LOCKED BOOLEAN NOT NULL, CONSTRAINT databasechangeloglock_pkey PRIMARY KEY (ID));\n\n" +
		"-- Initialize Database Lock Table\nDELETE FROM public.databasechangeloglock;\n\nINSERT INTO public.databasechangeloglock (ID, LOCKED) VALUES (1, FALSE);\n\n" +
		"-- Lock Database\nUPDATE public.databasechangeloglock SET LOCKED = TRUE WHERE ID = 1 AND LOCKED = FALSE;\n\n" + path +
		"-- Create Database Change Log Table\nCREATE TABLE public.databasechangelog (ID VARCHAR(255) NOT NULL, AUTHOR VARCHAR(255) NOT NULL);\n\n")
	for i, name := range m.names {
		fmt.Fprintf(&out, "%s-- Changeset db/%s::%d::ada\n%s\nINSERT INTO public.databasechangelog (ID, AUTHOR) VALUES ('%d', 'ada');\n\n", path, name, i+1, m.sql[i], i+1)
	}
	out.WriteString("-- Release Database Lock\n" + path + "UPDATE public.databasechangeloglock SET LOCKED = FALSE WHERE ID = 1;\n")
	return map[string]string{"bin/liquibase": "#!/bin/sh\n[ \"$1\" = update-sql ] && exec cat update.printed\n", "update.printed": out.String()}
}
