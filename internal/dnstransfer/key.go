// SPDX-License-Identifier: ISC

package dnstransfer

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"hash"
	"io"
	"strings"

	"quill/internal/dnswire"
)

// algorithms of TSIG (RFC 8945 §6) but for MD5, which is broken.
var algorithms = map[string]func() hash.Hash{
	"hmac-sha1": sha1.New, "hmac-sha224": sha256.New224, "hmac-sha256": sha256.New, "hmac-sha384": sha512.New384, "hmac-sha512": sha512.New,
}

const defaultAlgorithm = "hmac-sha256"

// Key is a secret that two servers share.
type Key struct {
	name      []byte // wire form, lower case
	algorithm []byte // wire form
	secret    []byte
	hash      func() hash.Hash
}

// Name is the key's name for people.
func (k *Key) Name() string { return dnswire.Text(k.name) }

// mac is the code of these bytes under the key.
func (k *Key) mac(parts ...[]byte) []byte {
	h := hmac.New(k.hash, k.secret)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// Keys are secrets by their names in wire form and lower case.
type Keys map[string]*Key

// Named is the key of a name as people write it; nil where there is none.
func (k Keys) Named(name string) *Key {
	wire, err := dnswire.Name(name)
	if err != nil {
		return nil
	}
	return k[string(dnswire.Lower(wire))]
}

// ParseKey reads name:algorithm:base64; without algorithm it is hmac-sha256.
func ParseKey(line string) (*Key, error) {
	f := strings.Split(strings.TrimSpace(line), ":")
	if len(f) == 2 {
		f = []string{f[0], "", f[1]}
	}
	if len(f) != 3 {
		return nil, fmt.Errorf("want name:algorithm:base64")
	}
	name, err := dnswire.Name(f[0])
	if err != nil || len(name) < 2 {
		return nil, fmt.Errorf("%q is no name of a key", f[0])
	}
	algorithm := strings.ToLower(strings.TrimSuffix(f[1], "."))
	if algorithm == "" {
		algorithm = defaultAlgorithm
	}
	if strings.Contains(algorithm, "md5") {
		return nil, fmt.Errorf("hmac-md5 is not safe: make a key of hmac-sha256")
	}
	hash, ok := algorithms[algorithm]
	if !ok {
		return nil, fmt.Errorf("unknown algorithm %q: want hmac-sha256, hmac-sha512, hmac-sha384, hmac-sha224 or hmac-sha1", f[1])
	}
	secret, err := base64.StdEncoding.DecodeString(f[2])
	if err != nil || len(secret) == 0 {
		return nil, fmt.Errorf("the secret of %s is no base64", dnswire.Text(name)) // and is not repeated
	}
	wire, err := dnswire.Name(algorithm)
	if err != nil {
		return nil, err
	}
	return &Key{dnswire.Lower(name), wire, secret, hash}, nil
}

// ParseKeys reads a file of keys: one a line; # begins a comment.
func ParseKeys(r io.Reader) (Keys, error) {
	keys := make(Keys)
	err := eachLine(r, func(line string) error {
		k, err := ParseKey(line)
		if err != nil {
			return err
		}
		if keys[string(k.name)] != nil {
			return fmt.Errorf("key %s is there twice", k.Name())
		}
		keys[string(k.name)] = k
		return nil
	})
	return keys, err
}

// maxLines of a file of keys, rules or targets.
const maxLines = 100000

// eachLine calls fn with each line that says something, and puts the number of
// the line on its errors.
func eachLine(r io.Reader, fn func(string) error) error {
	in := bufio.NewScanner(r)
	n := 0
	for in.Scan() {
		if n++; n > maxLines {
			return fmt.Errorf("more than %d lines", maxLines)
		}
		line := strings.TrimSpace(in.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		if err := fn(line); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	return in.Err()
}
