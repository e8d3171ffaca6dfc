#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Program: Go, linked statically
# Needs: go
# Packages: golang-go
# Shows: net/http both ways, its own resolver, deadlines, interfaces, 100 goroutines
. "$(dirname "$0")/lib.sh"

mkdir go && cat >go/main.go <<'END'
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

func main() {
	l, _ := net.Listen("tcp", ":8080")
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { b, _ := io.ReadAll(r.Body); w.Write(b) }))
	r, err := http.Get("http://web/big")
	if err == nil {
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Println("got", n)
	} else {
		fmt.Println(err)
	}
	var wait sync.WaitGroup
	var lock sync.Mutex
	echoed := 0
	for i := 0; i < 100; i++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			r, err := http.Post("http://localhost:8080/", "text/plain", strings.NewReader(strings.Repeat("x", 10000)))
			if err != nil { fmt.Println(err); return }
			n, _ := io.Copy(io.Discard, r.Body)
			r.Body.Close()
			lock.Lock(); echoed += int(n); lock.Unlock()
		}()
	}
	wait.Wait()
	fmt.Println("echoed", echoed)
	a, err := net.LookupHost("web")
	fmt.Println("addresses", len(a), err)
	c, _ := net.ListenPacket("udp", ":0")
	c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	_, _, err = c.ReadFrom(make([]byte, 10))
	fmt.Println("timeout", err.(net.Error).Timeout())
	_, err = net.Dial("tcp", "web:81")
	fmt.Println(err)
	i, err := net.Interfaces()
	fmt.Println("interfaces", len(i), err)
}
END
start_web
(cd go && GOCACHE=$WORK/go/cache GO111MODULE=off CGO_ENABLED=0 go build -o "$WORK/gonet" main.go) >build.log 2>&1
said=$(on go ./gonet 2>&1)
like "$said" "got 2000000" "a download"
like "$said" "echoed 1000000" "100 posts to itself"
like "$said" "addresses 2 <nil>" "its own resolver"
like "$said" "timeout true" "a deadline"
like "$said" "connection refused" "an error"
like "$said" "interfaces [2-9] <nil>" "interfaces"
finish
