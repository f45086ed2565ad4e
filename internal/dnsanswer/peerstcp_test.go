// SPDX-License-Identifier: ISC

//go:build peers

package dnsanswer

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"quill/internal/dnswire"
)

// TestPeerStreams: over TCP we answer questions as Debian's axfrdns does, and
// nothing where it ends.
func TestPeerStreams(t *testing.T) {
	if _, err := exec.LookPath("axfrdns"); err != nil {
		t.Fatalf("%v: install Debian's package axfrdns", err)
	}
	random := rand.New(rand.NewPCG(7766, 1035))
	text, names := peerData(random)
	p := startPeer(t, text)
	p.end()
	b, err := os.ReadFile(filepath.Join(p.dir, "data.cdb"))
	if err != nil {
		t.Fatal(err)
	}
	d, c := open(t, b), New(Config{DJB: true})
	answered, ended := 0, 0
	for range 1000 { // connections
		var stream, want bytes.Buffer
		for id := range uint16(100) {
			packet := peerPacket(random, names, id)
			if len(packet) >= dnswire.HeaderLen && random.IntN(20) > 0 { // else it would end at once
				packet[2], packet[4], packet[5] = packet[2]&1, 0, 1
			}
			var q dnswire.Query
			answer, _ := c.Answer(d, nil, packet, localhost, true, time.Now(), &q)
			if q.Type == dnswire.TypeAXFR {
				continue // not for this package
			}
			stream.Write(binary.BigEndian.AppendUint16(nil, uint16(len(packet))))
			stream.Write(packet)
			if len(answer) == 0 {
				ended++
				break
			}
			answered++
			answer = masked(answer)
			want.Write(binary.BigEndian.AppendUint16(nil, uint16(len(answer))))
			want.Write(answer)
		}
		cmd := exec.Command("axfrdns")
		cmd.Env = []string{"ROOT=" + p.dir, "UID=65534", "GID=65534", "TCPREMOTEIP=127.0.0.1", "AXFR="}
		cmd.Stdin = &stream
		out, _ := cmd.Output()
		if got := maskedStream(out); !bytes.Equal(got, want.Bytes()) {
			t.Fatalf("axfrdns %x\n   ours %x", got, want.Bytes())
		}
	}
	t.Logf("%d answers, %d ends", answered, ended)
	if answered < 1000 || ended < 50 {
		t.Errorf("%d answers, %d ends: they say little", answered, ended)
	}
}

// maskedStream is masked for each message of a stream.
func maskedStream(b []byte) (out []byte) {
	for len(b) >= 2 {
		n := int(binary.BigEndian.Uint16(b))
		if n+2 > len(b) {
			return append(out, b...)
		}
		out = append(append(out, b[:2]...), masked(b[2:2+n])...)
		b = b[2+n:]
	}
	return append(out, b...)
}
