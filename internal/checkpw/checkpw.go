// SPDX-License-Identifier: ISC

// Package checkpw compares passwords with stored secrets in a time that tells
// nothing: neither how much of a password was right, nor whether the user
// exists. Secrets have their scheme in braces, as in Dovecot's passwd-files.
package checkpw

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Parameters of new hashes: 19 MiB, two passes, as OWASP recommends; forty
// logins at once take less than a gigabyte.
const (
	memory  = 19 << 10 // KiB
	passes  = 2
	threads = 1
	keyLen  = 32
	saltLen = 16
)

// Bounds of stored hashes: a file must not be able to eat the machine.
const (
	maxMemory  = 256 << 10 // KiB
	maxPasses  = 16
	maxThreads = 16
	maxKey     = 128
)

// ErrScheme says that a secret's scheme is not known, or its text malformed.
var ErrScheme = errors.New("unknown or malformed secret")

// Schemes.
const (
	plain  = "{PLAIN}"
	argon  = "{ARGON2ID}"
	prefix = "$argon2id$v=19$"
)

// Hash makes a secret of a password: {ARGON2ID} with a salt of its own.
func Hash(password string) string {
	salt := make([]byte, saltLen)
	rand.Read(salt) // never fails (crypto/rand)
	key := argon2.IDKey([]byte(password), salt, passes, memory, threads, keyLen)
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("%s%sm=%d,t=%d,p=%d$%s$%s", argon, prefix, memory, passes, threads, b64.EncodeToString(salt), b64.EncodeToString(key))
}

// Plain makes a secret that keeps the password itself, as APOP needs it.
func Plain(password string) string { return plain + password }

// Verify says whether the password is the secret's.
func Verify(secret, password string) (bool, error) {
	if want, ok := strings.CutPrefix(secret, plain); ok {
		return equal(want, password), nil
	}
	text, ok := strings.CutPrefix(secret, argon)
	if !ok {
		return false, ErrScheme
	}
	h, err := parse(text)
	if err != nil {
		return false, err
	}
	got := argon2.IDKey([]byte(password), h.salt, h.passes, h.memory, h.threads, uint32(len(h.key)))
	return subtle.ConstantTimeCompare(got, h.key) == 1, nil
}

// Dummy spends the time of a comparison with a hash, for a user who does not
// exist. like is a secret of somebody who does, or empty.
func Dummy(like, password string) {
	if strings.HasPrefix(like, plain) {
		equal(like, password)
		return
	}
	h, err := parse(strings.TrimPrefix(like, argon))
	if err != nil {
		h = hashed{memory: memory, passes: passes, threads: threads, salt: make([]byte, saltLen), key: make([]byte, keyLen)}
	}
	argon2.IDKey([]byte(password), h.salt, h.passes, h.memory, h.threads, uint32(len(h.key)))
}

// Costly says whether comparing with this secret takes memory and time.
func Costly(secret string) bool { return !strings.HasPrefix(secret, plain) }

// VerifyAPOP says whether digest is MD5 of the timestamp and the password in
// hexadecimal (RFC 1939 §7). Only a {PLAIN} secret can tell.
func VerifyAPOP(secret, timestamp, digest string) (bool, error) {
	password, ok := strings.CutPrefix(secret, plain)
	if !ok {
		return false, ErrScheme
	}
	sum := md5.Sum([]byte(timestamp + password))
	return equal(hex.EncodeToString(sum[:]), strings.ToLower(digest)), nil
}

// equal compares in a time that depends on the length of what was given alone.
func equal(want, got string) bool {
	w, g := md5.Sum([]byte(want)), md5.Sum([]byte(got))
	return subtle.ConstantTimeCompare(w[:], g[:])&subtle.ConstantTimeEq(int32(len(want)), int32(len(got))) == 1 && subtle.ConstantTimeCompare([]byte(want), []byte(got)) == 1
}

type hashed struct {
	memory, passes uint32
	threads        uint8
	salt, key      []byte
}

// parse reads $argon2id$v=19$m=…,t=…,p=…$salt$key.
func parse(s string) (hashed, error) {
	rest, ok := strings.CutPrefix(s, prefix)
	f := strings.Split(rest, "$")
	if !ok || len(f) != 3 {
		return hashed{}, ErrScheme
	}
	var h hashed
	if n, err := fmt.Sscanf(f[0], "m=%d,t=%d,p=%d", &h.memory, &h.passes, &h.threads); n != 3 || err != nil {
		return hashed{}, ErrScheme
	}
	var err1, err2 error
	h.salt, err1 = base64.RawStdEncoding.DecodeString(strings.TrimRight(f[1], "="))
	h.key, err2 = base64.RawStdEncoding.DecodeString(strings.TrimRight(f[2], "="))
	if errors.Join(err1, err2) != nil || h.memory < 8 || h.memory > maxMemory || h.passes < 1 || h.passes > maxPasses ||
		h.threads < 1 || h.threads > maxThreads || len(h.key) < 16 || len(h.key) > maxKey || len(h.salt) < 8 || len(h.salt) > maxKey {
		return hashed{}, ErrScheme
	}
	return h, nil
}
