//go:build unix

package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"
	"time"
)

// The rounds that another build is compared in.
const (
	turnOneClient    = "one client"
	turnEightClients = "eight clients"
	turnAPI          = "POST to ACTIVE"
)

// serveTurns runs one round for each line of standard input, which names it, and prints
// the seconds that it took.
func (b *bench) serveTurns(ctx context.Context) error {
	if err := b.buildAPI(ctx); err != nil {
		return err
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() && ctx.Err() == nil {
		took, err := b.turn(ctx, strings.TrimSpace(lines.Text()))
		if err != nil {
			return err
		}
		fmt.Println(took.Seconds())
	}
	return lines.Err()
}

func (b *bench) turn(ctx context.Context, kind string) (time.Duration, error) {
	clients := 8
	switch kind {
	case turnOneClient:
		clients = 1
	case turnEightClients:
	case turnAPI:
		return b.timeRound(ctx, false, b.tenants)
	default:
		return 0, fmt.Errorf("unknown round %q", kind)
	}
	url, drop, err := b.database(ctx)
	if err != nil {
		return 0, err
	}
	defer drop()
	return b.productContender(false)(ctx, url, clients)
}
