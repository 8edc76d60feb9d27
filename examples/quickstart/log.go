package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// A logFile reads the records that are appended to a file. It stays open until the process ends.
type logFile struct {
	lines *bufio.Reader
	part  string // of a line whose end is not there yet
}

// openLog opens the file called name behind what it has already.
func openLog(name string) (*logFile, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	if _, err := f.Seek(0, io.SeekEnd); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &logFile{lines: bufio.NewReader(f)}, nil
}

// show prints the records as they come, until the one of the statement last or until ctx is done.
func (l *logFile) show(ctx context.Context, last string) error {
	for {
		line, err := l.next(ctx)
		if err != nil {
			return err
		}
		fmt.Print("   ", line)
		var record struct{ Query string }
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			return err
		}
		if record.Query != "" && record.Query == last {
			return nil
		}
	}
}

// next waits for the end of a line and returns the line.
func (l *logFile) next(ctx context.Context) (string, error) {
	for {
		s, err := l.lines.ReadString('\n')
		l.part += s
		if err == nil {
			line := l.part
			l.part = ""
			return line, nil
		}
		if !errors.Is(err, io.EOF) {
			return "", err
		}
		select {
		case <-ctx.Done():
			return "", context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
