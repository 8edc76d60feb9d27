//go:build !race

package integration

// raceDetector says whether the tests run with the race detector; the command under test then does, too.
const raceDetector = false
