// Checks a transparency log with the Go team's own note and tlog packages, from the files that any web
// server could serve and a verifier key: nothing here was written by those who wrote the log.
//
//	check_log DIR KEY < proofs.json
//
// DIR holds `checkpoint` and `tile/`; proofs.json lists inclusion and consistency proofs to be held against
// those that Go makes itself. Prints the size and root, or says what is wrong and exits with 1.
//
//	check_log sign KEYFILE < text
//
// signs a text as Go's tools sign it.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// One proof, as the other side made it.
type proof struct {
	Index *int64   // inclusion of this entry
	Old   *int64   // consistency with the tree of this size
	Path  []string // base64
}

func fail(format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", arguments...)
	os.Exit(1)
}

func must[T any](value T, err error) T {
	if err != nil {
		fail("%v", err)
	}
	return value
}

// Where a tile of the tree stands, as c2sp.org/tlog-tiles has it.
func name(kind string, index, width int64) string {
	text := fmt.Sprintf("%03d", index%1000)
	for index >= 1000 {
		index /= 1000
		text = fmt.Sprintf("x%03d/%s", index%1000, text)
	}
	if width < 256 {
		text += fmt.Sprintf(".p/%d", width)
	}
	return "tile/" + kind + "/" + text
}

// Entries of a bundle.
func entries(data []byte) [][]byte {
	var found [][]byte
	for len(data) > 0 {
		if len(data) < 2 {
			fail("a bundle is cut off")
		}
		length := int(binary.BigEndian.Uint16(data))
		if len(data) < 2+length {
			fail("a bundle is cut off")
		}
		found = append(found, data[2:2+length])
		data = data[2+length:]
	}
	return found
}

func sign(file string) {
	signer := must(note.NewSigner(strings.TrimSpace(string(must(os.ReadFile(file))))))
	text := must(io.ReadAll(os.Stdin))
	os.Stdout.Write(must(note.Sign(&note.Note{Text: string(text)}, signer)))
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == "sign" {
		sign(os.Args[2])
		return
	}
	dir, key := os.Args[1], os.Args[2]
	verifier := must(note.NewVerifier(key))
	signed := must(note.Open(must(os.ReadFile(filepath.Join(dir, "checkpoint"))), note.VerifierList(verifier)))
	lines := strings.Split(signed.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() {
		fail("not a checkpoint of this log")
	}
	size := must(strconv.ParseInt(lines[1], 10, 64))
	root := must(tlog.ParseHash(lines[2]))

	// The tree that Go builds of the entries.
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		found := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			if index >= int64(len(stored)) {
				return nil, fmt.Errorf("no hash %d", index)
			}
			found[i] = stored[index]
		}
		return found, nil
	})
	var leaves []tlog.Hash
	for first := int64(0); first < size; first += 256 {
		width := size - first
		if width > 256 {
			width = 256
		}
		bundle := entries(must(os.ReadFile(filepath.Join(dir, name("entries", first/256, width)))))
		if int64(len(bundle)) != width {
			fail("a bundle of %d entries instead of %d", len(bundle), width)
		}
		for i, entry := range bundle {
			leaves = append(leaves, tlog.RecordHash(entry))
			stored = append(stored, must(tlog.StoredHashes(first+int64(i), entry, reader))...)
		}
	}
	if must(tlog.TreeHash(size, reader)) != root {
		fail("the entries do not lead to the signed root")
	}

	// Every tile holds what Go holds.
	for level := int64(0); size>>(8*level) > 0; level++ {
		hashes := size >> (8 * level)
		for first := int64(0); first < hashes; first += 256 {
			width := hashes - first
			if width > 256 {
				width = 256
			}
			var want bytes.Buffer
			for n := first; n < first+width; n++ {
				hash := stored[tlog.StoredHashIndex(int(8*level), n)]
				want.Write(hash[:])
			}
			path := name(strconv.FormatInt(level, 10), first/256, width)
			if !bytes.Equal(must(os.ReadFile(filepath.Join(dir, path))), want.Bytes()) {
				fail("%s holds other hashes", path)
			}
		}
	}

	// Proofs: good by Go's judgement, and the same as Go's own.
	var proofs []proof
	if err := json.NewDecoder(os.Stdin).Decode(&proofs); err != nil {
		fail("%v", err)
	}
	for _, p := range proofs {
		path := make([]tlog.Hash, len(p.Path))
		for i, text := range p.Path {
			copy(path[i][:], must(base64.StdEncoding.DecodeString(text)))
		}
		var own []tlog.Hash
		var err error
		if p.Index != nil {
			err = tlog.CheckRecord(path, size, root, *p.Index, leaves[*p.Index])
			own = must(tlog.ProveRecord(size, *p.Index, reader))
		} else {
			old := must(tlog.TreeHash(*p.Old, reader))
			err = tlog.CheckTree(path, size, root, *p.Old, old)
			own = must(tlog.ProveTree(size, *p.Old, reader))
		}
		if err != nil || fmt.Sprint(own) != fmt.Sprint(path) {
			fail("proof %+v: %v", p, err)
		}
	}
	fmt.Println(size, root)
}
