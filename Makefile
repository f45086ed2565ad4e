# Quill's make targets; `make help` lists them.
GO      ?= go
DESTDIR ?=
PREFIX  ?= /usr/local
MANDIR  ?= $(PREFIX)/share/man
LIBDIR  ?= $(PREFIX)/lib/quill

STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.7.0
BUILD       = CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags='-s -w'

.PHONY: build test test-all check bench bench-dns bench-imap lab install clean fuzz help

## build: all programs into bin/
build:
	@mkdir -p bin
	$(BUILD) -o bin/ ./cmd/...

## test: Go alone; no network beyond loopback, no packages, no root, no C compiler
test:
	CGO_ENABLED=0 $(GO) test -shuffle=on -timeout 10m ./...

# Tests that need Debian's clients and peers, or long: their packages and names.
PEERFILES = grep -rl '^//go:build peers' --include='*_test.go' .
PEERS     = $$($(PEERFILES) | xargs -n 1 dirname | sort -u)
PEERTESTS = ^($$($(PEERFILES) | xargs sed -n 's/^func \(Test[A-Za-z0-9_]*\)(t .*/\1/p' | sort -u | paste -sd '|' -))$$

# All but the tests of programs as they are built, which the race detector would
# not see into. Each process of a race build ends a second late if not told.
RACE = $$($(GO) list ./... | grep -v '/cmd$$')

## test-all: race builds, fuzz targets, Debian's clients and peers, four writers on one mailbox for a minute, root parts where it is root
test-all: check
	GORACE=atexit_sleep_ms=10 $(GO) test -race -shuffle=on -timeout 30m $(RACE)
	CGO_ENABLED=0 IMAP_STORM=60s $(GO) test -tags peers -run "$(PEERTESTS)" -shuffle=on -timeout 30m $(PEERS)
	$(MAKE) fuzz

## fuzz: each fuzz target for FUZZTIME (5 s); a package's are compiled once
FUZZTIME ?= 5s
fuzz:
	@bin=$$(mktemp -d) && trap 'rm -rf "$$bin"' EXIT && export CGO_ENABLED=0 && \
	for dir in $$(grep -rl '^func Fuzz' --include='*_test.go' . | xargs -n 1 dirname | sort -u); do \
	  $(GO) test -c -fuzz . -o "$$bin/fuzz" $$dir || exit 1; \
	  for f in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' $$dir/*_test.go); do \
	    echo "fuzz $$dir $$f"; \
	    run() { (cd $$dir && "$$bin/fuzz" -test.run '^$$' -test.fuzz "^$$f$$" -test.fuzztime $(FUZZTIME) -test.fuzzcachedir "$$($(GO) env GOCACHE)/fuzz/quill/$$dir" -test.timeout 10m); }; \
	    run || { echo "once more: a finding is kept in testdata and fails at once, a slow end does not"; run; } || exit 1; \
	  done; done

## check: gofmt, vet, staticcheck, import policy, pages
check:
	@out=$$(gofmt -l . ); [ -z "$$out" ] || { echo "gofmt: $$out"; exit 1; }
	$(GO) vet ./...
	$(GO) vet -tags peers ./...
	CGO_ENABLED=0 $(GO) run $(STATICCHECK) -tags peers ./...
	$(GO) test -count=1 -run 'TestImportPolicy|TestPages|TestSourceForm' ./cmd

## bench: ours beside Postfix and Dovecot, in turns, medians of 5
bench: build
	cmd/mailbench/bench.sh

## bench-dns: tinydns beside NSD, Knot and djb's tinydns, in turns, medians of 5
bench-dns: build
	cmd/dnsbench/bench.sh

## bench-imap: imapd beside Dovecot on the same Maildir of 100,000, in turns, medians of 5
bench-imap: build
	cmd/imapbench/bench.sh

## lab: the lecture's mail, played over real sockets
lab: build
	bin/quill lab --demo

## install: programs, pages and samples below $(DESTDIR)$(PREFIX)
install: build
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(MANDIR)/man5 $(DESTDIR)$(MANDIR)/man7 $(DESTDIR)$(MANDIR)/man8 $(DESTDIR)$(LIBDIR)
	install -m 755 bin/* $(DESTDIR)$(PREFIX)/bin/
	for s in 1 5 7 8; do for p in cmd/*/*.$$s docs/man/*.$$s; do [ ! -f $$p ] || install -m 644 $$p $(DESTDIR)$(MANDIR)/man$$s/; done; done
	cp -R etc $(DESTDIR)$(LIBDIR)/

## clean: what build and lab made
clean:
	rm -rf bin lab

help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)
