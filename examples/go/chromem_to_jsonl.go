// Writes the documents of a file that chromem-go's ExportToFile has written as JSON Lines, which import_vectors.py reads:
//
//	go run chromem_to_jsonl.go FILE [COLLECTION] >documents.jsonl
//
// The file may be compressed. If it is encrypted, the environment variable CHROMEM_KEY has the key of 32 bytes.
// The name of the collection may be left out where the file has only one.
package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/aes"
	"crypto/cipher"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"
)

// What is in the file. Gob goes by the names of the fields.
type database struct {
	Collections map[string]*collection
}

type collection struct {
	Name      string
	Documents map[string]*document
}

type document struct {
	ID        string            `json:"id"`
	Content   string            `json:"content"`
	Embedding []float32         `json:"embedding"`
	Metadata  map[string]string `json:"metadata"`
}

func main() {
	if len(os.Args) < 2 || len(os.Args) > 3 {
		fmt.Fprintln(os.Stderr, "usage: chromem_to_jsonl FILE [COLLECTION]")
		os.Exit(2)
	}
	if err := convert(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintf(os.Stderr, "error: %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}

func convert(path string, name []string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if key := os.Getenv("CHROMEM_KEY"); key != "" {
		if data, err = decrypt(data, []byte(key)); err != nil {
			return err
		}
	}
	var reader io.Reader = bytes.NewReader(data)
	if bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
		if reader, err = gzip.NewReader(reader); err != nil {
			return err
		}
	}
	var db database
	if err := gob.NewDecoder(reader).Decode(&db); err != nil {
		return fmt.Errorf("not an export of chromem-go, or encrypted: %w", err)
	}
	found, err := choose(db, name)
	if err != nil {
		return err
	}
	return write(found)
}

// decrypt opens what AES-GCM has sealed, which follows its nonce.
func decrypt(data, key []byte) ([]byte, error) {
	if len(key) != 32 {
		return nil, fmt.Errorf("CHROMEM_KEY has %d bytes, and must have 32", len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	if len(data) < gcm.NonceSize() {
		return nil, errors.New("too short to be encrypted")
	}
	return gcm.Open(nil, data[:gcm.NonceSize()], data[gcm.NonceSize():], nil)
}

// choose gives the collection of that name, or the only one.
func choose(db database, name []string) (*collection, error) {
	var names []string
	for _, one := range db.Collections {
		if len(db.Collections) == 1 && len(name) == 0 || len(name) == 1 && one.Name == name[0] {
			return one, nil
		}
		names = append(names, one.Name)
	}
	sort.Strings(names)
	return nil, fmt.Errorf("name one of its collections: %s", strings.Join(names, ", "))
}

func write(from *collection) error {
	ids := make([]string, 0, len(from.Documents))
	for id := range from.Documents {
		ids = append(ids, id)
	}
	sort.Strings(ids)
	out := bufio.NewWriter(os.Stdout)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for _, id := range ids {
		if err := encoder.Encode(from.Documents[id]); err != nil {
			return err
		}
	}
	return out.Flush()
}
